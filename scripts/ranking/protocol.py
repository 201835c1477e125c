"""The data sets of a benchmark and how their rows are divided, as ADBench does it or otherwise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler

LEAST, MOST = 1000, 10_000  # rows, of what ADBench draws up or samples down
TEST_SHARE = 0.3
PROTOCOLS = {
    "published": f"fewer than {LEAST} rows drawn up to as many, more than {MOST} sampled down",
    "distinct": f"no row drawn up, more than {MOST} sampled down",
    "whole": "all rows as they are",
}
SHIPPED = ("WDBC", "wine", "digits")


@dataclass(frozen=True)
class Division:
    """Rows to train on and others to score, scaled to [0, 1] by those to train on.

    ``y_train`` and ``y_test`` are 1 for an outlier; nothing is learned from ``y_train``.
    """

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


def load(name: str, data_home: str | Path | None, offline: bool) -> tuple[np.ndarray, np.ndarray]:
    """Load one of ADBench's sets, or of those that need no file (``SHIPPED``).

    WDBC is the one of GAAL's twelve that is rebuilt from scikit-learn's breast cancer data;
    wine has the 119 rows of two cultivars and, as outliers, the first ten of the third; digits
    have all zeros and, as outliers, the first ten sixes.
    """
    from gaal.datasets import load_adbench, load_dataset

    if name == "WDBC":
        return load_dataset("WDBC", download=False, return_X_y=True)
    if name not in SHIPPED:
        return load_adbench(name, data_home=data_home, download=not offline, return_X_y=True)
    loader, outlier, inliers = {"wine": (load_wine, 0, (1, 2)), "digits": (load_digits, 6, (0,))}[
        name
    ]
    X, kinds = loader(return_X_y=True)
    rows = np.r_[np.flatnonzero(np.isin(kinds, inliers)), np.flatnonzero(kinds == outlier)[:10]]
    return X[rows], (kinds[rows] == outlier).astype(int)


def describe(X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Tell of what kind a set is, by its labels: of all rows, or of as many as are sampled down to.

    Told are ``rows``, ``features`` and ``outliers``, the share of these; ``clustered``, the share
    of outliers whose nearest other row is an outlier; ``distance``, the median distance of an
    outlier to its nearest inlier, in that of an inlier to its own.
    """
    found = {"rows": len(y), "features": X.shape[1], "outliers": float(np.mean(y))}
    if len(y) > MOST:
        rows = np.random.RandomState(0).choice(len(y), MOST, replace=False)
        X, y = X[rows], y[rows]
    X = MinMaxScaler().fit_transform(X)
    nearest = NearestNeighbors(n_neighbors=1).fit(X).kneighbors(return_distance=False)[:, 0]
    inliers = NearestNeighbors(n_neighbors=1).fit(X[y == 0])
    own = np.median(inliers.kneighbors()[0])
    away = np.median(inliers.kneighbors(X[y == 1])[0])
    return {
        **found,
        "clustered": float(y[nearest[y == 1]].mean()),
        "distance": float(away / own) if own > 0 else np.nan,
    }


def divide(X: np.ndarray, y: np.ndarray, seed: int, protocol: str = "published") -> Division:
    """Divide rows at random within the classes, 70% to train on and 30% to score.

    X is of shape (n, d); y has 1 for an outlier, 0 for an inlier; the protocol is one of
    ``PROTOCOLS``. With "published" the rows are those that ADBench's own program draws by this
    seed.
    """
    rng = np.random.RandomState(seed)
    rows = np.arange(len(y))
    if protocol == "published" and len(y) < LEAST:
        rows = rng.choice(rows, LEAST, replace=True)
    if protocol != "whole" and len(y) > MOST:
        rows = rng.choice(rows, MOST, replace=False)
    X_train, X_test, y_train, y_test = train_test_split(
        X[rows], y[rows], test_size=TEST_SHARE, stratify=y[rows], random_state=rng
    )
    scaler = MinMaxScaler().fit(X_train)
    return Division(scaler.transform(X_train), scaler.transform(X_test), y_train, y_test)
