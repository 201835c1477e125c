"""Rows come the same from every kind of table, and what is wrong is told by its row."""

import itertools
import os
import sys

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from gaal_alocc import arrays
from gaal_alocc.rows import checked_blocks, open_parquet, open_rows, read

X = np.random.default_rng(0).random((50, 3)).astype(np.float32)
NAMES = ["a", "b", "c"]


def parquet(folder, data=X, cuts=(), group=7, names=NAMES):
    """Files of the rows between the cuts, in row groups."""
    paths = []
    for i, part in enumerate(np.split(data, cuts)):
        paths.append(folder / f"part{i}.parquet")
        pq.write_table(pa.table(dict(zip(names, part.T))), paths[-1], row_group_size=group)
    return paths


def memory_map(folder, data=X):
    np.save(folder / "rows.npy", data)
    return np.load(folder / "rows.npy", mmap_mode="r")


KINDS = {
    "list": lambda folder: X.tolist(),
    "array": lambda folder: X,
    "float64": lambda folder: X.astype(float),
    "Fortran": lambda folder: np.asfortranarray(X),
    "memory map": memory_map,
    "DataFrame": lambda folder: pd.DataFrame(X, columns=NAMES),
    "Parquet": lambda folder: parquet(folder)[0],
    "Parquet as text": lambda folder: os.fspath(parquet(folder)[0]),
    "Parquet files": lambda folder: parquet(folder, cuts=(11, 11, 30)),
    "data set of rows": lambda folder: tf.data.Dataset.from_tensor_slices(X),
    "data set of batches": lambda folder: tf.data.Dataset.from_tensor_slices(X).batch(9),
    "data set of unknown length": lambda folder: (
        tf.data.Dataset.from_tensor_slices(X).filter(lambda x: True).batch(4)
    ),
}


def blocks_of(table, size, dtype=np.float32):
    estimator = BaseEstimator()
    return list(checked_blocks(estimator, open_rows(table), size, dtype=dtype, reset=True))


