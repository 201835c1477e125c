"""The 47 classical data sets of ADBench, the benchmark of tabular outlier detection.

Han et al., "ADBench: Anomaly Detection Benchmark", NeurIPS 2022 (arXiv:2206.09426).
"""

import csv
import functools
import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch

from gaal import downloads, tables

ADBENCH_URL = (
    "https://raw.githubusercontent.com/Minqi824/ADBench/"
    "f7fed68dea6901fe9a81ed51b251b1d2456790cd/adbench/datasets/Classical/{name}.npz"
)


@dataclass(frozen=True)
class ADBenchSet:
    """One data set, as ADBench's table of them has it, and its checksum where it is known."""

    rows: int
    features: int
    outliers: int
    sha256: str | None = None


def _sets() -> dict[str, ADBenchSet]:
    with Path(__file__).with_suffix(".csv").open(encoding="ascii", newline="") as file:
        rows = csv.reader(file)
        next(rows)  # the header
        return {name: ADBenchSet(*map(int, n), sha256 or None) for name, *n, sha256 in rows}


#: The 47 sets by name.
ADBENCH: dict[str, ADBenchSet] = _sets()


def load_adbench(
    name: str | int,
    *,
    data_home: str | os.PathLike | None = None,
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load one of the 47 classical data sets of ADBench.

    The file, such as ``10_cover.npz``, is looked for and downloaded as by
    :func:`gaal.datasets.load_dataset`, from one commit of ADBench's repository. Whatever is read
    has the known SHA-256, or, of the 19 sets of which none is known here, the published numbers
    of rows, features and outliers. Nothing is unpickled.

    Parameters
    ----------
    name : str or int
        The number, 1 to 47, the name, or both as the file has them: 10, "cover" or "10_cover".
        Upper and lower case are the same. ``gaal.datasets.ADBENCH`` lists them.
    data_home, download, return_X_y
        As of :func:`gaal.datasets.load_dataset`.

    Returns
    -------
    Bunch or tuple of (ndarray, ndarray)
        As from :func:`gaal.datasets.load_dataset`, but for ``data``: of the dtype that the file
        has, float64 or integers, and not scaled; the detectors take ``scale="minmax"``.

    Raises
    ------
    ValueError, FileNotFoundError, OSError
        As :func:`gaal.datasets.load_dataset` does.
    """
    name = adbench_name(name)
    file = downloads.PublishedFile(
        name,
        f"{name}.npz",
        ADBENCH_URL.format(name=name),
        ADBENCH[name].sha256,
        functools.partial(_read, name),
        "load_table",
    )
    bunch = file.find(data_home) or file.fetch(data_home, download)
    return (bunch.data, bunch.target) if return_X_y else bunch


def adbench_name(name: str | int) -> str:
    """Complete a number or a name to both, such as "10_cover".

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    known = {spelling.casefold(): whole for whole in ADBENCH
             for spelling in (whole, *whole.split("_"))}  # fmt: skip
    wanted = str(name).casefold() if isinstance(name, (str, Integral)) else None
    if wanted not in known:
        raise ValueError(
            f"name={name!r} is no data set of ADBench; expected a number from 1 to {len(ADBENCH)}"
            f" or one of {', '.join(ADBENCH)}."
        )
    return known[wanted]


def customized(detector: BaseEstimator) -> type:
    """Make of a detector the class that ADBench's own programs run beside their detectors.

    Parameters
    ----------
    detector : estimator
        SOGAAL, MOGAAL, or any with ``random_state`` and ``score_samples`` as in scikit-learn,
        which is higher for an inlier. It is cloned for every run.

    Returns
    -------
    type
        With the calls of ADBench's ``Customized``: it is made with ``seed`` and ``model_name``,
        has ``fit(X_train, y_train)``, which learns nothing from ``y_train``, and
        ``predict_score(X)``, of shape (n,), higher for an outlier.

    Examples
    --------
    >>> from gaal import MOGAAL
    >>> from gaal.adbench import customized
    >>> model = customized(MOGAAL(stop_epochs=20))(seed=1, model_name="MOGAAL")
    """

    class Customized:
        def __init__(self, seed: int, model_name: str | None = None) -> None:
            self.seed = seed
            self.model_name = model_name

        def fit(self, X_train: np.ndarray, y_train: np.ndarray | None = None) -> Self:
            self.model = clone(detector).set_params(random_state=self.seed).fit(X_train)
            return self

        def predict_score(self, X: np.ndarray) -> np.ndarray:
            return -self.model.score_samples(X)

    return Customized


def _read(name: str, path: Path, source: str) -> Bunch:
    """Read a file, which has to be of the published size."""
    entry = ADBENCH[name]
    expected = (entry.rows, entry.features, entry.outliers)
    X, y = tables.read_npz(path)
    X = tables.check_rows(path, X, dtype=None)
    target = np.zeros(len(X), int) if y is None else np.ravel(y)
    found = (*X.shape, int((target == 1).sum()))
    if found != expected or not np.isin(target, (0, 1)).all():
        has = "it has {} rows, {} features and {} outliers".format(*found)
        wanted = "{}, {} and {}".format(*expected)
        raise downloads.not_published(path, name, has, wanted, "load_table")
    return tables.make_bunch(
        name,
        np.arange(len(X)),
        target.astype(np.int64),
        X,
        source=source,
        filename=path,
        note="One of ADBench's classical data sets (Han et al., NeurIPS 2022).\n",
    )
