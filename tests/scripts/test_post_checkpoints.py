"""Networks that PyTorch saved, read without it, and the published runs of the post among ours."""

import itertools
import os
import pickle
import struct
import zipfile

import numpy as np
import post_checkpoint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from porting import checkpoints
from reproduction import post, post_checkpoints
from reproduction.target import Plan, sha256

# --- Files such as torch.save writes, without torch ----------------------------------------------


def pickled(state, count=None, module="torch", extra=b""):
    """Pickle a state dict as torch does, by hand: protocol 2, tensors rebuilt from storages."""

    def text(words):
        raw = words.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw

    def whole(number):
        return b"J" + struct.pack("<i", number)

    out = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01("
    for key, (name, array) in enumerate(state.items()):
        kind = {4: "FloatStorage", 8: "DoubleStorage"}[array.itemsize]
        strides = [s // array.itemsize for s in array.strides]
        out += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        out += text("storage") + f"c{module}\n{kind}\n".encode() + text(str(key)) + text("cpu")
        out += whole(array.size if count is None else count) + extra + b"tQ" + whole(0)
        out += b"(" + b"".join(map(whole, array.shape)) + b"t"
        out += b"(" + b"".join(map(whole, strides)) + b"t"
        out += b"\x89ccollections\nOrderedDict\n)RtR"
    return out + b"u}" + text("_metadata") + b"ccollections\nOrderedDict\n)Rsb."


def write_zip(path, state, pickle_bytes=None, byteorder=None):
    """Write what PyTorch 1.6 and later do."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_bytes or pickled(state))
        archive.writestr("archive/version", "3\n")
        if byteorder:
            archive.writestr("archive/byteorder", byteorder)
        for key, array in enumerate(state.values()):
            kind = array.dtype.newbyteorder({"big": ">", None: "<"}.get(byteorder, "<"))
            archive.writestr(f"archive/data/{key}", array.astype(kind).tobytes(order="A"))
    return path


def write_legacy(path, state, pickle_bytes=None):
    """Write what PyTorch before 1.6 did, as in the post's repository."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    head = (0x1950A86A20F9469CFC6C, 1001, system)
    out = b"".join(pickle.dumps(part, protocol=2) for part in head)
    out += pickle_bytes or pickled(state, extra=b"N")
    out += pickle.dumps([str(key) for key in range(len(state))], protocol=2)
    for array in state.values():
        out += struct.pack("<q", array.size) + array.tobytes(order="A")
    path.write_bytes(out)
    return path


WRITERS = {"zip": write_zip, "legacy": write_legacy}


def linear(*sizes, seed=0):
    """Make the state dict of linear layers, as nn.Sequential names them."""
    rng = np.random.default_rng(seed)
    state = {}
    for i, (fan_in, units) in enumerate(itertools.pairwise(sizes)):
        state[f"model.{2 * i}.weight"] = rng.normal(size=(units, fan_in)).astype("float32")
        state[f"model.{2 * i}.bias"] = rng.normal(size=units).astype("float32")
    return state


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_state_dict_is_read_in_both_of_pytorchs_formats(writer, tmp_path):
    state = linear(2, 5, 1)
    state["turned"] = state["model.0.weight"].T.copy(order="C").T  # strides other than C's
    state["double"] = np.arange(3.0)
    read = checkpoints.read_state_dict(writer(tmp_path / "file", state))
    assert list(read) == list(state)
    for name, array in state.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_numbers_of_a_machine_of_the_other_byte_order_are_turned(tmp_path):
    state = linear(2, 3, 1)
    read = checkpoints.read_state_dict(write_zip(tmp_path / "file", state, byteorder="big"))
    np.testing.assert_array_equal(read["model.0.weight"], state["model.0.weight"])


@pytest.mark.parametrize("new", [True, False])
def test_what_torch_itself_saves_is_read(new, tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    path = tmp_path / "file"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=new)
    read = checkpoints.read_state_dict(path)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_our_files_are_those_of_torch(writer, tmp_path):
    torch = pytest.importorskip("torch")
    state = linear(2, 5, 1)
    read = torch.load(writer(tmp_path / "file", state), weights_only=True)
    for name, array in state.items():
        np.testing.assert_array_equal(read[name].numpy(), array)


class Harmful:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_nothing_in_a_file_is_run(writer, protocol, tmp_path):
    mark = tmp_path / "mark"
    harm = pickle.dumps(Harmful(mark), protocol=protocol)
    pickle.loads(harm)
    mark.rmdir()  # it does harm where it is unpickled
    with pytest.raises(ValueError, match="no state dict of PyTorch that can be read"):
        checkpoints.read_state_dict(writer(tmp_path / "file", linear(1, 1), harm))
    assert not mark.exists()


def test_what_it_asks_for_is_named(tmp_path):
    path = write_zip(tmp_path / "file", {}, pickle.dumps(Harmful("x"), protocol=2))
    with pytest.raises(ValueError, match=r"it asks for (posix|nt)\.mkdir"):
        checkpoints.read_state_dict(path)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"count": 7}, "cut off"),
        ({"module": "numpy"}, "it asks for numpy.FloatStorage"),
        ({"extra": b"J\x00\x00\x00\x00"}, "a storage of a kind that is not known"),
    ],
)
def test_storages_that_are_not_as_they_should_be_are_refused(made, message, tmp_path):
    state = linear(2, 3)
    with pytest.raises(ValueError, match=message):
        checkpoints.read_state_dict(write_zip(tmp_path / "f", state, pickled(state, **made)))


