"""How ALOCC is evaluated: F1 by share of outliers, epoch by epoch, the tutorial's test.

Every protocol takes an unfitted estimator, clones it for each run and returns a tidy table. An
estimator is ALOCC or any scikit-learn outlier detector with score_samples; from ALOCC all
three scores are taken, from others the one they have. Scores are higher for the more normal.
What is measured, and the frames of a video, lie in rooms of their own and are at hand here.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from alocc.frames import auc_eer, draw_patches, frame_level, pixel_scores, scored_frames
from alocc.measures import (
    SCORES,
    THRESHOLDS,
    all_scores,
    choose_threshold,
    everything_inlier_f1,
    f1_auc,
    inlier_f1,
    seeded_clone,
)
from alocc.pixels import to_unit
from alocc.splits import one_class_split

__all__ = [
    "OUTLIER_SHARES",
    "SCORES",
    "THRESHOLDS",
    "UnsupervisedLOF",
    "all_scores",
    "auc_by_epoch",
    "auc_eer",
    "choose_threshold",
    "draw_patches",
    "everything_inlier_f1",
    "f1_auc",
    "f1_auc_by_outlier_share",
    "frame_level",
    "inlier_f1",
    "lof_baseline",
    "mean_by_share",
    "pixel_scores",
    "reconstruction_cross_entropy",
    "scored_frames",
    "scores_by_epoch",
    "tutorial_test",
]

OUTLIER_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the paper's figure 8
TUTORIAL_INDEX = 11  # the tutorial shows the twelfth image of each digit


def f1_auc_by_outlier_share(
    estimator: BaseEstimator,
    X: np.ndarray,
    y: np.ndarray,
    *,
    X_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    targets: Sequence | None = None,
    outlier_shares: Sequence[float] = OUTLIER_SHARES,
    seeds: Sequence[int] = (0,),
    threshold: str | Sequence[str] = "share",
    train_quantile: float = 0.05,
    name: str | None = None,
    on_run: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Measure F1 and AUC by the share of outliers in the test (paper, section 4.1, figure 8).

    Each class in turn is the target. A clone of the estimator is fitted on its training
    images, once a seed, and tested on its test images among outliers from all other classes, at
    each share. See :func:`alocc.datasets.one_class_split`.

    Parameters
    ----------
    estimator : estimator
        Unfitted; ALOCC or another outlier detector. What is called random_state is set to
        the seed.
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images to train on; to test on as well where there is no test part.
    y : array of shape (n,)
        Their classes.
    X_test, y_test : arrays, optional
        Images to test on. Without them a fifth of the target's images is held out.
    targets : sequence of labels, optional
        Classes to take as target. By default all.
    outlier_shares : sequence of float in (0, 1), default=(0.1, 0.2, 0.3, 0.4, 0.5)
        Outliers among the test images.
    seeds : sequence of int, default=(0,)
        One run each. A seed decides the outliers drawn, too.
    threshold : {"share", "best", "train"} or several, default="share"
        How F1's threshold is chosen, see :func:`choose_threshold`. The paper does not say;
        its curves are by "share".
    train_quantile, name
        See :func:`choose_threshold` and :func:`all_scores`.
    on_run : callable, optional
        Called with each run's rows as they come.

    Returns
    -------
    DataFrame
        One row a target, seed, outlier_share, score and threshold: f1 (inliers are the
        positive class), auc (of inliers over outliers), f1_everything_inlier beside it,
        threshold_value, n_inliers, n_outliers.

    Raises
    ------
    ValueError
        For a target that is not there, a bad share, or a threshold of another name.
    """
    rules = (threshold,) if isinstance(threshold, str) else tuple(threshold)
    for rule in rules:
        if rule not in THRESHOLDS:
            raise ValueError(f"threshold={rule!r}, expected one of {', '.join(THRESHOLDS)}.")
    for share in outlier_shares:
        if not 0 < share < 1:
            raise ValueError(f"outlier_shares holds {share!r}, expected shares in (0, 1).")
    tables = []
    for target in np.unique(y) if targets is None else targets:
        for seed in seeds:
            splits = [
                one_class_split(
                    X, y, target, share, X_test=X_test, y_test=y_test, random_state=seed
                )
                for share in outlier_shares
            ]
            fitted = seeded_clone(estimator, seed).fit(splits[0].X_train)
            train_scores = {}
            if "train" in rules:
                train_scores = all_scores(fitted, splits[0].X_train, name)
            run = {}
            for share, split in zip(outlier_shares, splits):
                scores = all_scores(fitted, split.X_test, name)
                run[target, seed, share] = f1_auc(
                    scores, split.is_outlier, rules, train_scores, train_quantile
                )
            table = pd.concat(run, names=["target", "seed", "outlier_share"])
            tables.append(table.droplevel(-1).reset_index())
            if on_run is not None:
                on_run(tables[-1])
    return pd.concat(tables, ignore_index=True)


