"""How ALOCC is evaluated: F1 by share of outliers, the tutorial's test, frames of a video.

Every protocol takes an unfitted estimator, clones it for each run and returns a tidy table. An
estimator is ALOCC or any scikit-learn outlier detector with score_samples; from ALOCC all
three scores are taken, from others the one they have. Scores are higher for the more normal.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from alocc.patches import anomaly_map, extract_patches, frame_scores
from alocc.pixels import to_unit
from alocc.splits import one_class_split

SCORES = ("reconstruction", "d_x", "d_rx")
THRESHOLDS = ("best", "share", "train")
OUTLIER_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the paper's figure 8
TUTORIAL_INDEX = 11  # the tutorial shows the twelfth image of each digit
FOUND_SHARE = 0.4  # of a frame's anomalous pixels, by which UCSD's protocol counts it as found
FRAMES_AT_A_TIME = 200  # whose patches are scored: about a video of UCSD's


# ---------------------------------------------------------------------------------------
# Scores and thresholds


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
    rule : {"best", "share", "train"}
        "best": the one with the highest F1 on these very scores and labels. It is how such
        figures are mostly made, it looks at the answer, and it never falls below
        :func:`everything_inlier_f1`. "share": as many images are called outliers as there
        are, which takes their number but not which they are. "train": a quantile of the
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
    threshold: str | Sequence[str] = "best",
    train_scores: dict[str, np.ndarray] | None = None,
    train_quantile: float = 0.05,
) -> pd.DataFrame:
    """Measure F1 and AUC of scores, a row a score and threshold.

    Parameters
    ----------
    scores : dict of str to array of shape (n,)
        Higher for the more normal, as :func:`all_scores` gives them.
    is_outlier : array of bool, shape (n,)
    threshold : {"best", "share", "train"} or several, default="best"
        How F1's threshold is chosen, see :func:`choose_threshold`.
    train_scores : dict of str to array, optional
        Of the training images, for "train".
    train_quantile : float in [0, 1], default=0.05
        For "train".

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


# ---------------------------------------------------------------------------------------
# F1 and AUC by share of outliers


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
    threshold: str | Sequence[str] = "best",
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
    threshold : {"best", "share", "train"} or several, default="best"
        How F1's threshold is chosen, see :func:`choose_threshold`. The paper does not say.
    train_quantile : float, default=0.05
        For threshold="train".
    name : str, optional
        How to call the score of an estimator that has only one.
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
            fitted = _seeded_clone(estimator, seed).fit(splits[0].X_train)
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


