"""The store of snapshots: whole or not at all, of this run or refused, in spite of full disks."""

import os
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaal_alocc import checkpoints
from gaal_alocc.checkpoints import ASIDE, Checkpoints, describe_data, open_checkpoints

IDENTITY = {"lr_d": 0.01, "k": 10}


def history(n):
    return pd.DataFrame({"loss": np.arange(n) / 7, "auc": np.nan, "epoch": np.arange(n)})


def variables(value=0.0, size=3):
    return [keras.Variable(np.full(size, value, np.float32)), keras.Variable(int(value))]


def opened(folder, *, resume=True, every=1, seed=5, bind=True, **identity):
    store = Checkpoints(folder, {**IDENTITY, **identity}, seed=seed, every=every, resume=resume)
    if bind:
        store.restore([], [], n_epochs=100)
    return store


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    for folder, problem in [("file", "File exists"), ("file/in", "Not a directory")]:
        with pytest.raises(
            OSError, match=f"checkpoint_dir=.*{folder} cannot be a folder: {problem}"
        ):
            opened(tmp_path / folder)


def write(folder, epochs):
    """Snapshots of a run whose state is its epoch's number."""
    store = opened(folder, bind=False)
    state, generator = variables(), np.random.default_rng(0)
    store.restore(state, [generator], n_epochs=100)
    for epoch in range(store.epoch + 1, epochs + 1):
        for variable in state:
            variable.assign(np.full(variable.shape, epoch))
        generator.random(3, dtype=np.float32)  # leaves half a draw behind
        store.notes["epoch"] = epoch
        store.save(epoch, history(epoch))
    return generator


def read(folder):
    """Epoch, state, history and the next draw of what is resumed."""
    store = opened(folder, bind=False)
    state, generator = variables(), np.random.default_rng(99)
    tables, stopped = store.restore(state, [generator], n_epochs=100)
    assert not stopped
    assert store.notes == {"epoch": store.epoch}
    return store.epoch, [v.numpy().tolist() for v in state], tables, generator.random(2)


@given(epochs=st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_what_was_saved_comes_back_and_the_two_newest_stay(tmp_path_factory, epochs):
    folder = tmp_path_factory.mktemp("run")
    generator = write(folder, epochs)
    epoch, state, tables, draws = read(folder)
    assert (epoch, state) == (epochs, [[epochs] * 3, epochs])
    pd.testing.assert_frame_equal(tables[0], history(epochs), check_exact=True)
    np.testing.assert_array_equal(draws, generator.random(2))
    names = sorted(path.name[:16] for path in folder.iterdir())
    assert names == [f"snapshot_{e:06d}." for e in range(max(1, epochs - 1), epochs + 1)]


def test_nothing_to_resume_begins(tmp_path):
    store = opened(tmp_path / "new", bind=False)
    assert (store.epoch, store.seed, store.notes) == (0, 5, {})
    assert store.restore(variables(), [], n_epochs=1) == ([], False)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    write(folder, 2)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_damage_is_seen_and_the_snapshot_before_taken(two, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    for name, content in two.items():
        (folder / name).write_bytes(content)
    newest = max(two)
    content = bytearray(two[newest])
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    if data.draw(st.booleans(), label="cut off"):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255), label="bits")
    (folder / newest).write_bytes(content)
    with pytest.warns(UserWarning, match=f"{newest} is damaged"):
        epoch, state, tables, _ = read(folder)
    assert (epoch, state, len(tables[0])) == (1, [[1.0] * 3, 1], 1)


def test_a_snapshot_outlives_damaged_ones_of_later_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "KEPT", 3)
    write(tmp_path, 3)
    monkeypatch.undo()
    for epoch in (2, 3):
        next(tmp_path.glob(f"snapshot_{epoch:06d}.*")).write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        store = opened(tmp_path, every=5)
    for epoch, kept in [(2, [1, 2]), (4, [2, 4])]:
        store.save(epoch, history(epoch))
        assert sorted(int(path.name[9:15]) for path in tmp_path.iterdir()) == kept
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert opened(tmp_path).epoch == epoch


def test_nothing_but_damaged_snapshots_is_an_error(two, tmp_path):
    for name in two:
        (tmp_path / name).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match=r"checkpoint_dir=.* damaged checkpoints only"),
    ):
        opened(tmp_path)


