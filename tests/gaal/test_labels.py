"""Labels in the spellings in which they come, and what is said of the others."""

import io
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import arff

from gaal.labels import SPELLINGS, read_labels

Y = np.array([0, 0, 1, 0, 1, 0, 0], bool)


def coded(inlier, outlier, dtype=None):
    return np.array([inlier, outlier], dtype)[Y.astype(int)]


ARFF = """% of a benchmark
@RELATION points
@ATTRIBUTE x real
@ATTRIBUTE 'outlier' {'yes','no'}
@DATA
"""


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y.tolist(),
        coded(0, 1),
        coded(0.0, 1.0),
        coded(0, 1, np.uint8),
        coded("0", "1"),
        coded("0.0", "1.0"),
        coded("nor", "out"),
        coded("Inlier", "Outlier"),
        coded("normal", " Anomaly"),
        coded(False, True, object),
        coded("False", "True"),
        coded(1, -1),
        coded(1.0, -1.0),
        coded("1", "-1"),
        coded(b"nor", b"out"),
        coded(b"no", b"yes"),
        coded(b"inlier", b"outlier"),
        coded(b"0", b"1"),
        coded(b"0", b"1").astype(object),
        [np.bool_(label) for label in Y],
        [0, "nor", 1, False, "out", 0.0, "0"],
        coded(0, 1)[:, None],
        pd.Series(coded(0, 1), index=np.arange(7)[::-1]),
        pd.Series(coded(0, 1), dtype="Int64"),
        pd.Series(Y, dtype="boolean"),
        pd.Series(coded("nor", "out"), dtype="string"),
        pd.Series(coded("nor", "out"), dtype="category"),
        pd.Categorical(coded(1, -1)),
        pd.DataFrame({"y": coded(0, 1)}),
        np.ma.array(coded(0, 1), mask=False),
        tf.constant(coded(0, 1)),
        tf.constant(coded("nor", "out")),
        pa.chunked_array([coded(0, 1)]),
    ],
)
def test_labels_of_every_kind_are_read_without_a_word(y):
    is_outlier, *remarks = read_labels(y)
    np.testing.assert_array_equal(is_outlier, Y)
    assert is_outlier.dtype == bool
    assert remarks == ["", ""]


def test_labels_of_arff_files_are_read():
    rows = "".join(f"0.5,'{'yes' if outlier else 'no'}'\n" for outlier in Y)
    data, _ = arff.loadarff(io.StringIO(ARFF + rows))
    assert data["outlier"].dtype.kind == "S"
    for y in (data["outlier"], pd.DataFrame(data)["outlier"]):
        is_outlier, *remarks = read_labels(y)
        np.testing.assert_array_equal(is_outlier, Y)
        assert remarks == ["", ""]


def test_an_answer_is_read_and_it_is_told_how():
    is_outlier, problem, remedy = read_labels(coded("no", "Yes"))
    np.testing.assert_array_equal(is_outlier, Y)
    assert problem == "y holds the labels 'Yes', 'no': 'Yes' is taken for an outlier."
    assert remedy == 'Give y == "Yes" to say so, or != for the contrary.'


@pytest.mark.parametrize(
    ("y", "labels", "remedy"),
    [
        (coded("benign", "malignant"), "'benign', 'malignant'", 'Give y == "malignant", if'),
        (coded(b"ok", b"broken"), "b'broken', b'ok'", 'Give y == b"broken", if'),
        (coded("2", "4"), "'2', '4'", 'Give y == "4", if'),
        (coded(2, 4), "2, 4", "Give y == 4, if"),
        (coded("normal", "attack"), "'attack', 'normal'", 'Give y != "normal";'),
        (coded("fine", "outlier"), "'fine', 'outlier'", 'Give y == "outlier";'),
        ([-1, 0, 1, 1], "-1, 0, 1", "Give y == -1, if"),
        (["no", "yes", "maybe"], "'maybe', 'no', 'yes'", "Give y =="),
        (["a", 1, 2], "'1', '2', 'a'", 'Give y == "1";'),
    ],
)
def test_of_other_labels_it_is_said_how_to_code_them(y, labels, remedy):
    is_outlier, problem, found = read_labels(y, "y")
    assert is_outlier is None
    assert problem.startswith(f"y holds the labels {labels}; expected 1 or 'out' for an outlier")
    assert remedy in found
    # What it gives as code runs, and tells both kinds apart.
    code = re.search(r'for scoring="roc_auc" (np\.where\(.*\))\.$', found)[1]
    assert set(eval(code, {"np": np, "y": np.asarray(y)})) == {-1, 1}


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (np.array([0, 1], "M8[ns]"), "'1970-01-01T00:00:00.000000000', "),
        (np.array([0, 1], "m8[ns]"), "'0 nanoseconds', '1 nanoseconds'"),
        (np.array([0, 1j]), "'0j', '1j'"),
    ],
)
def test_dates_and_complex_numbers_are_no_labels(y, labels):
    is_outlier, problem, _ = read_labels(y)
    assert is_outlier is None
    assert problem.startswith(f"y holds the labels {labels}")


def test_what_is_no_array_is_refused_as_labels():
    for y, message in [({"y": Y}, r"y is of type dict.*give y\['y'\]"), (iter(Y), "y is of type")]:
        with pytest.raises(TypeError, match=message):
            read_labels(y)


def test_of_many_labels_the_first_are_told():
    is_outlier, problem, remedy = read_labels(np.linspace(0, 1, 100))
    assert is_outlier is None
    assert "and 95 more; expected" in problem
    assert remedy == ""


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0, np.nan, 1],
        [0, 1, 0, None, 1],
        ["nor", "out", "nor", np.nan, "out"],
        ["nor", "out", "nor", "", "out"],
        [b"no", b"yes", b"no", b"?", b"no"],
        pd.array([0, 1, 0, pd.NA, 1], dtype="Int64"),
        pd.array([False, True, False, pd.NA, True], dtype="boolean"),
        pd.array(["nor", "out", "nor", pd.NA, "out"], dtype="string"),
        pd.Series([0, 1, 0, pd.NA, 1], dtype=object),
        pd.Categorical(["nor", "out", "nor", None, "out"]),
        np.ma.array([0, 1, 0, 0, 1], mask=[0, 0, 0, 1, 0]),
        np.ma.array(["nor", "out", "nor", "nor", "out"], mask=[0, 0, 0, 1, 0]),
        [0, 1, 0, np.ma.masked, 1],
        pa.array([0, 1, 0, None, 1]),
    ],
)
def test_missing_labels_are_told_by_their_row(y):
    is_outlier, problem, _ = read_labels(y, "y")
    assert is_outlier is None
    assert "y has no label in 1 of 5 rows, the first of them row 3" in problem


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(SPELLINGS)), min_size=1, max_size=20))
def test_every_row_is_read_by_itself(y):
    """Labels do not depend on their neighbours, where neither -1 nor an answer is among them."""
    y = np.array(y, object)
    np.testing.assert_array_equal(
        read_labels(y)[0], np.concatenate([read_labels(y[i : i + 1])[0] for i in range(len(y))])
    )
