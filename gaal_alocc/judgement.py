"""What the detectors' ``predict`` makes of their decision function."""

from __future__ import annotations

import numpy as np


def judge(decision: np.ndarray) -> np.ndarray:
    """Tell inliers from outliers, as scikit-learn spells them.

    Parameters
    ----------
    decision : ndarray of shape (n,)
        Negative for outliers.

    Returns
    -------
    ndarray of shape (n,), int
        1 for an inlier, -1 for an outlier.

    Raises
    ------
    ValueError
        If one is NaN, which is neither: its networks have been trained to no numbers.
    """
    bad = np.flatnonzero(np.isnan(decision))
    if len(bad):
        raise ValueError(
            f"The score of {len(bad)} of {len(decision)} samples is NaN, first of number"
            f" {bad[0]} (counted from 0): the networks' weights are not finite, and tell neither"
            " inlier nor outlier. Fit again, with smaller learning rates."
        )
    return np.where(decision < 0, -1, 1)
