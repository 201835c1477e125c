"""Only arrays, and what gives one, reach numpy; of everything else it is said what to do."""

import array
import datetime
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import tensorflow as tf

from gaal_alocc.arrays import as_array

X = np.arange(6.0).reshape(3, 2)


def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize(
    "make",
    [
        lambda: X,
        lambda: X.tolist(),
        lambda: tuple(map(tuple, X)),
        lambda: list(X),
        lambda: [pd.Series(row) for row in X],
        lambda: np.ma.array(X, mask=False),
        lambda: list(np.ma.array(X)),
        lambda: memoryview(X),
        lambda: [array.array("d", row) for row in X],
        lambda: tf.constant(X),
        lambda: tf.Variable(X),
        lambda: list(tf.constant(X)),
        lambda: tf.cast(X, tf.bfloat16),
        lambda: torch().tensor(X, requires_grad=True),
        lambda: torch().tensor(X, dtype=torch().bfloat16),
        lambda: [list(row) for row in torch().tensor(X, requires_grad=True)],
        lambda: pytest.importorskip("jax").numpy.asarray(X),
        lambda: pd.DataFrame(X),
        lambda: pa.table({"a": X[:, 0], "b": X[:, 1]}),
    ],
)
def test_array_likes_of_every_kind_become_the_array(make):
    found = as_array(make())
    assert type(found) is np.ndarray
    assert found.dtype in (np.float64, np.float32)
    np.testing.assert_array_equal(found, X)


def test_an_array_is_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", X)
    for one in (X, np.load(tmp_path / "x.npy", mmap_mode="r"), np.ma.array(X)):
        assert np.shares_memory(as_array(one), one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: iter([1, 2]), "X is of type list_iterator, which is read but once .* list(X)"),
        (lambda: (x for x in X), "X is of type generator, which is read but once"),
        (lambda: map(float, X), "X is of type map, which is read but once"),
        (lambda: iter(tf.data.Dataset.range(3)), "OwnedIterator, which is read but once"),
        (lambda: [X[0], (x for x in X)], "X[1] is of type generator"),
        (lambda: {"a": X, "b": X}, "dict, and holds 'a', 'b'; .* X['a'], or pandas.DataFrame(X)"),
        (lambda: {}, "dict, and holds nothing"),
        (lambda: {1, 2}, "X is of type set; expected an array, a list or tuple"),
        (lambda: None, "X is of type NoneType; expected an array"),
        (lambda: "rows.csv", "X is 'rows.csv'; expected an array: read the file first"),
        (lambda: scipy.sparse.csr_matrix(X), "csr_matrix; .* give X.toarray()"),
        (lambda: tf.ragged.constant([[1], [2, 3]]), "RaggedTensor; .* give X.to_tensor()"),
        (lambda: tf.sparse.from_dense(X), "SparseTensor; expected an array"),
        (lambda: pa.table({"a": [1]}).to_reader(), "RecordBatchReader; .* give X.read_all()"),
        (lambda: torch().tensor(X).to_sparse(), "torch.Tensor, of which numpy makes no array: "),
        (lambda: torch().utils.data.DataLoader(X), "DataLoader; expected an array"),
        (
            lambda: pytest.importorskip("polars").DataFrame({"a": [1]}).lazy(),
            "LazyFrame; .* give X.collect()",
        ),
    ],
)
def test_of_what_is_no_array_it_is_said_what_to_do(make, message):
    message = ".*".join(map(re.escape, message.split(" .* ")))
    with pytest.raises(TypeError, match=message) as error:
        as_array(make())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: np.ma.masked_equal(X, 3), "X[1][1]"),
        (lambda: np.ma.masked_equal(X.astype(int), 3), "X[1][1]"),
        (lambda: list(np.ma.masked_equal(X, 3)), "X[1][1]"),
        (lambda: [[1.0, 2.0], [3.0, np.ma.masked]], "X[1][1]"),
        (lambda: np.ma.masked_equal(np.zeros((2, 3, 4)), 0), "X[0][0][0]"),
    ],
)
def test_what_is_masked_is_refused_with_its_place(make, place):
    with pytest.raises(ValueError, match=rf"^{re.escape(place)} is masked, a missing value"):
        as_array(make())


def test_items_of_different_sizes_are_refused():
    for ragged in ([[1.0], [2.0, 3.0]], [np.zeros((2, 2)), np.zeros((2, 3))]):
        with pytest.raises(ValueError, match="X holds items of different sizes"):
            as_array(ragged)


def test_what_is_no_number_stays_as_it_is():
    dates = [datetime.date(2020, 1, 1), None]
    assert as_array(dates).tolist() == dates
    assert as_array([[1, pd.NA]]).dtype == object
    assert as_array(["a", "b"]).tolist() == ["a", "b"]
