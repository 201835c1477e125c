"""Videos: one that is made, of blobs that drift and a square that intrudes."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch, check_random_state


def make_blobs_video(
    n_train: int = 40,
    n_test: int = 40,
    height: int = 48,
    width: int = 64,
    n_blobs: int = 4,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make a video of round blobs that drift about, and a test in which a square intrudes.

    Parameters
    ----------
    n_train, n_test : int, default=40
        Number of frames. In the test, the intruder crosses the frame in the second half.
    height, width : int, default=48, 64
        Size of a frame, from 16 up.
    n_blobs : int, default=4
        Blobs, in training and in the test.
    random_state : int, RandomState or None
        Seeds where the blobs start and how fast they go.

    Returns
    -------
    Bunch
        train_frames (n_train, height, width) and test_frames, uint8; is_anomalous (n_test,),
        bool; intruder (n_test, height, width), bool, its pixels.
    """
    if min(height, width) < 16:
        raise ValueError(f"height={height}, width={width}, expected 16 or more.")
    rng = check_random_state(random_state)
    train_frames = _drifting_blobs(n_train, height, width, n_blobs, rng)
    test_frames = _drifting_blobs(n_test, height, width, n_blobs, rng)
    is_anomalous = np.arange(n_test) >= n_test - n_test // 2
    side = min(height, width) // 4
    top = rng.randint(0, height - side + 1)
    lefts = np.linspace(0, width - side, max(is_anomalous.sum(), 1)).astype(int)
    intruder = np.zeros(test_frames.shape, bool)
    for frame, left in zip(np.flatnonzero(is_anomalous), lefts):
        intruder[frame, top : top + side, left : left + side] = True
    test_frames[intruder] = 255
    return Bunch(
        train_frames=train_frames,
        test_frames=test_frames,
        is_anomalous=is_anomalous,
        intruder=intruder,
    )


def _drifting_blobs(
    n: int, height: int, width: int, n_blobs: int, rng: np.random.RandomState
) -> np.ndarray:
    extent = np.array([height, width])
    start = rng.uniform(0, 1, (n_blobs, 2)) * extent
    speed = rng.uniform(0.5, 1.5, (n_blobs, 2)) * rng.choice([-1, 1], (n_blobs, 2))
    centres = (start + speed * np.arange(n)[:, None, None]) % extent
    y, x = np.ogrid[:height, :width]
    light = np.zeros((n, height, width))
    for blob in range(n_blobs):
        cy, cx = (centres[:, blob, axis][:, None, None] for axis in (0, 1))
        light = np.maximum(light, np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.5**2)))
    return np.rint(light * 180).astype(np.uint8)
