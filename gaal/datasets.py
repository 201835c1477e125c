"""The data sets of the GAAL paper, a synthetic look-alike, and readers for files of their format.

The published files hold comma separated values without a header: an id, ``nor`` or ``out``, then
the features, scaled to [0, 1].
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.utils import Bunch, check_random_state

from gaal.labels import read_labels
from gaal_alocc.file_kinds import looks_like

DATA_URL = (
    "https://raw.githubusercontent.com/leibinghe/GAAL-based-outlier-detection/"
    "b614cd36196c41b05e638dfc6f85f3a728a50a6e/Data/{name}"
)
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


@dataclass(frozen=True)
class PublishedSet:
    """One published data set: its shape, its checksum and the published settings.

    ``outliers`` counts the rows labelled ``out``; ``so_stop_epochs``, ``mo_stop_epochs`` and
    ``k`` are the settings of SO-GAAL and MO-GAAL.
    """

    rows: int
    features: int
    outliers: int
    so_stop_epochs: int
    mo_stop_epochs: int
    sha256: str
    k: int = 10


# fmt: off
PUBLISHED: dict[str, PublishedSet] = {
    "Annthyroid": PublishedSet(
        7129, 21, 534, 22, 22, "32ae2d085cc646920eea878a3d5d67077dc84b81dadef343c13f002b2f5aeccc"),
    "Arrhythmia": PublishedSet(
        450, 259, 206, 70, 70, "24ecf9af7e67bafc5302ddb84af87a31f8818f4c057cce5bd56cf3ccf1c89565"),
    "Ionosphere": PublishedSet(
        351, 32, 126, 100, 300, "de3989653d307960c0632d857c33c2bfa4358974c74f2e7090c98e0be63411b8"),
    "PageBlocks": PublishedSet(
        5393, 10, 510, 28, 40, "b998278fd646f97111e064272cac91404bb83d5332431902d2bbf31a7d1a291a"),
    "PenDigits": PublishedSet(
        9868, 16, 20, 6, 9, "acfc8aaf8ef7db1f583d3712cf510a484541ee644441e053ff6b3d121a7bc2d8"),
    "Pima": PublishedSet(
        768, 8, 268, 200, 250, "d9569fbb961796af97b5792e673951865874496a24fbbcea21384956cfbf9781"),
    "Shuttle": PublishedSet(
        1013, 9, 13, 90, 120, "ae74ed84ae9f4e8a6d0070705ecc4928940b903abe3d9e4bf7dbe7e07bc58b91"),
    "SpamBase": PublishedSet(
        4207, 57, 1679, 40, 40, "efac9d2ca6d4717724da10ccb69e7899df5481fb900b61d6cbc4fa1f21e3a4c0"),
    "Stamps": PublishedSet(
        340, 9, 31, 200, 200, "0bff5a2dcd1ed9875bd0b54995bc2c1cbad9afce39e23657cfda61512020e73e"),
    "WDBC": PublishedSet(
        367, 30, 10, 200, 200, "ab746f5c82902f66b941c5612a5a521d7ba957a5a5ca2a2ef27618fe755a7b27"),
    "Waveform": PublishedSet(
        3443, 21, 100, 10, 30, "fb299d2fcc35d823cca44401600c9e3b703f239dc507a58bf4f8c4f765429d57"),
    "onecluster": PublishedSet(
        1000, 2, 20, 1000, 1500,
        "f8894f093be8a6fa27f51598cc98f38649e7aef668c980594b16dcd87e6e34d0"),
}
# fmt: on

WDBC_MALIGNANT_ROWS = (258, 255, 100, 302, 535, 77, 352, 34, 392, 82)
"""Rows of scikit-learn's breast cancer data that are the outliers of WDBC, in its order."""


