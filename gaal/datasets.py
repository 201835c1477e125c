"""The data sets of the GAAL paper and a synthetic look-alike, ADBench's, and readers of files.

The features of the twelve published sets are scaled to [0, 1].
"""

import functools
import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.utils import Bunch, check_random_state

from gaal import downloads
from gaal.adbench import ADBENCH, load_adbench
from gaal.tables import load_csv, load_table, make_bunch, open_file, parse

__all__ = [
    "ADBENCH",
    "DATA_URL",
    "PUBLISHED",
    "PublishedSet",
    "load_adbench",
    "load_csv",
    "load_dataset",
    "load_table",
    "make_onecluster",
]

#: Where the authors keep a set.
DATA_URL = (
    "https://raw.githubusercontent.com/leibinghe/GAAL-based-outlier-detection/"
    "b614cd36196c41b05e638dfc6f85f3a728a50a6e/Data/{name}"
)


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
#: The twelve sets of the paper by name.
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

    file = downloads.PublishedFile(
        name,
        name,
        DATA_URL.format(name=name),
        PUBLISHED[name].sha256,
        functools.partial(_read_published, name),
        "load_csv",
    )
    bunch = file.find(data_home)
    if bunch is None and name == "WDBC":
        bunch = _rebuild_wdbc()
    elif bunch is None:
        bunch = file.fetch(data_home, download)
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
    return make_bunch(
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


def _published_bunch(name: str, ids, target, data, **where) -> Bunch:
    """Make the Bunch of a published set, which is the same wherever the values came from."""
    entry = PUBLISHED[name]
    note = (
        "Features scaled to [0, 1]. Published settings: stop_epochs"
        f" {entry.so_stop_epochs} for SO-GAAL;\nstop_epochs {entry.mo_stop_epochs} and"
        f" k = {entry.k} for MO-GAAL.\n"
    )
    feature_names = load_breast_cancer().feature_names.tolist() if name == "WDBC" else None
    return make_bunch(name, ids, target, data, feature_names=feature_names, note=note, **where)


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


def _read_published(name: str, path: Path, source: str) -> Bunch:
    """Read a file of the published format."""
    with open_file(path) as file:
        ids, target, data = parse(file, path)
    return _published_bunch(name, ids, target, data, source=source, filename=path)
