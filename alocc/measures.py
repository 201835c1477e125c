"""What an evaluation measures: an estimator's scores, thresholds on them, F1 and AUC.

Scores are higher for the more normal.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

SCORES = ("reconstruction", "d_x", "d_rx")
THRESHOLDS = ("share", "best", "train")


def all_scores(estimator: BaseEstimator, X: np.ndarray, name: str | None = None) -> dict:
    """Score images by every score a fitted estimator has.

    Parameters
    ----------
    estimator : fitted estimator
        One with a ``score`` parameter, as ALOCC has, gives all of "reconstruction", "d_x" and
        "d_rx", and keeps the parameter it came with; any other what its score_samples gives.
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images.
    name : str, optional
        How to call the one score of an estimator without the parameter. By default its class.

    Returns
    -------
    dict of str to ndarray of shape (n,)
    """
    params = estimator.get_params(deep=False)
    if "score" not in params:
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        return {name or type(last).__name__: np.asarray(estimator.score_samples(X))}
    try:
        return {
            score: np.asarray(estimator.set_params(score=score).score_samples(X))
            for score in SCORES
        }
    finally:
        estimator.set_params(score=params["score"])


def everything_inlier_f1(outlier_share: float | np.ndarray) -> float | np.ndarray:
    """F1 of calling every image an inlier, 2p / (1 + p) with p = 1 - outlier_share.

    With inliers as the positive class this is what a detector has to beat: 0.947 at 10%
    outliers, 0.667 at 50%.

    Parameters
    ----------
    outlier_share : float or array
        In [0, 1).

    Returns
    -------
    float or array
    """
    p = 1 - outlier_share
    return 2 * p / (1 + p)


def inlier_f1(scores: np.ndarray, is_outlier: np.ndarray, threshold: float) -> float:
    """F1 with inliers as the positive class, calling scores from the threshold up inliers.

    Parameters
    ----------
    scores : array of shape (n,)
        Higher is more normal.
    is_outlier : array of bool, shape (n,)
    threshold : float

    Returns
    -------
    float
        In [0, 1].
    """
    called = np.asarray(scores) >= threshold
    inlier = ~np.asarray(is_outlier, bool)
    both = called.sum() + inlier.sum()
    return float(2 * (called & inlier).sum() / both) if both else 0.0


def choose_threshold(
    rule: str,
    scores: np.ndarray,
    is_outlier: np.ndarray,
    train_scores: np.ndarray | None = None,
    train_quantile: float = 0.05,
) -> float:
    """Choose the score from which on an image is called an inlier.

    Parameters
    ----------
    rule : {"share", "best", "train"}
        "share": as many images are called outliers as there are, which takes their number but
        not which they are. The paper's: its LOF falls below what "best" can. "best": the one
        with the highest F1 on these very scores and labels. It looks at the answer, and it never
        falls below :func:`everything_inlier_f1`. "train": a quantile of the
        scores of the training images; nothing of the test is looked at.
    scores : array of shape (n,)
        Of the test images, higher for the more normal.
    is_outlier : array of bool, shape (n,)
    train_scores : array, optional
        Of the training images, for "train".
    train_quantile : float in [0, 1], default=0.05
        For "train": the share of training images to call outliers.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another rule, or "train" without scores.
    """
    scores, is_outlier = np.asarray(scores), np.asarray(is_outlier, bool)
    if rule == "best":
        thresholds, first = np.unique(np.sort(scores), return_index=True)
        inlier = ~is_outlier[np.argsort(scores, kind="stable")]
        hits = np.cumsum(inlier[::-1])[::-1][first]  # inliers from each threshold up
        called = len(scores) - first
        return float(thresholds[np.argmax(2 * hits / (called + inlier.sum()))])
    if rule == "share":
        n_outliers = int(is_outlier.sum())
        return float(np.append(np.sort(scores), np.inf)[n_outliers])
    if rule == "train":
        if train_scores is None:
            raise ValueError("threshold='train' takes the scores of the training images.")
        return float(np.quantile(train_scores, train_quantile))
    raise ValueError(f"threshold={rule!r}, expected one of {', '.join(THRESHOLDS)}.")


def f1_auc(
    scores: dict[str, np.ndarray],
    is_outlier: np.ndarray,
    threshold: str | Sequence[str] = "share",
    train_scores: dict[str, np.ndarray] | None = None,
    train_quantile: float = 0.05,
) -> pd.DataFrame:
    """Measure F1 and AUC of scores, a row a score and threshold.

    Parameters
    ----------
    scores : dict of str to array of shape (n,)
        Higher for the more normal, as :func:`all_scores` gives them.
    is_outlier : array of bool, shape (n,)
    threshold : {"share", "best", "train"} or several, default="share"
    train_scores : dict of str to array, optional
    train_quantile : float in [0, 1], default=0.05
        How F1's threshold is chosen, see :func:`choose_threshold`.

    Returns
    -------
    DataFrame
        score, threshold, f1 (inliers are the positive class), auc (of inliers over outliers),
        f1_everything_inlier, threshold_value, n_inliers, n_outliers.

    Raises
    ------
    ValueError
        As :func:`choose_threshold` does.
    """
    is_outlier = np.asarray(is_outlier, bool)
    n_outliers = int(is_outlier.sum())
    rows = []
    for score, values in scores.items():
        auc = float(roc_auc_score(~is_outlier, values))
        for rule in (threshold,) if isinstance(threshold, str) else threshold:
            value = choose_threshold(
                rule, values, is_outlier, (train_scores or {}).get(score), train_quantile
            )
            rows.append(
                {
                    "score": score,
                    "threshold": rule,
                    "f1": inlier_f1(values, is_outlier, value),
                    "auc": auc,
                    "f1_everything_inlier": everything_inlier_f1(is_outlier.mean()),
                    "threshold_value": value,
                    "n_inliers": len(is_outlier) - n_outliers,
                    "n_outliers": n_outliers,
                }
            )
    return pd.DataFrame(rows)


def seeded_clone(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Clone an estimator, and set what is called random_state in it to the seed."""
    seeded = clone(estimator)
    names = [p for p in seeded.get_params() if p == "random_state" or p.endswith("__random_state")]
    return seeded.set_params(**dict.fromkeys(names, seed))