def test_a_file_left_half_written_is_no_snapshot(two, tmp_path):
    for name, content in two.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ASIDE).write_bytes(b"half")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert opened(tmp_path, bind=False).epoch == 2
    write(tmp_path, 3)
    assert not (tmp_path / ASIDE).exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr_d": 0.02}, r"lr_d was 0\.01, is 0\.02\.$"),
        ({"k": 3, "lr_d": 0.02}, r"lr_d was 0\.01, is 0\.02, k was 10, is 3\.$"),
        ({"momentum": 0.9}, r"momentum was unknown, is 0\.9\.$"),
        ({"class": np.float64(1)}, r"class was unknown, is 1\.0\.$"),
    ],
)
def test_another_run_is_refused_with_every_difference_named(two, tmp_path, changed, message):
    for name, content in two.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, **changed)


@pytest.mark.parametrize(
    ("name", "value"), [("FORMAT", 99), ("__version__", "9.9"), ("np", None), ("tf", None)]
)
def test_another_version_is_refused(two, tmp_path, name, value, monkeypatch):
    for file, content in two.items():
        (tmp_path / file).write_bytes(content)
    if value is None:
        monkeypatch.setattr(getattr(checkpoints, name), "__version__", "9.9")
    else:
        monkeypatch.setattr(checkpoints, name, value)
    with pytest.raises(ValueError, match=r"(format|version) of .* was .*, is 9\.?9\.$"):
        opened(tmp_path)


def test_conditions_of_the_training_and_fewer_epochs_are_refused(two, tmp_path):
    for name, content in two.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="XLA was unknown, is True"):
        opened(tmp_path, bind=False).restore(variables(), [], 100, XLA=True)
    with pytest.raises(ValueError, match="came to epoch 2, and epochs is 1"):
        opened(tmp_path, bind=False).restore(variables(), [], 1)


def test_an_earlier_run_is_not_overwritten(tmp_path):
    write(tmp_path, 3)
    with pytest.raises(FileExistsError, match=r"came to epoch 3.*resume=True"):
        opened(tmp_path, resume=False)
    assert opened(tmp_path).epoch == 3


def test_the_first_seed_stays(tmp_path):
    write(tmp_path, 1)
    assert opened(tmp_path, seed=77).seed == 5


@given(every=st.integers(1, 20), epoch=st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_snapshots_are_due_at_the_end_of_what_was_to_go(tmp_path_factory, every, epoch):
    store = opened(tmp_path_factory.mktemp("due"), every=every)
    to_go = store.epochs_to_go(epoch)
    assert [store.due(epoch + i) for i in range(1, to_go + 1)] == [False] * (to_go - 1) + [True]


def test_auto_writes_at_once_and_then_at_most_a_twentieth_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    store = opened(tmp_path, every="auto")
    assert store.due(1)
    replace = os.replace

    def slowly(*args):
        clock[0] += 2.0
        replace(*args)

    monkeypatch.setattr(os, "replace", slowly)
    store.save(1, history(1))
    clock[0] += 37.9
    assert not store.due(2)
    clock[0] += 0.2
    assert store.due(3)


@pytest.mark.parametrize("every", [0, -1, 1.5, "often", None])
def test_a_wrong_checkpoint_every_is_refused(tmp_path, every):
    with pytest.raises(ValueError, match=r"checkpoint_every is .*; expected 'auto' or an int"):
        opened(tmp_path, every=every)


@pytest.mark.parametrize("argument", [{"resume": True}, {"every": 3}])
def test_arguments_without_a_folder_are_refused(argument):
    with pytest.raises(ValueError, match="checkpoint_dir is None; expected a folder"):
        open_checkpoints(None, None, {}, seed=0, **argument)
    assert open_checkpoints(None, None, {}, seed=0) is None


def test_data_are_told_apart_by_values_order_form_and_presence():
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    others = [X[::-1], X.astype(float), X.reshape(2, 3), X + np.float32(1e-6), None]
    described = [tuple(describe_data(X=x).items()) for x in (X, *others)]
    assert len(set(described)) == len(described)
    assert describe_data(X=np.asfortranarray(X)) == describe_data(X=X)


def test_a_full_disk_is_told_with_the_file_s_name_and_leaves_the_last_whole_snapshot(
    tmp_path, full_disk
):
    write(tmp_path, 3)
    before = sorted(os.listdir(tmp_path))
    store = opened(tmp_path, bind=False)
    store.restore(variables(), [np.random.default_rng()], n_epochs=100)
    with full_disk(1000), pytest.raises(OSError, match=r"snapshot_000004\..* cannot be written"):
        store.save(4, history(4))
    assert sorted(os.listdir(tmp_path)) == before
    assert read(tmp_path)[0] == 3