@pytest.mark.parametrize("kind", KINDS)
@given(size=st.integers(1, 60))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_kind_of_table_gives_the_same_blocks(kind, size, tmp_path):
    blocks = blocks_of(KINDS[kind](tmp_path), size)
    assert [len(block) for block in blocks[:-1]] == [size] * ((len(X) - 1) // size)
    np.testing.assert_array_equal(np.concatenate(blocks), X)
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_is_read_whole(kind, tmp_path):
    estimator = BaseEstimator()
    table = KINDS[kind](tmp_path)
    whole = read(estimator, open_rows(table), 8, min_samples=2)
    np.testing.assert_array_equal(whole, X)
    assert whole.dtype == np.float32
    assert estimator.n_features_in_ == 3
    named = kind.startswith(("DataFrame", "Parquet"))
    assert list(getattr(estimator, "feature_names_in_", [])) == (NAMES if named else [])
    assert np.shares_memory(whole, table) == (kind in ("array", "Fortran", "memory map"))


def test_blocks_of_an_array_are_no_copies():
    assert all(np.shares_memory(block, X) for block in blocks_of(X, 8))


def test_a_table_is_read_again_from_its_start(tmp_path):
    for kind in KINDS:
        rows = open_rows(KINDS[kind](tmp_path))
        first, again = (np.concatenate(list(map(np.asarray, rows.blocks(8)))) for _ in "ab")
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_the_third_block_is_told_by_its_row(bad, tmp_path):
    wrong = X.copy()
    wrong[20, 1] = bad
    what = "NaN" if np.isnan(bad) else "infinity"
    for table in [
        wrong, memory_map(tmp_path, wrong), tf.data.Dataset.from_tensor_slices(wrong)
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"X holds {what}.* in row 20, column 1 "):
            blocks_of(table, 8)
    for table in [pd.DataFrame(wrong, columns=NAMES), parquet(tmp_path, wrong)[0]]:
        with pytest.raises(ValueError, match=f"X holds {what}.* in row 20 .*, column 'b'"):
            blocks_of(table, 8)


DATES = pd.to_datetime(["2020-01-01", "2020-01-02"] * 25)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1.5"] * 20 + ["text"] * 30, "holds 'text' in row 20"),
        ([0.5] * 20 + ["1,5"] * 30, "holds '1,5' in row 20"),
        ([b"yes", b"no"] * 25, "holds b'yes' in row 0"),
        (["1"] * 49 + [""], "holds '' in row 49"),
        ([0.5] * 20 + [pd.NA] * 30, "holds NA, a missing value, in row 20"),
        (pd.array([0.5] * 20 + [None] * 30, "Float64"), "X holds NaN in row 20 .*, column 'b'"),
        (pd.array([1] * 20 + [None] * 30, "Int64"), "X holds NaN in row 20 .*, column 'b'"),
        (pd.array([True] * 20 + [None] * 30, "boolean"), "X holds NaN in row 20 .*, column 'b'"),
        (pd.array(["1"] * 20 + [None] * 30, "string"), "holds NA, a missing value, in row 20"),
        ([0.5] * 20 + [None] * 30, "X holds NaN in row 20 .*, column 'b'"),
        (np.array([0.5] * 20 + [None] * 30, object), "X holds NaN in row 20 .*, column 'b'"),
        (pd.Categorical(["low", "high"] * 25), "holds 'low' in row 0"),
        (DATES, "holds datetime64.*; expected numbers"),
        (DATES.tz_localize("UTC"), "holds datetime64.*; expected numbers"),
        (DATES - DATES[0], "holds timedelta64.*; expected numbers"),
        (DATES.to_period("D"), "holds Period.* in row 0"),
        ([[1.0]] * 50, r"holds \[1.0\] in row 0"),
        ([1 + 1j] * 50, "holds complex128; expected real numbers"),
        (np.array([np.timedelta64(1, "ns")] * 50, object), "holds timedelta64.*; expected numbers"),
        (pd.array([1] * 20 + [None] * 30, "int64[pyarrow]"), "X holds NaN in row 20 .*, column"),
        (np.ma.masked_less(np.arange(50), 20), "X holds NaN in row 0 .*, column 'b'"),
    ],
)
def test_what_is_no_number_in_a_data_frame_is_told_by_its_column(values, message):
    frame = pd.DataFrame({"a": X[:, 0], "b": values, "c": X[:, 2]})
    for table in [frame, frame[["b"]]]:
        with pytest.raises(ValueError, match="'b'") as error:
            blocks_of(table, 8)
        error.match(message)


def test_columns_of_numbers_in_other_clothes_are_read():
    frame = pd.DataFrame(
        {
            "i": pd.array([1, 0] * 25, "Int64"),
            "b": pd.array([True, False] * 25, "boolean"),
            "o": np.array([1, 0.0] * 25, object),
            "t": ["1", "0"] * 25,
            "c": pd.Categorical([1, 0] * 25),
            "s": pd.arrays.SparseArray([1, 0] * 25),
            "a": pd.array([1, 0] * 25, "int64[pyarrow]"),
        }
    )
    for table in (frame, frame[["s"]]):
        expected = np.tile([[1], [0]], (25, table.shape[1]))
        np.testing.assert_array_equal(np.concatenate(blocks_of(table, 8)), expected)