def load_dataset(
    name: str,
    *,
    data_home: str | os.PathLike | None = None,
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load one of the twelve published data sets.

    The file is looked for in ``data_home``, in the folder named by the environment variable
    ``GAAL_DATA_HOME`` and in Keras's cache (``~/.keras/gaal``, or ``$KERAS_HOME/gaal``), then
    downloaded into that cache. Whatever is read has the published SHA-256. WDBC needs no file:
    it is rebuilt from scikit-learn's breast cancer data, equal to the published one to 5e-16.

    Parameters
    ----------
    name : str
        One of Annthyroid, Arrhythmia, Ionosphere, PageBlocks, PenDigits, Pima, Shuttle,
        SpamBase, Stamps, WDBC, Waveform, onecluster; upper and lower case are the same.
    data_home : path-like, default=None
        A folder that may hold the published files under their names.
    download : bool, default=True
        Whether to download a file that is found nowhere.
    return_X_y : bool, default=False
        Return ``(data, target)`` alone.

    Returns
    -------
    Bunch or tuple of (ndarray, ndarray)
        ``data``, float64 of shape (n, d), in [0, 1] (onecluster reaches 1.0025); ``target``,
        int of shape (n,), 1 for an outlier ("out") and 0 for an inlier ("nor"); ``ids`` of shape
        (n,), as published; ``target_names``; ``feature_names``; ``frame``, a DataFrame of id,
        label and features; ``DESCR``; ``filename``, the path of the file that was read or None;
        ``source``, where the data came from.

    Raises
    ------
    ValueError
        If there is no such data set, or a file that was found is not the published one.
    FileNotFoundError
        If the file is nowhere and ``download`` is False.
    OSError
        If the download fails, or what arrives is not the published file. Nothing of it is
        kept, and a file that was in the cache stays there.

    Examples
    --------
    >>> from gaal.datasets import load_dataset
    >>> wdbc = load_dataset("WDBC")
    >>> wdbc.data.shape, int(wdbc.target.sum())
    ((367, 30), 10)
    """
    names = {known.casefold(): known for known in PUBLISHED}
    if not isinstance(name, str) or name.casefold() not in names:
        raise ValueError(f"name={name!r} is no data set; expected one of {', '.join(PUBLISHED)}.")
    name = names[name.casefold()]

    # An empty GAAL_DATA_HOME counts as unset: it would mean the working directory.
    folders = [f for f in (data_home, os.environ.get("GAAL_DATA_HOME")) if f]
    candidates = [Path(os.path.expanduser(folder)) / name for folder in folders]
    path = next((path for path in candidates if path.is_file()), None)
    if path is not None:
        bunch = _load_published(name, path, source=f"the published file {path}")
    elif name == "WDBC":
        bunch = _rebuild_wdbc()
    else:
        bunch = _load_cached(name, candidates, download)
    return (bunch.data, bunch.target) if return_X_y else bunch


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
    with _open(path) as file:
        ids, target, data = _parse(file, path)
    bunch = _bunch(path.name, ids, target, data, source=f"the file {path}", filename=path)
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
    with _open(path) as file:
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


def make_onecluster(
    n_samples: int = 1000,
    n_outliers: int = 20,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make a synthetic look-alike of onecluster: one round cluster, and outliers around it.

    The inliers are normal around (0.5, 0.5) with a standard deviation of 0.0505, none farther
    than 0.17 from there; the outliers are uniform between the distances 0.19 and 0.57, within
    the unit square. These are the moments and the ranges of the published points.

    Parameters
    ----------
    n_samples : int, default=1000
        n, all points, at least 2.
    n_outliers : int, default=20
        How many of them are outliers, less than n.
    random_state : int, RandomState instance or None, default=None
        Seed of the points.

    Returns
    -------
    Bunch
        As from :func:`load_dataset`, inliers first, ids from 1.

    Raises
    ------
    ValueError
        If a count is not a whole number in its range.
    """
    _check_count("n_samples", n_samples, 2, None)
    _check_count("n_outliers", n_outliers, 0, n_samples - 1)
    rng = check_random_state(random_state)

    def sample(n: int, draw, nearest: float, farthest: float) -> np.ndarray:
        points = np.empty((0, 2))
        while len(points) < n:
            new = draw(2 * n)
            distance = np.hypot(*(new - 0.5).T)
            points = np.vstack([points, new[(distance >= nearest) & (distance <= farthest)]])
        return points[:n]

    inliers = sample(n_samples - n_outliers, lambda n: rng.normal(0.5, 0.0505, (n, 2)), 0, 0.17)
    outliers = sample(n_outliers, lambda n: rng.uniform(0, 1, (n, 2)), 0.19, 0.57)
    target = np.repeat([0, 1], [len(inliers), len(outliers)])
    return _bunch(
        "onecluster, synthetic",
        np.arange(1, n_samples + 1),
        target,
        np.vstack([inliers, outliers]),
        source=f"gaal.datasets.make_onecluster(random_state={random_state!r}), a synthetic"
        " look-alike of the published onecluster",
    )


def _check_count(name: str, value: int, low: int, high: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name}={value!r}; expected a whole number.")
    if value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name}={value}; expected {limits}.")


