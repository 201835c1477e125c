"""Frames of a video, judged by their patches (section 4.2 of the ALOCC paper)."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score, roc_curve

from alocc.measures import all_scores, seeded_clone
from alocc.patches import anomaly_map, extract_patches, frame_scores

FOUND_SHARE = 0.4  # of a frame's anomalous pixels, by which UCSD's protocol counts it as found
FRAMES_AT_A_TIME = 200  # whose patches are scored: about a video of UCSD's


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


def draw_patches(patches: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    """Draw patches to train on, in their order; all of them where there are no more than that.

    Parameters
    ----------
    patches : array of shape (n, ...)
    most : int or None
        How many at most; None for all.
    seed : int
        Decides which.

    Returns
    -------
    ndarray of shape (min(n, most), ...)
    """
    if most is None or most >= len(patches):
        return patches
    drawn = np.random.default_rng(seed).permutation(len(patches))[:most]
    return patches[np.sort(drawn)]


def scored_frames(
    fitted: BaseEstimator,
    frames: np.ndarray,
    size: int | tuple[int, int] = 30,
    stride: int | tuple[int, int] = 15,
    name: str | None = None,
) -> Iterator[tuple[slice, str, np.ndarray, np.ndarray]]:
    """Score frames, and their pixels, by their patches: some frames at a time, which fit memory.

    The estimator is fitted, on patches of that size, (height, width) or one number for both, with
    that ``stride``; ``name`` is what to call the score of one that has only one.

    Yields
    ------
    part : slice
        Which of the frames, (n, height, width) or (n, height, width, channels).
    score : str
        By which score, as :func:`all_scores` names them; one after the other of each part.
    scores : ndarray of float, shape (m,)
        Of the frames: that of the least normal patch.
    maps : ndarray of float, shape (m, height, width)
        Of their pixels: the mean of the patches that cover each. Higher is more normal.
    """
    for start in range(0, len(frames), FRAMES_AT_A_TIME):
        part = slice(start, min(start + FRAMES_AT_A_TIME, len(frames)))
        n = part.stop - start
        patches, positions = extract_patches(frames[part], size, stride)
        for score, values in all_scores(fitted, patches, name).items():
            maps = anomaly_map(values, positions, size, frames.shape[1:3], n)
            yield part, score, frame_scores(values, positions, n), maps


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
    on_scores: Callable[[slice, str, np.ndarray, np.ndarray], None] | None = None,
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
    on_scores : callable, optional
        Called with what :func:`scored_frames` yields, as it comes: to keep scores, or maps.

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
        fitted = seeded_clone(estimator, seed).fit(draw_patches(train_patches, max_patches, seed))
        frames, pixels = defaultdict(list), defaultdict(list)
        for part, score, values, maps in scored_frames(fitted, test_frames, size, stride, name):
            known = has_mask[part]
            frames[score].append(values)
            if on_scores is not None:
                on_scores(part, score, values, maps)
            if masks is not None and known.any():
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
