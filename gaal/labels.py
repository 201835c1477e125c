"""Which rows are outliers, read from labels in the spellings in which they come."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from gaal_alocc.arrays import as_array

SPELLINGS = {
    0: False, "nor": False, "normal": False, "inlier": False, "false": False,
    1: True, "out": True, "anomaly": True, "outlier": True, "true": True,
}  # fmt: skip
ANSWERS = {"no": False, "yes": True}  # to a question that is not in y
MISSING = ("", "?", "nan", "none", "<na>")  # what missing labels become in arrays of text
SHOWN = 5
EXPECTED = (
    "expected 1 or 'out' for an outlier and 0 or 'nor' for an inlier, or -1 for an outlier and 1"
    " for an inlier, as IsolationForest predicts"
)


def read_labels(y, name: str = "y") -> tuple[np.ndarray | None, str, str]:
    """Read labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        1, True, "out", "outlier" or "anomaly" for an outlier and 0, False, "nor", "normal" or
        "inlier" for an inlier, whatever their case; or -1 for an outlier and 1 for an inlier,
        as scikit-learn's outlier detectors predict. Numbers may be of any type, or text. "yes"
        and "no" are answers: is it an outlier? Bytes are as text, as
        ``scipy.io.arff.loadarff`` reads it.
    name : str, default="y"
        What to call it.

    Returns
    -------
    is_outlier : ndarray of bool, shape (n,), or None
        None where the labels do not tell.
    problem : str
        A sentence: what is wrong with them, or how they were taken where that may be wrong;
        else empty.
    remedy : str
        A sentence: how to mend it, in Python; or empty.

    Raises
    ------
    TypeError
        If y is no array-like, see :func:`gaal_alocc.arrays.as_array`.
    ValueError
        If y is no column.
    """
    if isinstance(y, list | tuple):
        y = [None if label is np.ma.masked else label for label in y]
    elif isinstance(y, np.ma.MaskedArray):
        y = np.array(y.tolist(), object)  # None where it is masked
    labels = as_array(y, name)
    labels = labels.astype(str) if labels.dtype.kind in "mMc" else labels  # shown, not counted
    labels = column_or_1d(labels).tolist()
    plain = [_plain(label) for label in labels]
    missing = [row for row, label in enumerate(plain) if label is None]
    if missing:
        problem = (
            f"{name} has no label in {len(missing)} of {len(plain)} rows, the first of them row"
            f" {missing[0]} (counted from 0)."
        )
        return None, problem, f"Leave out these rows, or {name}."
    kinds = dict(zip(plain, labels))  # as they were written
    if -1 in kinds and kinds.keys() <= {-1, 1}:
        return np.array([label == -1 for label in plain], bool), "", ""
    spellings = {**SPELLINGS, **ANSWERS} if kinds.keys() <= ANSWERS.keys() else SPELLINGS
    if not kinds.keys() <= spellings.keys():
        problem = f"{name} holds the labels {_listed(kinds.values())}; {EXPECTED}."
        return None, problem, _remedy(plain, kinds, name)
    problem = remedy = ""
    if isinstance(kinds.get("yes"), str):  # bytes come from ARFF files, where it is the rule
        problem = (
            f"{name} holds the labels {_listed(kinds.values())}: {kinds['yes']!r} is taken for an"
            " outlier."
        )
        remedy = f"Give {name} == {_literal(kinds['yes'])} to say so, or != for the contrary."
    return np.array([spellings[label] for label in plain], bool), problem, remedy


def _plain(label: Any) -> float | str | None:
    """Give one label as a number where it is one, or as text; None for a missing one."""
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, str):
        text = label.strip(" '\"").casefold()
        try:
            label = float(text)
        except ValueError:
            return None if text in MISSING else text
    if label is None or label is pd.NA or label is pd.NaT:
        return None
    try:
        number = float(label)
    except (TypeError, ValueError):
        return repr(label)
    return None if math.isnan(number) else number


def _remedy(plain: list, kinds: dict, name: str) -> str:
    """Say how to make labels of others, where there is a handful of them."""
    inliers = [kind for kind in kinds if SPELLINGS.get(kind) is False]
    outliers = [kind for kind in kinds if SPELLINGS.get(kind) is True]
    words = any(isinstance(kind, str) for kind in kinds)
    condition = ""
    if words and len(inliers) == 1 and not outliers:
        mask = f"{name} != {_literal(kinds[inliers[0]])}"
    elif words and len(outliers) == 1 and not inliers:
        mask = f"{name} == {_literal(kinds[outliers[0]])}"
    elif len(kinds) > 2 * SHOWN:
        return ""
    else:
        counts = Counter(kind for kind in plain if kind not in SPELLINGS)
        mask = f"{name} == {_literal(kinds[min(counts, key=counts.get)])}"
        condition = ", if those are the outliers"
    return f'Give {mask}{condition}; for scoring="roc_auc" np.where({mask}, -1, 1).'


def _literal(label: Any) -> str:
    if isinstance(label, bytes):
        return f"b{_literal(label.decode('utf-8', 'backslashreplace'))}"
    return json.dumps(label, ensure_ascii=False) if isinstance(label, str) else repr(label)


def _listed(labels: Iterable) -> str:
    labels = list(labels)
    numbers = sorted(label for label in labels if isinstance(label, int | float))
    others = sorted((label for label in labels if not isinstance(label, int | float)), key=str)
    labels = [*numbers, *others]
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(map(repr, labels[:SHOWN])) + more