def _bunch(
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


def _published_bunch(name: str, ids, target, data, **where) -> Bunch:
    """Make the Bunch of a published set, which is the same wherever the values came from."""
    entry = PUBLISHED[name]
    note = (
        "Features scaled to [0, 1]. Published settings: stop_epochs"
        f" {entry.so_stop_epochs} for SO-GAAL;\nstop_epochs {entry.mo_stop_epochs} and"
        f" k = {entry.k} for MO-GAAL.\n"
    )
    feature_names = load_breast_cancer().feature_names.tolist() if name == "WDBC" else None
    return _bunch(name, ids, target, data, feature_names=feature_names, note=note, **where)


def _rebuild_wdbc() -> Bunch:
    cancer = load_breast_cancer()
    benign = np.flatnonzero(cancer.target == 1)
    rows = np.concatenate([WDBC_MALIGNANT_ROWS, benign])
    data = cancer.data[rows]
    low, high = data.min(axis=0), data.max(axis=0)
    return _published_bunch(
        "WDBC",
        rows + 1,
        (cancer.target[rows] == 0).astype(np.int64),
        (data - low) / (high - low),
        source="sklearn.datasets.load_breast_cancer: all 357 benign rows and the ten malignant"
        " rows\nthat were published, min-max scaled over these 367 rows; id = row index + 1",
    )


def _load_published(name: str, path: Path, source: str) -> Bunch:
    """Read a file after checking that it is the published one."""
    with _open(path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        expected = PUBLISHED[name].sha256
        if found != expected:
            raise ValueError(
                f"{path} is not the published {name}: its SHA-256 is {found}, expected"
                f" {expected}. Remove it to have it downloaded, or read it by its path (load_csv,"
                " --path)."
            )
        file.seek(0)
        ids, target, data = _parse(file, path)
    return _published_bunch(name, ids, target, data, source=source, filename=path)


def _load_cached(name: str, candidates: Sequence[Path], download: bool) -> Bunch:
    cache = Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")) / "gaal"
    path = cache / name
    url = DATA_URL.format(name=name)
    source = f"{url}, cached as {path}"
    if path.is_file():
        try:
            return _load_published(name, path, source)
        except ValueError:
            if not download:
                raise
    elif not download:
        looked = ", ".join(str(p) for p in [*candidates, path])
        raise FileNotFoundError(
            f"{name} is not at hand and download=False; looked for {looked}. Get it from {url}."
        )
    _download(name, url, path)
    return _load_published(name, path, source)


def _download(name: str, url: str, path: Path) -> None:
    """Replace ``path`` by a fresh download, once that has arrived and been checked."""
    import keras  # takes seconds, and only a download needs it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # get_file removes or overwrites what is at its target when it fails: give it another.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=path.parent) as folder:
            fresh = keras.utils.get_file(
                name,
                url,
                cache_dir=folder,
                cache_subdir="",
                file_hash=PUBLISHED[name].sha256,
                hash_algorithm="sha256",
            )
            os.replace(fresh, path)
    except Exception as error:  # get_file raises a bare Exception
        kept = f" {path} was left as it was." if path.exists() else ""
        raise OSError(
            f"Could not download the data set {name} from {url} to {path}: {error}{kept}"
        ) from error


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.open("rb")


def _load_npz(path: Path) -> Bunch:
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
        X = archive[found["X"][0]]
        y = archive[found["y"][0]] if found["y"] else None
    return _from_arrays(path, X, y, "y")


def _load_npy(path: Path) -> Bunch:
    with _numpy_file(path) as X:
        if X.dtype.names is not None:
            return _load_records(path, X)
        beside = path.with_name(f"y{path.name[1:]}")
        if path.name[0] not in "Xx" or not beside.is_file():
            return _from_arrays(path, X, None, None)
    with _numpy_file(beside) as y:
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


def _from_arrays(
    path: Path,
    X: np.ndarray,
    y,
    labels_from: str | None,
    names: Sequence[str] | None = None,
    ids: np.ndarray | None = None,
) -> Bunch:
    """Check rows and labels, and make a Bunch of them."""
    if X.ndim != 2:
        raise ValueError(f"{path}: X has the shape {X.shape}; expected rows and columns.")
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{path}: X holds {X.dtype}; expected numbers.")
    if len(X) < 2 or X.shape[1] < 1:
        raise ValueError(
            f"{path}: X has {len(X)} rows and {X.shape[1]} features; expected at least two rows"
            " and one feature."
        )
    data = np.ascontiguousarray(X, np.float64)
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        row, column = bad[0]
        what = "NaN" if np.isnan(data[row, column]) else "infinity"
        where = f"column {names[column]!r}" if names else f"column {column}"
        raise ValueError(
            f"{path}: X holds {what} in row {row}, {where} (counted from 0);"
            " expected finite numbers."
        )
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
    bunch = _bunch(
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


def _parse(file: BinaryIO, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
