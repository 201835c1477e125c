"""The detectors that a user would reach for first: trained rows and new ones scored by each."""

import numpy as np

Scores = tuple[np.ndarray, np.ndarray]


def isolation_forest(X: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Score by scikit-learn's IsolationForest with its defaults."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed).fit(X)
    return -forest.score_samples(X), -forest.score_samples(new)


def lof(X: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Score by scikit-learn's LocalOutlierFactor of 20 neighbours."""
    from sklearn.neighbors import LocalOutlierFactor

    factor = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(X)
    return -factor.negative_outlier_factor_, -factor.score_samples(new)


def knn(X: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Score by the distance to the fifth neighbour; a trained row is no neighbour of its own."""
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=5).fit(X)
    return neighbours.kneighbors()[0][:, -1], neighbours.kneighbors(new)[0][:, -1]


def ecod(X: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Score by ECOD (Li et al., TKDE 2022, algorithm 1).

    In every column a row's tail is the share of rows that are not less, or not greater, than it,
    itself among them; a new row is counted with the trained ones, each new row by itself. The
    score is the largest sum of -log(tail) over the columns, of all left tails, of all right
    ones, or of the one by the sign of the column's skewness.
    """
    columns = np.sort(X, axis=0)
    leans_left = ((X - X.mean(axis=0)) ** 3).sum(axis=0) < 0  # the sign of the skewness

    def score(rows: np.ndarray, beside: int) -> np.ndarray:
        left, right = np.empty(rows.shape), np.empty(rows.shape)
        for j, column in enumerate(columns.T):
            left[:, j] = np.searchsorted(column, rows[:, j], side="right")
            right[:, j] = len(column) - np.searchsorted(column, rows[:, j], side="left")
        left = -np.log((left + beside) / (len(columns) + beside))
        right = -np.log((right + beside) / (len(columns) + beside))
        tails = left, right, np.where(leans_left, left, right)
        return np.max([tail.sum(axis=1) for tail in tails], axis=0)

    return score(X, 0), score(new, 1)


BASELINES = {"IsolationForest": isolation_forest, "LOF": lof, "ECOD": ecod, "kNN": knn}
"""By name: ``(X, new, seed)`` gives the scores of X, trained on, and of new rows, higher for an
outlier. All but IsolationForest draw nothing."""