def mean_by_share(table: pd.DataFrame) -> pd.DataFrame:
    """Average the table of :func:`f1_auc_by_outlier_share` over targets and seeds.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
        One row a score, threshold and outlier_share, with the means of f1, auc and
        f1_everything_inlier, f1_std and auc_std over the runs, and n_runs.
    """
    groups = table.groupby(["score", "threshold", "outlier_share"], sort=True)
    return groups.agg(
        f1=("f1", "mean"),
        f1_std=("f1", "std"),
        auc=("auc", "mean"),
        auc_std=("auc", "std"),
        f1_everything_inlier=("f1_everything_inlier", "mean"),
        n_runs=("f1", "size"),
    ).reset_index()


class UnsupervisedLOF(OutlierMixin, BaseEstimator):
    """Local outlier factor of the tested images among themselves: the LOF of the paper's figure 8.

    What is to be scored is all that it sees, outliers among it; on what is fitted makes no
    difference. The paper does not say so, but so fitted, with the threshold at the true share of
    outliers, LOF has the paper's curve (see docs/alocc_mnist.md).

    Parameters
    ----------
    n_neighbors : int, default=10
        The paper does not say how many.
    """

    def __init__(self, n_neighbors: int = 10):
        self.n_neighbors = n_neighbors

    def fit(self, X, y=None):
        """Do nothing: return self."""
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Score images by the local outlier factor of their pixels among all of them.

        Parameters
        ----------
        X : array of shape (n, height, width) or (n, height, width, channels)
            uint8, or float in [0, 1].

        Returns
        -------
        ndarray of float, shape (n,)
            Minus the factor: higher is more normal, about -1 for the most.
        """
        return LocalOutlierFactor(self.n_neighbors).fit(_flat(X)).negative_outlier_factor_


def lof_baseline(n_neighbors: int = 20) -> Pipeline:
    """Local outlier factor on the pixels, fitted on the target class alone, as ALOCC is.

    The fair comparison with ALOCC, and far better than the paper's, :class:`UnsupervisedLOF`.

    Parameters
    ----------
    n_neighbors : int, default=20

    Returns
    -------
    Pipeline
        An unfitted outlier detector that takes images of any shape.
    """
    return make_pipeline(
        FunctionTransformer(_flat), LocalOutlierFactor(n_neighbors=n_neighbors, novelty=True)
    )


def _flat(X: np.ndarray) -> np.ndarray:
    return to_unit(X).reshape(len(X), -1)


# ---------------------------------------------------------------------------------------
# Epoch by epoch


def scores_by_epoch(
    detector: BaseEstimator, X: np.ndarray, epochs: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """Score images with the weights of one epoch after the other.

    Parameters
    ----------
    detector : ALOCC
        Fitted, not loaded: it must have the weights of its epochs. It is left as it was.
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images.
    epochs : sequence of int, optional
        From 0. By default all.

    Returns
    -------
    dict of str to ndarray of shape (n_epochs, n)
        By each of "reconstruction", "d_x" and "d_rx", as
        :meth:`alocc.ALOCC.score_samples` gives them.

    Raises
    ------
    ValueError
        If the weights of such an epoch are not there.
    """
    kept = len(detector.epoch_weights_)
    if not kept:
        raise ValueError(
            "detector has no weights of its epochs: those of a loaded one were not saved."
        )
    chosen = detector.epoch_
    found = {name: getattr(detector, name) for name in ("offsets_", "calibrations_")}
    few = X[: detector.batch_size]  # for the offsets, which are not looked at
    by_epoch = []
    try:
        for epoch in range(kept) if epochs is None else epochs:
            detector.use_epoch(int(epoch), few)
            by_epoch.append(all_scores(detector, X))
    finally:
        detector.use_epoch(chosen, few)
        for name, value in found.items():
            setattr(detector, name, value)
    return {score: np.stack([scores[score] for scores in by_epoch]) for score in SCORES}


def auc_by_epoch(
    detector: BaseEstimator,
    X: np.ndarray,
    is_inlier: np.ndarray,
    epochs: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Measure the AUC of the three scores with the weights of one epoch after the other.

    Parameters
    ----------
    detector, X, epochs
        See :func:`scores_by_epoch`, whose errors apply; X are images to test on.
    is_inlier : array of bool, shape (n,)

    Returns
    -------
    DataFrame
        A row an epoch: epoch, chosen (whether it is the one in use), and the AUC of inliers
        over outliers by each of "reconstruction", "d_x" and "d_rx".
    """
    scores = scores_by_epoch(detector, X, epochs)
    epochs = range(len(scores["d_x"])) if epochs is None else epochs
    table = pd.DataFrame({"epoch": [int(epoch) for epoch in epochs]})
    table["chosen"] = table["epoch"] == detector.epoch_
    for name, by_epoch in scores.items():
        table[name] = [roc_auc_score(is_inlier, values) for values in by_epoch]
    return table


