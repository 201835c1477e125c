"""What no verdict can be made of."""

from __future__ import annotations

import numpy as np


def refuse_nan(scores: np.ndarray) -> np.ndarray:
    """Return scores, shape (n,), that tell something of every sample; raise a ValueError of a NaN.

    It is neither an inlier's nor an outlier's: its networks have been trained to no numbers.
    """
    bad = np.flatnonzero(np.isnan(scores))
    if len(bad):
        raise ValueError(
            f"The score of {len(bad)} of {len(scores)} samples is NaN, first of number"
            f" {bad[0]} (counted from 0): the networks' weights are not finite, and tell neither"
            " inlier nor outlier. Fit again, with smaller learning rates."
        )
    return scores
