"""The detectors take every kind of table with the same numbers, in bounded memory."""

import functools
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from gaal import MOGAAL, SOGAAL, networks

X = np.random.default_rng(0).random((120, 3)).astype(np.float32)
Y = (np.arange(120) < 8).astype(int)
NAMES = ["a", "b", "c"]
DETECTORS = [SOGAAL(stop_epochs=2, random_state=0), MOGAAL(k=3, stop_epochs=2, random_state=0)]


@functools.cache
def fitted(index=0):
    return clone(DETECTORS[index]).fit(X)


def parquet(folder, cuts=()):
    paths = []
    for i, part in enumerate(np.split(X, cuts)):
        paths.append(folder / f"part{i}.parquet")
        pq.write_table(pa.table(dict(zip(NAMES, part.T))), paths[-1], row_group_size=50)
    return paths


def memory_map(folder):
    np.save(folder / "rows.npy", X)
    return np.load(folder / "rows.npy", mmap_mode="r")


class InBatches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return X[30 * i : 30 * (i + 1)]


def columns():
    return dict(zip(NAMES, X.T))


# Every container that the docs name.
KINDS = {
    "list": lambda folder: X.tolist(),
    "tuple of arrays": lambda folder: tuple(X),
    "float64": lambda folder: X.astype(float),
    "array of objects": lambda folder: X.astype(object),
    "masked array without a masked value": lambda folder: np.ma.array(X, mask=False),
    "memory map": memory_map,
    "DataFrame": lambda folder: pd.DataFrame(X, columns=NAMES),
    "records": lambda folder: pd.DataFrame(columns()).to_records(index=False),
    "Arrow table": lambda folder: pa.table(columns()),
    "polars": lambda folder: pytest.importorskip("polars").DataFrame(columns()),
    "tensor of TensorFlow": lambda folder: tf.constant(X),
    "tensor of PyTorch": lambda folder: pytest.importorskip("torch").tensor(X).requires_grad_(),
    "Parquet": lambda folder: parquet(folder)[0],
    "Parquet files": lambda folder: parquet(folder, (30, 90)),
    "data set": lambda folder: tf.data.Dataset.from_tensor_slices(X).batch(32),
    "data set of rows": lambda folder: tf.data.Dataset.from_tensor_slices(X),
    "PyDataset": lambda folder: InBatches(),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def check_fit(detector, table):
    found = clone(detector).set_params(contamination=0.1).fit(table)
    pd.testing.assert_frame_equal(found.history_, detector.history_)
    np.testing.assert_array_equal(found.score_samples(table), detector.score_samples(X))
    assert found.n_features_in_ == 3
    assert np.sum(found.predict(table) == -1) == 12


@kinds
@pytest.mark.parametrize("index", [0, 1], ids=["SOGAAL", "MOGAAL"])
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_fit_learns_the_same_from_every_kind_of_table(kind, index, tmp_path):
    check_fit(fitted(index), KINDS[kind](tmp_path))


@kinds
@given(block=st.integers(1, 150))
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_scores_do_not_depend_on_the_kind_of_table_nor_on_the_block(kind, block, tmp_path):
    expected = fitted().score_samples(X)
    kept, networks.SCORE_BLOCK = networks.SCORE_BLOCK, block
    try:
        scores = fitted().score_samples(KINDS[kind](tmp_path))
    finally:
        networks.SCORE_BLOCK = kept
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-13)


def test_feature_names_of_parquet_are_those_of_a_frame(tmp_path):
    (path,) = parquet(tmp_path)
    detector = clone(DETECTORS[0]).fit(path)
    assert list(detector.feature_names_in_) == NAMES
    frame = pd.DataFrame(X, columns=NAMES)
    np.testing.assert_array_equal(detector.score_samples(frame), detector.score_samples(path))
    frame[["c", "b", "a"]].to_parquet(tmp_path / "turned.parquet")
    frame[["a", "b"]].to_parquet(tmp_path / "narrow.parquet")
    for wrong in ("turned", "narrow"):
        with pytest.raises(ValueError, match="feature names"):
            detector.score_samples(tmp_path / f"{wrong}.parquet")
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        detector.predict(X)


@pytest.mark.extras
def test_labels_are_read_from_every_kind_of_array(tmp_path):
    expected = clone(DETECTORS[0]).fit(X, Y).history_
    torch = pytest.importorskip("torch")
    for y in (np.ma.array(Y, mask=False), tf.constant(Y), torch.tensor(Y), pa.chunked_array([Y])):
        found = clone(DETECTORS[0]).fit(X, y)
        pd.testing.assert_frame_equal(found.history_, expected)