# ---------------------------------------------------------------------------------------
# The tutorial's test


def reconstruction_cross_entropy(X: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Reconstruction loss as the tutorial's test prints it: the input as the prediction.

    binary_crossentropy(y_true=R(x), y_pred=x), so that a dark pixel of x that R lights up
    costs up to 16. Training takes it the other way round.

    Parameters
    ----------
    X : array of shape (n, ...)
        uint8, or float in [0, 1].
    reconstructions : array of as many values
        R(x), in [0, 1].

    Returns
    -------
    ndarray of float, shape (n,)
    """
    epsilon = np.float32(1e-7)
    p = np.clip(to_unit(X).reshape(len(X), -1), epsilon, 1 - epsilon).astype(float)
    t = np.asarray(reconstructions, float).reshape(p.shape)
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)


def tutorial_test(
    detector: BaseEstimator,
    X: np.ndarray,
    y: np.ndarray,
    labels: Sequence | None = None,
    index: int = TUTORIAL_INDEX,
) -> pd.DataFrame:
    """Test a fitted ALOCC on one image of each class, as the tutorial does.

    Parameters
    ----------
    detector : ALOCC
        Fitted.
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images, the training part of MNIST in the tutorial.
    y : array of shape (n,)
        Their classes.
    labels : sequence, optional
        Classes to show, in the tutorial 1, 3, 5 and 7. By default all.
    index : int, default=11
        Which image of each class, from 0; the first where a class has not as many.

    Returns
    -------
    DataFrame
        One row a class: label, row (of X), reconstruction_loss (see
        :func:`reconstruction_cross_entropy`) and discriminator, D(R(x)) in [0, 1].

    Raises
    ------
    ValueError
        If no image has one of the labels.
    """
    y = np.asarray(y)
    labels = list(np.unique(y) if labels is None else labels)
    rows = []
    for label in labels:
        found = np.flatnonzero(y == label)
        if not len(found):
            there = ", ".join(str(v) for v in np.unique(y))
            raise ValueError(f"labels holds {label!r}, which is not among those of y: {there}.")
        rows.append(found[index] if index < len(found) else found[0])
    images = X[filled_up(rows, len(X), detector)]
    found = {
        "reconstruction_loss": reconstruction_cross_entropy(images, detector.reconstruct(images)),
        "discriminator": all_scores(detector, images)["d_rx"],
    }
    found = {name: values[: len(rows)] for name, values in found.items()}
    return pd.DataFrame({"label": labels, "row": rows, **found})


def filled_up(rows: Sequence[int], n: int, detector: BaseEstimator) -> np.ndarray:
    """Rows of n images, and the first others, where a detector normalises by so many at least."""
    others = np.setdiff1d(np.arange(n), rows)
    least = getattr(detector, "least_together", None) or 0
    return np.concatenate([rows, others[: max(0, least - len(rows))]]).astype(int)
