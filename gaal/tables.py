"""Tables in files: text of the published format, numpy, Parquet, told apart by their first bytes.

The published files hold comma separated values without a header: an id, ``nor`` or ``out``, then
the features.
"""

import contextlib
import csv
import io
import math
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from gaal.labels import read_labels
from gaal_alocc.file_kinds import looks_like
from gaal_alocc.files import EXACTLY

LABELS = ("nor", "out")
SEPARATORS = {";": "semicolons", "\t": "tabs", " ": "spaces"}  # of files in other formats
LABEL_COLUMNS = ("y", "label", "outlier", "is_outlier", "anomaly", "is_anomaly", "class", "target")
PARQUET_BLOCK = 2**16  # rows read at a time
PROTOCOL = """\
Protocol
--------
GAAL is unsupervised: a detector is trained on all rows, outliers among them, and scored on the
same rows. The labels are only monitored, as ROC AUC; nothing is learned from them.

Reference
---------
Liu et al., "Generative Adversarial Active Learning for Unsupervised Outlier Detection",
IEEE TKDE 2019, arXiv:1809.10816.
"""


def load_csv(
    path: str | os.PathLike, *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load a file of the published format.

    Parameters
    ----------
    path : path-like
        Comma separated values without a header: an id, ``nor`` or ``out``, and one or more
        features, which are finite numbers. Values may be quoted, empty lines are skipped.
    return_X_y : bool, default=False
        Return ``(data, target)`` alone.

    Returns
    -------
    Bunch or tuple of (ndarray, ndarray)
        As from :func:`load_dataset`. ``ids`` are int64 where all of them are whole numbers,
        and text otherwise.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds fewer than two rows, rows of different lengths, another label, or
        features that are text, missing, NaN or infinite. The file and the line are named.
    """
    path = Path(os.path.expanduser(path))
    with open_file(path) as file:
        ids, target, data = parse(file, path)
    bunch = make_bunch(path.name, ids, target, data, source=f"the file {path}", filename=path)
    return (bunch.data, bunch.target) if return_X_y else bunch


def load_table(
    path: str | os.PathLike, *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray | None]:
    """Load a table from a file of any of the kinds that are told apart by their first bytes.

    Parameters
    ----------
    path : path-like
        - Text of the published format, see :func:`load_csv`.
        - A numpy archive (.npz) with ``X`` of shape (n, d), and ``y`` of shape (n,) or none, as
          ADBench lays out its data sets.
        - A numpy array (.npy) of shape (n, d), without labels unless the file is named ``X``
          and something and one named ``y`` and the same lies beside it; or a record array.
        - A Parquet file.

        In records and Parquet files the column that is called y, label, outlier, is_outlier,
        anomaly, is_anomaly, class or target (in whatever case) holds the labels, the column id
        the ids, and all others are features.
    return_X_y : bool, default=False
        Return ``(data, target)`` alone.

    Returns
    -------
    Bunch or tuple of (ndarray, ndarray or None)
        As from :func:`load_dataset`. ``target`` is None where there are no labels, or none
        that tell outliers from inliers, see :func:`gaal.labels.read_labels`; ``frame`` then
        has no column label. ``labels_from`` tells where the labels stood, None for none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it is a Parquet file and pyarrow is not installed.
    ValueError
        If the file is of another kind, which is named with what reads it, or what it holds is
        no table of finite numbers. Nothing is unpickled.

    Warns
    -----
    UserWarning
        If there are labels that do not tell outliers from inliers.
    """
    path = Path(os.path.expanduser(path))
    with open_file(path) as file:
        head = file.read(6)
    if head.startswith(b"\x93NUMPY"):
        bunch = _load_npy(path)
    elif head.startswith(b"PAR1"):
        bunch = _load_parquet(path)
    elif head.startswith(b"PK") and "npz" in (looks_like(path) or ("",))[0]:
        bunch = _load_npz(path)
    else:
        bunch = load_csv(path)
        bunch.labels_from = "column 2"
    return (bunch.data, bunch.target) if return_X_y else bunch


def make_bunch(
    name: str,
    ids: np.ndarray,
    target: np.ndarray | None,
    data: np.ndarray,
    *,
    source: str,
    filename: Path | None = None,
    feature_names: Sequence[str] | None = None,
    note: str = "",
) -> Bunch:
    """Make what loaders return: rows and labels, alone and as one DataFrame, and words on them."""
    n, n_features = data.shape
    if feature_names is None:
        feature_names = [f"x{i}" for i in range(n_features)]
    id_and_label = pd.DataFrame({"id": ids})
    outliers = "no labels"
    if target is not None:
        id_and_label["label"] = np.array(LABELS, dtype=object)[target]
        outliers = f"{target.sum()} outliers"
    features = pd.DataFrame(data, columns=list(feature_names), copy=True)
    description = (
        f"{name}: {n} rows, {n_features} features, {outliers}\n\n"
        f"Source: {source}.\n{note}\n{PROTOCOL}"
    )
    return Bunch(
        data=data,
        target=target,
        ids=ids,
        target_names=list(LABELS),
        feature_names=list(feature_names),
        frame=pd.concat([id_and_label, features], axis=1),
        DESCR=description,
        filename=None if filename is None else str(filename),
        source=source,
    )


def open_file(path: Path) -> BinaryIO:
    """Open a file to read; an error says what is not there, or is a folder."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.open("rb")


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the arrays X and y of an archive, as they come; y may be missing."""
    with _numpy_file(path) as archive:
        names = archive.files
        found = {name: [n for n in names if n.casefold() == name.casefold()] for name in "Xy"}
        if {"format", "shape", "data"} <= set(names):
            raise ValueError(
                f"{path} holds a sparse matrix of scipy; expected the arrays X and y: numpy.savez"
                " writes X=scipy.sparse.load_npz(...).toarray()."
            )
        if len(found["X"]) != 1 or len(found["y"]) > 1:
            raise ValueError(
                f"{path} holds the arrays {', '.join(names)}; expected X, the rows, and y, their"
                " labels, if there are any."
            )
        of_labels = {
            *LABEL_COLUMNS,
            *(f"{name}s" for name in LABEL_COLUMNS),
            "classes",
            "anomalies",
        }
        labels = [name for name in names if name.casefold() in of_labels]
        if labels and not found["y"]:
            raise ValueError(
                f"{path} holds the arrays {', '.join(names)}; expected the labels in y:"
                f" numpy.savez writes X=archive['X'], y=archive[{labels[0]!r}]."
            )
        return archive[found["X"][0]], archive[found["y"][0]] if found["y"] else None


def _load_npz(path: Path) -> Bunch:
    return _from_arrays(path, *read_npz(path), "y")


def _load_npy(path: Path) -> Bunch:
    with _numpy_file(path) as X:
        if X.dtype.names is not None:
            return _load_records(path, X)
        beside = path.with_name(f"y{path.name[1:]}")
        if path.name[0] not in "Xx" or not beside.is_file():
            return _from_arrays(path, X, None, None)
    with _numpy_file(beside) as y:
        pass  # it is read; what follows speaks of both
    return _from_arrays(path, X, y, beside.name)


def _load_records(path: Path, records: np.ndarray) -> Bunch:
    names = records.dtype.names
    if {"X", "y"} == set(names):  # rows and labels in one array
        return _from_arrays(path, records["X"], records["y"], "y")
    label, id_ = _special_columns(path, names)
    features = [name for name in names if name not in (label, id_)]
    for name in features:
        if records.dtype[name].kind not in "biuf":
            raise ValueError(
                f"{path}: the column {name!r} holds {records.dtype[name]}; expected numbers."
            )
    X = np.column_stack([np.empty((len(records), 0)), *(records[name] for name in features)])
    y = None if label is None else records[label]
    label = None if label is None else f"column {label!r}"
    return _from_arrays(path, X, y, label, features, None if id_ is None else records[id_])


def _load_parquet(path: Path) -> Bunch:
    from gaal_alocc import rows

    names = []
    try:
        import pyarrow.parquet as pq
    except ImportError:
        pass  # open_parquet tells what to install
    else:
        with contextlib.suppress(ValueError):  # which open_parquet tells with the file's name
            names = pq.read_schema(path).names
    label, id_ = _special_columns(path, names)
    special = [name for name in (label, id_) if name is not None]
    table = rows.open_parquet([path], leave_out=special)
    X = pd.concat(table.blocks(PARQUET_BLOCK))
    others = pd.read_parquet(path, columns=special).reset_index()
    y = None if label is None else others[label]
    label = None if label is None else f"column {label!r}"
    ids = None if id_ is None else others[id_].to_numpy()
    return _from_arrays(path, X.to_numpy(), y, label, list(X.columns), ids)


def _special_columns(path: Path, names: Sequence[str]) -> tuple[str | None, str | None]:
    """Find the column of labels, and that of ids."""
    labels = [name for name in names if name.casefold() in LABEL_COLUMNS]
    ids = [name for name in names if name.casefold() == "id"]
    if len(labels) > 1 or len(ids) > 1:
        raise ValueError(
            f"{path}: the columns {', '.join(map(repr, labels if len(labels) > 1 else ids))} may"
            " each be that of the labels or ids; expected one of them."
        )
    return (labels or [None])[0], (ids or [None])[0]


@contextlib.contextmanager
def _numpy_file(path: Path) -> Iterator:
    """Open a file of numpy, and name it where it does not hold what it says."""
    try:
        opened = np.load(path, allow_pickle=False)
        with opened if hasattr(opened, "close") else contextlib.nullcontext(opened) as content:
            yield content
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        if str(path) in str(error):
            raise
        if "allow_pickle" in str(error):
            error = "it holds Python objects, which are not unpickled; expected numbers"
        raise ValueError(f"{path} cannot be read: {error}.") from None


def check_rows(path: Path, X: np.ndarray, names: Sequence[str] | None = None, dtype=np.float64):
    """Check that rows are finite numbers; give them row by row in memory, of a dtype or theirs."""
    if X.ndim != 2:
        raise ValueError(f"{path}: X has the shape {X.shape}; expected rows and columns.")
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{path}: X holds {X.dtype}; expected numbers.")
    if len(X) < 2 or X.shape[1] < 1:
        raise ValueError(
            f"{path}: X has {len(X)} rows and {X.shape[1]} features; expected at least two rows"
            " and one feature."
        )
    data = np.ascontiguousarray(X, dtype)
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        row, column = bad[0]
        what = "NaN" if np.isnan(data[row, column]) else "infinity"
        where = f"column {names[column]!r}" if names else f"column {column}"
        raise ValueError(
            f"{path}: X holds {what} in row {row}, {where} (counted from 0);"
            " expected finite numbers."
        )
    return data


def _from_arrays(
    path: Path,
    X: np.ndarray,
    y,
    labels_from: str | None,
    names: Sequence[str] | None = None,
    ids: np.ndarray | None = None,
) -> Bunch:
    """Check rows and labels, and make a Bunch of them."""
    data = check_rows(path, X, names)
    target = None
    if y is None:
        labels_from = None
    else:
        if np.shape(y) not in {(len(X),), (len(X), 1)}:
            raise ValueError(
                f"{path}: {labels_from} has the shape {np.shape(y)}; expected {len(X)} labels, as"
                " many as rows."
            )
        is_outlier, problem, _ = read_labels(y, str(labels_from))
        if problem:
            warnings.warn(
                f"{path}: {problem}"
                + (" There is no AUC until the file has them." if is_outlier is None else ""),
                stacklevel=4,
            )
        if is_outlier is None:
            labels_from = None
        else:
            target = is_outlier.astype(np.int64)
    bunch = make_bunch(
        path.name,
        np.arange(len(X)) if ids is None else np.asarray(ids),
        target,
        data,
        source=f"the file {path}",
        filename=path,
        feature_names=names,
    )
    bunch.labels_from = labels_from
    return bunch


def parse(file: BinaryIO, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read ids, target and data of the published format.

    pandas reads fast but does not say where a bad value stands: only when something is wrong
    is the file read once more, row by row.
    """
    try:
        table = pd.read_csv(
            file,
            header=None,
            dtype={0: str, 1: str},
            na_filter=False,
            skipinitialspace=True,
            low_memory=False,
            **EXACTLY,
        )
        labels = table.pop(1).str.strip()
        ids = table.pop(0)
        numeric = table.shape[1] > 0 and all(dtype.kind in "iuf" for dtype in table.dtypes)
        good = numeric and len(table) >= 2 and labels.isin(LABELS).all()
        data = table.to_numpy(np.float64) if good else np.empty(0)
        good = good and bool(np.isfinite(data).all())
    except (ValueError, KeyError) as error:
        raise _what_is_wrong(file, path) from error
    if not good:
        raise _what_is_wrong(file, path)
    try:
        ids = ids.astype(np.int64).to_numpy()
    except (ValueError, OverflowError):
        ids = ids.to_numpy(object)
    target = (labels == "out").to_numpy(np.int64)
    return ids, target, np.ascontiguousarray(data)


def _what_is_wrong(file: BinaryIO, path: Path) -> ValueError:
    """Find the first line that is not of the published format."""
    kind = looks_like(path)
    if kind is not None:
        return _of_another_kind(path, *kind)
    file.seek(0)
    lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.reader(lines, skipinitialspace=True, strict=True)
    expected = "expected an id, 'nor' or 'out' and one or more features, separated by commas"
    n_rows = width = 0
    try:
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            where = f"{path}, line {reader.line_num}"
            n_rows += 1
            if len(row) < 3:
                other = next((c for c in SEPARATORS if c in "".join(row)), None)
                found = f" (separated by {SEPARATORS[other]}?)" if other else ""
                return ValueError(f"{where}: {len(row)} value(s){found}; {expected}.")
            width = width or len(row)
            if len(row) != width:
                return ValueError(
                    f"{where}: {len(row)} value(s); expected {width}, as in the first row."
                )
            if row[1].strip() not in LABELS:
                header = " (the format has no header)" if n_rows == 1 else ""
                header += "; a table with another layout is taken as Parquet, or .npz with X and y"
                return ValueError(
                    f"{where}: the label is {row[1]!r}; expected 'nor' or 'out'{header}."
                )
            for i, value in enumerate(row[2:], 3):
                if not _is_finite_number(value):
                    return ValueError(
                        f"{where}: column {i} holds {value!r}; expected a finite number."
                    )
    except (UnicodeDecodeError, csv.Error) as error:
        return ValueError(f"{path}, after line {reader.line_num}: {error}; {expected}.")
    finally:
        lines.detach()  # or it would close the file
    if n_rows == 0:
        return ValueError(f"{path} is empty; {expected}.")
    if n_rows == 1:
        return ValueError(f"{path} holds only one row; expected at least two.")
    return ValueError(f"{path} cannot be read as numbers; {expected}.")


def _of_another_kind(path: Path, what: str, how: str) -> ValueError:
    text = f"{path} looks like {what}"
    if what.endswith((".npy)", ".npz)")) or "Parquet" in what:
        return ValueError(f"{text}; expected text. gaal.datasets.load_table takes it.")
    if how.endswith(" reads"):
        return ValueError(
            f"{text}, which {how}. Write its rows and labels by"
            " numpy.savez('data.npz', X=..., y=...), and give that."
        )
    remedy = f", which {how}: give what comes of it" if how else ""
    return ValueError(
        f"{text}{remedy}; expected a table: text of the published format, .npz, .npy or Parquet."
    )


def _is_finite_number(text: str) -> bool:
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False
