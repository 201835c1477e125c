"""Patches of the frames of a video, and what their scores say of frames and pixels."""

import numpy as np

from alocc.pixels import check_channels_last, check_pair
from gaal_alocc.arrays import as_array


def extract_patches(
    frames: np.ndarray, size: int | tuple[int, int] = 30, stride: int | tuple[int, int] = 15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut frames into patches, as the paper's video experiment does (section 4.2, 30 x 30).

    Patches lie on a grid of the given stride from the top left corner. Where the grid leaves
    a rest at the bottom or right, one more patch lies flush with the border, so that with a
    stride no larger than the size every pixel is covered.

    Parameters
    ----------
    frames : ndarray of shape (n, height, width) or (n, height, width, channels)
        Any dtype, which the patches keep.
    size : int or (int, int), default=30
        (height, width) of a patch.
    stride : int or (int, int), default=15
        Step down and to the right.

    Returns
    -------
    patches : ndarray of shape (m, size[0], size[1]) or with channels
        Frame by frame, each from top left to bottom right.
    positions : ndarray of int, shape (m, 3)
        Frame, top and left of each patch.

    Raises
    ------
    ValueError
        If frames are not of rank 3 or 4, or smaller than a patch.
    """
    frames = as_array(frames, "frames")
    height, width = check_pair(size, "size")
    down, right = check_pair(stride, "stride")
    if frames.ndim not in (3, 4):
        raise ValueError(
            f"frames has shape {frames.shape}, expected (n, height, width) or with channels."
        )
    check_channels_last(frames, "frames")
    if frames.shape[1] < height or frames.shape[2] < width:
        raise ValueError(f"size={(height, width)} is larger than the frames, {frames.shape[1:3]}.")
    tops = _starts(frames.shape[1], height, down)
    lefts = _starts(frames.shape[2], width, right)
    grid = np.meshgrid(np.arange(len(frames)), tops, lefts, indexing="ij")
    positions = np.stack([axis.ravel() for axis in grid], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(frames, (height, width), axis=(1, 2))
    patches = windows[tuple(positions.T)]  # (m[, channels], height, width)
    if frames.ndim == 4:
        patches = np.moveaxis(patches, 1, -1)
    return np.ascontiguousarray(patches), positions


def _starts(length: int, size: int, stride: int) -> np.ndarray:
    return np.union1d(np.arange(0, length - size + 1, stride), [length - size])


def frame_scores(
    patch_scores: np.ndarray, positions: np.ndarray, n_frames: int | None = None
) -> np.ndarray:
    """Score frames by their least normal patch: a frame is anomalous if any patch is.

    Parameters
    ----------
    patch_scores : array of shape (m,)
        Higher is more normal, as score_samples gives them.
    positions : array of shape (m, 3)
        From :func:`extract_patches`.
    n_frames : int, optional
        By default up to the last frame with a patch.

    Returns
    -------
    ndarray of float, shape (n_frames,)
        The least of each frame's patch scores; NaN for a frame without patches.
    """
    patch_scores, positions = _check_patch_scores(patch_scores, positions)
    n_frames = _count_frames(positions, n_frames)
    scores = np.full(n_frames, np.inf)
    np.minimum.at(scores, positions[:, 0], patch_scores)
    scores[np.bincount(positions[:, 0], minlength=n_frames) == 0] = np.nan
    return scores


def anomaly_map(
    patch_scores: np.ndarray,
    positions: np.ndarray,
    size: int | tuple[int, int],
    frame_size: tuple[int, int],
    n_frames: int | None = None,
) -> np.ndarray:
    """Put patch scores back into frames: each pixel's mean over the patches that cover it.

    Parameters
    ----------
    patch_scores : array of shape (m,)
        Any score; minus score_samples for a map that is high where the frame is anomalous.
    positions : array of shape (m, 3)
        From :func:`extract_patches`.
    size : int or (int, int)
        (height, width) of a patch.
    frame_size : (int, int)
        (height, width) of a frame.
    n_frames : int, optional
        By default up to the last frame with a patch.

    Returns
    -------
    ndarray of float, shape (n_frames, height, width)
        NaN where no patch lies.
    """
    patch_scores, positions = _check_patch_scores(patch_scores, positions)
    height, width = check_pair(size, "size")
    frame_size = check_pair(frame_size, "frame_size")
    if len(positions) and np.any(
        np.max(positions[:, 1:], axis=0) > (frame_size[0] - height, frame_size[1] - width)
    ):
        raise ValueError(f"patches of size {(height, width)} reach beyond frame_size={frame_size}.")
    sums = np.zeros((_count_frames(positions, n_frames), *frame_size))
    counts = np.zeros(sums.shape, np.int32)
    for score, (frame, top, left) in zip(patch_scores, positions):
        where = (frame, slice(top, top + height), slice(left, left + width))
        sums[where] += score
        counts[where] += 1
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _check_patch_scores(
    patch_scores: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    patch_scores, positions = np.asarray(patch_scores, float), np.asarray(positions)
    if patch_scores.ndim != 1 or positions.shape != (len(patch_scores), 3):
        raise ValueError(
            f"patch_scores has shape {patch_scores.shape} and positions {positions.shape},"
            " expected (m,) and (m, 3)."
        )
    return patch_scores, positions


def _count_frames(positions: np.ndarray, n_frames: int | None) -> int:
    least = int(positions[:, 0].max()) + 1 if len(positions) else 0
    if n_frames is None:
        return least
    if n_frames < least:
        raise ValueError(f"n_frames={n_frames}, but positions name frame {least - 1}.")
    return n_frames