def test_records_and_tables_of_arrow_are_read_by_their_columns():
    records = pd.DataFrame(X, columns=NAMES).to_records(index=False).view(np.ndarray)
    arrow = pa.table(dict(zip(NAMES, X.T)))
    for table in (records, arrow):
        estimator = BaseEstimator()
        np.testing.assert_array_equal(read(estimator, open_rows(table), 8, min_samples=2), X)
        assert list(estimator.feature_names_in_) == NAMES
    text = np.array([(0.5, b"no"), (0.5, b"yes")], [("x", float), ("outlier", "S3")])
    with pytest.raises(ValueError, match="column 'outlier' holds b'no' in row 0"):
        blocks_of(text, 8)
    with pytest.raises(ValueError, match="column 'b' holds 'x' in row 1"):
        blocks_of(pa.table({"a": [0.1, 0.2], "b": ["1", "x"]}), 8)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (DATES.to_numpy()[:, None], "X holds datetime64"),
        ([[np.timedelta64(1, "s")]] * 50, "X holds timedelta64"),
        (np.array([[0.5, np.datetime64("2020")]] * 50, object), "X holds dates or times"),
        ([[0.5, DATES[0].to_pydatetime()]] * 50, "column 1 holds .* in row 0 "),
        (X + 1j, "X holds complex.*; expected real numbers"),
        ([[0.5, 1.0]] * 20 + [[0.5, "x"]], "column 1 holds 'x' in row 20 "),
        (np.array([[0.5, pd.NA]] * 50, object), "column 1 holds NA, a missing value, in row 0 "),
        ([[0.5, None]] * 50, "X holds NaN in row 0, column 1 "),
        (np.ma.masked_equal(X, X[20, 1]), r"X\[20\]\[1\] is masked"),
        (np.zeros((50, 1), [("a", float)]), r"X holds records of shape \(50, 1\)"),
        (np.zeros(50, [("a", float, 2)]), "X holds records of .*; expected one a row"),
        (
            np.ma.array([(0.5, 1)] * 2, [("a", float), ("b", int)], mask=[(0, 0), (0, 1)]),
            "X holds NaN in row 1 .*, column 'b'",
        ),
    ],
)
def test_what_is_no_number_in_an_array_is_told(table, message):
    with pytest.raises((TypeError, ValueError), match=message):  # as numpy's own
        blocks_of(table, 8)


def test_a_sum_that_overflows_is_not_taken_for_infinity():
    large = np.full((50, 3), 1e308)
    np.testing.assert_array_equal(np.concatenate(blocks_of(large, 8, np.float64)), large)


@pytest.mark.parametrize(
    "of",
    [np.asarray, list, pd.DataFrame, tf.constant, tf.data.Dataset.from_tensor_slices],
)
def test_values_past_float32_are_told_without_a_word_of_numpy(of):
    large = of(np.full((50, 3), 1e308))  # warnings are errors here
    with pytest.raises(ValueError, match="too large for float32, in row 0"):
        blocks_of(large, 8)
    with pytest.raises(ValueError, match=r"column 0 holds 1000.* in row 0"):
        blocks_of([[10**400, 1]], 8)


def test_missing_values_and_integers_in_parquet_are_numbers(tmp_path):
    table = pa.table({"i": pa.array([1, None, 3]), "b": pa.array([True, False, None])})
    pq.write_table(table, tmp_path / "t.parquet")
    (block,) = open_rows(tmp_path / "t.parquet").blocks(8)
    np.testing.assert_array_equal(block, [[1, 1], [np.nan, 0], [3, np.nan]])


def test_columns_may_be_left_out(tmp_path):
    rows = open_parquet(parquet(tmp_path, cuts=(20,)), leave_out=["b", "label"])
    assert [list(block) for block in rows.blocks(30)] == [["a", "c"]] * 2
    assert rows.n == 50


@pytest.mark.parametrize("names", [[None], ["id"], ["id", "a"]])
def test_the_index_of_a_data_frame_is_no_feature(names, tmp_path):
    frame = pd.DataFrame(X, columns=NAMES)
    some = frame[frame["a"] > 0.1]
    assert 0 < len(some) < len(X)
    indexed = some.set_index([some.index] * len(names)).rename_axis(names)
    indexed.to_parquet(tmp_path / "some.parquet")
    frame.to_parquet(tmp_path / "all.parquet")  # its index only counts, and is no column
    estimator = BaseEstimator()
    rows = open_rows([tmp_path / "some.parquet", tmp_path / "all.parquet"])
    whole = read(estimator, rows, 8, min_samples=2)
    np.testing.assert_array_equal(whole, np.concatenate([some, X]))
    assert list(estimator.feature_names_in_) == NAMES