def test_masked_labels_are_told_as_missing_ones_are():
    with pytest.warns(UserWarning, match=r"y has no label in 2 .*row 0.*goes on without the AUC"):
        detector = clone(DETECTORS[0]).fit(X, np.ma.masked_array(Y, np.arange(120) % 100 == 0))
    assert "auc" not in detector.history_


def test_wrong_tables_are_refused_and_leave_the_detector_as_it_was(tmp_path, monkeypatch):
    detector = clone(DETECTORS[0]).fit(X)
    before = detector.score_samples(X)
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        detector.fit(tmp_path / "none.parquet")
    wrong = X.copy()
    wrong[100, 2] = np.nan
    monkeypatch.setattr(networks, "SCORE_BLOCK", 40)
    for method in (detector.fit, detector.score_samples):
        with pytest.raises(ValueError, match="X holds NaN in row 100, column 2"):
            method(tf.data.Dataset.from_tensor_slices(wrong))
    with pytest.raises(ValueError, match="4 features, but SOGAAL is expecting 3"):
        detector.score_samples(np.hstack([X, X[:, :1]]))
    with pytest.raises(ValueError, match="inconsistent"):
        detector.fit(parquet(tmp_path)[0], Y[:-1])
    np.testing.assert_allclose(detector.score_samples(X), before, rtol=1e-13)


@pytest.mark.parametrize("unknown", [False, True])
def test_a_bar_shows_how_many_rows_are_scored(unknown, monkeypatch, capsys):
    detector = clone(DETECTORS[0]).set_params(verbose=1).fit(X)
    capsys.readouterr()
    detector.score_samples(X)
    assert capsys.readouterr().out == ""  # one block needs none
    monkeypatch.setattr(networks, "SCORE_BLOCK", 25)
    rows = tf.data.Dataset.from_tensor_slices(X)
    detector.score_samples(rows.batch(10) if unknown else rows)
    assert "120/120" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------
# quantile_sample_size

MO = MOGAAL(k=3, stop_epochs=3, random_state=0)


def test_a_sample_of_all_rows_is_no_sample():
    histories = [clone(MO).set_params(quantile_sample_size=size).fit(X).history_ for size in
                 (None, 120, 1000)]  # fmt: skip
    for history in histories[1:]:
        pd.testing.assert_frame_equal(history, histories[0])


def test_the_quantiles_are_those_of_the_sample(monkeypatch):
    sizes = []
    real = networks.discriminate

    def discriminate(discriminator, rows):
        sizes.append(rows.shape[0])
        return real(discriminator, rows)

    monkeypatch.setattr(networks, "discriminate", discriminate)
    sampled = clone(MO).set_params(quantile_sample_size=10).fit(X, Y)
    assert set(sizes) == {10, 120}  # the AUC is still of all rows
    whole = clone(MO).fit(X, Y)
    first, all_rows = sampled.history_.iloc[0], whole.history_.iloc[0]
    assert first["discriminator_loss"] == all_rows["discriminator_loss"]
    assert first["sub_generator0_loss"] != all_rows["sub_generator0_loss"]


def test_both_doors_take_the_same_sample():
    sampled = clone(MO).set_params(quantile_sample_size=10)
    histories = [sampled.set_params(steps_per_execution=s).fit(X).history_ for s in (1, "auto")]
    pd.testing.assert_frame_equal(*histories, rtol=1e-4)


def test_a_sample_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="'quantile_sample_size' parameter of MOGAAL"):
        clone(MO).set_params(quantile_sample_size=0).fit(X)


# ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_million_rows_of_parquet_are_scored_in_bounded_memory(tmp_path):
    if not Path("/proc/self/status").exists():
        pytest.skip("reads the peak of memory from /proc")
    program = """
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
from gaal import SOGAAL
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
rng = np.random.default_rng(0)
names = [f"x{i}" for i in range(20)]
detector = SOGAAL(1, random_state=0).fit(rng.random((1000, 20), dtype=np.float32))
detector.score_samples(rng.random((20000, 20)))
def write(path):
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(10):
            part = rng.random((100_000, 20))
            writer.write_table(pa.table(list(part.T), schema=schema))
write(sys.argv[1])
before = peak()
scores = detector.score_samples(sys.argv[1])
print(len(scores), peak() - before)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "rows.parquet")],
        capture_output=True,
        text=True,
        check=True,
    )
    n, megabytes = map(float, result.stdout.split())
    assert n == 1_000_000
    assert megabytes < 100  # of 160 that the rows take