def lof_baseline(n_neighbors: int = 20) -> Pipeline:
    """Local outlier factor on the pixels, the simplest baseline of the paper's figure 8.

    It is fitted on the target class alone, as ALOCC is. The paper does not say on what, and
    with how many neighbours, its LOF was run.

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


def _seeded_clone(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    seeded = clone(estimator)
    names = [p for p in seeded.get_params() if p == "random_state" or p.endswith("__random_state")]
    return seeded.set_params(**dict.fromkeys(names, seed))


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
    detector : ALOCC
        Fitted, not loaded: it must have the weights of its epochs. It is left as it was.
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images to test on.
    is_inlier : array of bool, shape (n,)
    epochs : sequence of int, optional
        From 0. By default all.

    Returns
    -------
    DataFrame
        A row an epoch: epoch, chosen (whether it is the one in use), and the AUC of inliers
        over outliers by each of "reconstruction", "d_x" and "d_rx".

    Raises
    ------
    ValueError
        If the weights of such an epoch are not there.
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
    images = X[rows]
    return pd.DataFrame(
        {
            "label": labels,
            "row": rows,
            "reconstruction_loss": reconstruction_cross_entropy(
                images, detector.reconstruct(images)
            ),
            "discriminator": all_scores(detector, images)["d_rx"],
        }
    )


# ---------------------------------------------------------------------------------------
# Frames of a video


def auc_eer(scores: np.ndarray, is_anomalous: np.ndarray) -> dict[str, float]:
    """ROC AUC and equal error rate of frame scores.

    Parameters
    ----------
    scores : array of shape (n,)
        Higher is more normal.
    is_anomalous : array of bool, shape (n,)
        Both kinds must be there.

    Returns
    -------
    dict
        auc; eer, the rate at which as large a share of normal frames is called anomalous as of
        anomalous frames normal, on the ROC curve with straight lines between its points;
        threshold, the score nearest to it.

    Raises
    ------
    ValueError
        If one kind of frames is missing, or the shapes differ.
    """
    scores, is_anomalous = np.asarray(scores, float), np.asarray(is_anomalous, bool)
    if scores.shape != is_anomalous.shape or scores.ndim != 1:
        raise ValueError(
            f"scores has shape {scores.shape} and is_anomalous {is_anomalous.shape}, expected"
            " (n,) both."
        )
    if is_anomalous.all() or not is_anomalous.any():
        raise ValueError(
            f"is_anomalous marks {is_anomalous.sum()} of {len(scores)} frames: AUC and EER take"
            " both normal and anomalous ones."
        )
    false, true, thresholds = roc_curve(is_anomalous, -scores)
    gap = false + true - 1  # rises from -1 to 1; false positives equal misses where it is 0
    after = int(np.argmax(gap >= 0))
    weight = -gap[after - 1] / (gap[after] - gap[after - 1])
    nearest = after if weight >= 0.5 or after == 1 else after - 1
    return {
        "auc": float(roc_auc_score(is_anomalous, -scores)),
        "eer": float(false[after - 1] + weight * (false[after] - false[after - 1])),
        "threshold": float(-thresholds[nearest]),
    }


def pixel_scores(
    maps: np.ndarray, masks: np.ndarray, found_share: float = FOUND_SHARE
) -> np.ndarray:
    """Score frames at the pixel level, by which they are to be found for what is anomalous.

    At a threshold a frame with anomalous pixels counts as found where at least 40% of them are
    below it, and any other as a false alarm where one is (Mahadevan et al., CVPR 2010, whose
    data the paper takes). Here is the threshold from which on that is so.

    Parameters
    ----------
    maps : array of shape (n, height, width)
        Scores of pixels, higher for the more normal, as :func:`alocc.datasets.anomaly_map`
        makes of patch scores.
    masks : array of bool, shape (n, height, width)
        Anomalous pixels.
    found_share : float in (0, 1], default=0.4

    Returns
    -------
    ndarray of float, shape (n,)
        For :func:`auc_eer`.

    Raises
    ------
    ValueError
        If the shapes differ, for a bad share, or if maps hold NaN, where no patch lies.
    """
    maps, masks = np.asarray(maps, float), np.asarray(masks, bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(
            f"maps has shape {maps.shape} and masks {masks.shape}, expected (n, height, width)"
            " both."
        )
    if not 0 < found_share <= 1:
        raise ValueError(f"found_share={found_share!r}, expected a share in (0, 1].")
    if np.isnan(maps).any():
        raise ValueError("maps hold NaN; expected patches on every pixel, a stride up to the size.")
    scores = maps.min(axis=(1, 2))
    for i in np.flatnonzero(masks.any(axis=(1, 2))):
        values = np.sort(maps[i][masks[i]])
        scores[i] = values[math.ceil(found_share * len(values) - 1e-9) - 1]
    return scores


def frame_level(
    estimator: BaseEstimator,
    train_frames: np.ndarray,
    test_frames: np.ndarray,
    is_anomalous: np.ndarray,
    *,
    masks: np.ndarray | None = None,
    has_mask: np.ndarray | None = None,
    size: int | tuple[int, int] = 30,
    stride: int | tuple[int, int] = 15,
    max_patches: int | None = None,
    seeds: Sequence[int] = (0,),
    name: str | None = None,
) -> pd.DataFrame:
    """Measure AUC and EER of frames: one is anomalous if any of its patches is (section 4.2).

    A clone of the estimator is fitted on the patches of normal frames. A frame's score is that
    of its least normal patch, which is the rule at every threshold. With masks, the pixel level
    too, see :func:`pixel_scores`, a pixel's score being the mean of the patches that cover it.
    For UCSD's videos, by :func:`alocc.datasets.load_video`::

        video = load_video("UCSDped2")
        frame_level(
            ALOCC(fidelity="authors"),
            video.train_frames,
            video.test_frames,
            video.is_anomalous,
            masks=video.masks,
            has_mask=video.has_mask,
            max_patches=50_000,
        )

    Parameters
    ----------
    estimator : estimator
        Unfitted; ALOCC or another outlier detector of images.
    train_frames : array of shape (n, height, width) or (n, height, width, channels)
        Normal frames.
    test_frames : array of shape (m, height, width) or (m, height, width, channels)
        Frames to test on.
    is_anomalous : array of bool, shape (m,)
        Whether something abnormal is in the frame.
    masks : array of bool, shape (m, height, width), optional
        Anomalous pixels.
    has_mask : array of bool, shape (m,), optional
        Whose masks are known; the pixel level is of these frames. By default all.
    size : int or (int, int), default=30
        (height, width) of a patch, 30 x 30 in the paper.
    stride : int or (int, int), default=15
        Step from patch to patch.
    max_patches : int, optional
        Train on so many patches, drawn by the seed. By default on all: those of UCSD Ped2 are
        880,000, which take 6 GB as ALOCC trains.
    seeds : sequence of int, default=(0,)
        One run each.
    name : str, optional
        How to call the score of an estimator that has only one.

    Returns
    -------
    DataFrame
        One row a seed and score: auc, eer, threshold (of the EER), n_frames, n_anomalous; with
        masks pixel_auc, pixel_eer, pixel_threshold and n_masked.

    Raises
    ------
    ValueError
        If shapes differ, and as :func:`auc_eer`, :func:`pixel_scores` and
        :func:`alocc.datasets.extract_patches` do.
    """
    test_frames, is_anomalous = np.asarray(test_frames), np.asarray(is_anomalous, bool)
    n, frame_size = len(test_frames), test_frames.shape[1:3]
    if is_anomalous.shape != (n,):
        raise ValueError(
            f"is_anomalous has shape {is_anomalous.shape}, expected one for each of the {n} test"
            " frames."
        )
    has_mask = np.full(n, masks is not None) if has_mask is None else np.asarray(has_mask, bool)
    if masks is not None and (np.shape(masks) != (n, *frame_size) or has_mask.shape != (n,)):
        raise ValueError(
            f"masks has shape {np.shape(masks)} and has_mask {has_mask.shape}, expected"
            f" {(n, *frame_size)} and {(n,)}."
        )
    train_patches, _ = extract_patches(train_frames, size, stride)
    rows = []
    for seed in seeds:
        patches = train_patches
        if max_patches is not None and max_patches < len(patches):
            drawn = np.random.default_rng(seed).permutation(len(patches))[:max_patches]
            patches = patches[np.sort(drawn)]
        fitted = _seeded_clone(estimator, seed).fit(patches)
        frames, pixels = defaultdict(list), defaultdict(list)
        for start in range(0, n, FRAMES_AT_A_TIME):
            part = slice(start, min(start + FRAMES_AT_A_TIME, n))
            n_part, known = part.stop - start, has_mask[part]
            patches, positions = extract_patches(test_frames[part], size, stride)
            for score, values in all_scores(fitted, patches, name).items():
                frames[score].append(frame_scores(values, positions, n_part))
                if masks is not None and known.any():
                    maps = anomaly_map(values, positions, size, frame_size, n_part)
                    pixels[score].append(pixel_scores(maps[known], masks[part][known]))
        for score, parts in frames.items():
            row = {"seed": seed, "score": score}
            row |= auc_eer(np.concatenate(parts), is_anomalous)
            row |= {"n_frames": n, "n_anomalous": int(is_anomalous.sum())}
            if score in pixels:
                marked = np.asarray(masks)[has_mask].any(axis=(1, 2))
                found = auc_eer(np.concatenate(pixels[score]), marked)
                row |= {f"pixel_{key}": value for key, value in found.items()}
                row["n_masked"] = int(marked.sum())
            rows.append(row)
    return pd.DataFrame(rows)