def test_files_that_cannot_be_one_table_are_refused(tmp_path):
    (good,) = parquet(tmp_path)
    (tmp_path / "other").mkdir()
    (other,) = parquet(tmp_path / "other", names=["a", "c", "b"])
    pq.write_table(pa.table({"a": [1.0], "word": ["one"]}), tmp_path / "words.parquet")
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n")
    for table, error, message in [
        (tmp_path / "none.parquet", FileNotFoundError, "none.parquet, but there is no such file"),
        (tmp_path, IsADirectoryError, "a folder; expected the paths of Parquet files"),
        (tmp_path / "text.parquet", ValueError, "text.parquet, which is no Parquet file"),
        (tmp_path / "words.parquet", ValueError, "column 'word' of .* holds string; expected num"),
        ([good, other], ValueError, r"has the columns \['a', 'c', 'b'\]; expected \['a', 'b'"),
    ]:
        with pytest.raises(error, match=message):
            open_rows(table)


def test_data_sets_that_are_no_tables_are_refused():
    rows = tf.data.Dataset.from_tensor_slices(X)
    for table, message in [
        (tf.data.Dataset.from_tensor_slices((X, X[:, 0])), "expected rows of shape"),
        (tf.data.Dataset.range(5), "expected rows of shape"),
        (rows.repeat(), "never ends"),
    ]:
        with pytest.raises(ValueError, match=message):
            open_rows(table)
    ragged = tf.data.Dataset.from_generator(
        lambda: iter([X[:, :2], X[:, :2], X]), output_signature=tf.TensorSpec((None, None))
    )
    for size in (30, 50):
        with pytest.raises(ValueError, match="X has 3 features from row 100 on, and 2 before"):
            blocks_of(ragged, size)


def test_a_data_set_of_keras_is_read_by_length_and_index():
    class InBatches(keras.utils.PyDataset):
        def __getitem__(self, i):
            return self.of(X[20 * i : 20 * (i + 1)])

    class Ending(InBatches):
        def __len__(self):
            return 3

    def data_set(kind, of):
        made = kind()
        made.of = of
        return made

    np.testing.assert_array_equal(np.concatenate(blocks_of(data_set(Ending, tf.constant), 8)), X)
    for kind, of, message in [
        (Ending, lambda x: (x, x[:, 0]), "whose elements are a tuple; .*, and no labels"),
        (Ending, lambda x: x[0], r"X\[0\] has shape \(3,\); expected rows"),
        (InBatches, lambda x: x, "InBatches that never ends"),
    ]:
        with pytest.raises(ValueError, match=message):
            blocks_of(data_set(kind, of), 8)


@pytest.mark.parametrize("form", [(None, 3), (3,)])
def test_a_data_set_that_gives_more_than_fits_is_taken_to_be_endless(form, monkeypatch):
    monkeypatch.setattr(arrays, "memory", lambda: 16 * 3 * X.size)

    def rows(times):
        rounds = range(times) if times else itertools.count()

        def elements():
            for _ in rounds:
                yield from [X] if len(form) > 1 else X  # batches, or rows

        return tf.data.Dataset.from_generator(elements, output_signature=tf.TensorSpec(form))

    for endless in (rows(None), rows(4)):
        with pytest.raises(ValueError, match=r"numbers, for which .*assert_cardinality\("):
            blocks_of(endless, 10)
    assert sum(map(len, blocks_of(rows(3), 10))) == 3 * len(X)
    n = 4 if len(form) > 1 else 4 * len(X)
    told = rows(4).apply(tf.data.experimental.assert_cardinality(n))
    assert sum(map(len, blocks_of(told, 10))) == 4 * len(X)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"gaal-alocc\[parquet\]"):
        open_rows(tmp_path / "some.parquet")


def test_no_rows_are_refused(tmp_path):
    none = X[:0]
    (path,) = parquet(tmp_path, none)
    for table in (none, pd.DataFrame(none), path, tf.data.Dataset.from_tensor_slices(none)):
        with pytest.raises(ValueError, match="0 sample"):
            blocks_of(table, 8)