def test_a_tensor_of_more_than_its_storage_is_refused(tmp_path):
    small, large = {"a": np.zeros(3, "float32")}, {"a": np.zeros(9, "float32")}
    path = write_zip(tmp_path / "file", small, pickled(large, count=3))
    with pytest.raises(ValueError, match="more than its storage holds"):
        checkpoints.read_state_dict(path)
    # With strides of nothing a small storage could be blown up.
    many = {"a": np.broadcast_to(np.float32(0), (2**30,))}
    path = write_zip(tmp_path / "file", small, pickled(many, count=3))
    with pytest.raises(ValueError, match="more than its storage holds"):
        checkpoints.read_state_dict(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_error_in_one_line_or_read(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "damaged"
    writer = data.draw(st.sampled_from(list(WRITERS.values())))
    raw = bytearray(writer(path, linear(2, 2, 1)).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    read, told = {}, str(path)
    try:
        read = checkpoints.read_state_dict(path)
    except ValueError as error:
        told = str(error)
    assert str(path) in told
    assert all(isinstance(array, np.ndarray) for array in read.values())


def test_a_file_too_large_for_such_networks_is_not_read(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "file", linear(2, 3, 1))
    monkeypatch.setattr(checkpoints, "LARGEST", 100)
    with pytest.raises(ValueError, match="expected at most 100"):
        checkpoints.read_state_dict(path)


# --- Networks ------------------------------------------------------------------------------------


def write_run(folder, name="a run", hidden=5, seed=0, writer=write_legacy):
    """Write D and G as the post's repository has them; return D's path."""
    for network, sizes in (("discriminator", (2, hidden, 1)), ("generator", (2, 2, 2))):
        (folder / network).mkdir(parents=True, exist_ok=True)
        writer(folder / network / name, linear(*sizes, seed=seed))
    return folder / "discriminator" / name


def test_networks_compute_what_pytorchs_would(tmp_path):
    run = write_run(tmp_path)
    weights = post_checkpoints.load(run)
    X = np.random.default_rng(1).random((50, 2))
    d, g = linear(2, 5, 1).values(), linear(2, 2, 2).values()
    for (w0, b0, w1, b1), compute, end in (
        (d, post_checkpoints.scores, lambda x: 1 / (1 + np.exp(-x[:, 0]))),
        (g, post_checkpoints.generated, lambda x: np.maximum(x, 0)),
    ):
        expected = end(np.maximum(X @ w0.T + b0, 0) @ w1.T + b1)
        np.testing.assert_allclose(compute(weights, X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("d", "g", "message"),
    [
        ((2, 5, 4, 1), (2, 2, 2), "expected two linear layers"),
        ((2, 5, 3), (2, 2, 2), "D ends in 3 units, expected 1"),
        ((2, 5, 1), (3, 3, 3), "G is not as wide as D's 2 features"),
        ((2, 5, 1), (2, 4, 2), "G is not as wide as D's 2 features"),
    ],
)
def test_other_networks_are_told(d, g, message, tmp_path):
    files = [write_zip(tmp_path / n, linear(*sizes)) for n, sizes in (("d", d), ("g", g))]
    with pytest.raises(ValueError, match=message):
        checkpoints.load_networks(*files)


def test_layers_out_of_order_are_told():
    state = dict(reversed(linear(2, 5, 1).items()))
    with pytest.raises(ValueError, match=r"the discriminator holds model\.2\.bias"):
        checkpoints.dense_weights(state, "discriminator")


# --- The script ----------------------------------------------------------------------------------


@pytest.fixture
def onecluster_file(monkeypatch):
    from gaal import datasets

    points = datasets.make_onecluster(random_state=0)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: points)
    return points


def test_the_script_says_what_every_run_scores(onecluster_file, tmp_path, capsys, monkeypatch):
    from sklearn.metrics import roc_auc_score

    run = write_run(tmp_path, "one")
    write_run(tmp_path, "two", seed=1, writer=write_zip)
    files = zip(post_checkpoints.NETWORKS, (run, post_checkpoints.beside(run)))
    known = {name: sha256(file) for name, file in files}
    monkeypatch.setattr(post_checkpoints, "FIGURES", {4: known})
    assert post_checkpoint.main([str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    d = post_checkpoints.scores(post_checkpoints.load(run), onecluster_file.data)
    auc = roc_auc_score(onecluster_file.target, 1 - d)
    assert first.startswith(f"figure 4: AUC {auc:.4f}, D(x) of inliers ")
    assert first.endswith("(one)")
    assert second.startswith("another run: AUC ")


def test_the_script_tells_what_is_wrong_in_a_line(onecluster_file, tmp_path, capsys):
    assert post_checkpoint.main([str(tmp_path)]) == 2
    assert "has no folder discriminator with files in it" in capsys.readouterr().err
    run = write_run(tmp_path)
    post_checkpoints.beside(run).unlink()
    assert post_checkpoint.main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- The targets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", [4, 5])
def test_the_published_run_is_known_by_its_checksums_alone(figure, tmp_path, monkeypatch):
    plan = Plan(full=False, seeds=1, gaal_home=tmp_path)
    write_run(tmp_path / "chkpt", "other", seed=2)
    assert post_checkpoints.find(plan, figure) is None
    run = write_run(tmp_path / "chkpt", "published")
    files = zip(post_checkpoints.NETWORKS, (run, post_checkpoints.beside(run)))
    known = {**post_checkpoints.FIGURES[figure], **{name: sha256(file) for name, file in files}}
    monkeypatch.setitem(post_checkpoints.FIGURES, figure, known)
    assert post_checkpoints.find(plan, figure) == run
    assert post_checkpoints.find(Plan(full=False, seeds=1), figure) is None
    inner = tmp_path / "gaal"
    assert post_checkpoints.find(Plan(full=False, seeds=1, gaal_home=inner), figure) == run


def test_the_published_run_lies_where_it_does_among_ours():
    ends = {"final_auc": 0.5, "D(x) of inliers": 0.4}
    frame = post.pd.DataFrame([{n: v + 0.1 * i for n, v in ends.items()} for i in range(4)])
    published = {"final_auc": 0.65, "checkpoint": {"ends": {"D(x) of inliers": 0.3}}}
    table = post.among(frame, published).set_index("measure")
    assert table.loc["AUC", "ours below it"] == "2 of 4"
    assert table.loc["D(x) of inliers", "ours below it"] == "0 of 4"
    assert table.loc["AUC", "median"] == pytest.approx(0.65)
