"""When to stop the generator: the rule of thumb of GAAL's authors as an algorithm.

The rule: train without stopping, look at the generator's loss, take the update I at which its
downward trend slows, and set stop_epochs to I over the updates of an epoch, rounded up. It
looks at the loss alone, never at labels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter1d

WINDOW = 11  # updates: the loss of one batch says little, yet some trends end within thirty
MOVE = 0.1  # of the loss: smaller rises and falls are none, as in the wavering before the fall
REST = 0.1  # of the fall: with so little left to go, the trend has slowed
PROBE_UPDATES = (512, 16384)  # of the first and of the longest training that seeks stop_epochs


@dataclass(frozen=True)
class Trend:
    """The first downward trend of a loss, as numbers of updates.

    It goes from ``peak`` to ``trough`` and has slowed at ``slows``. Where it is not ``over``,
    the loss has not risen again since, and a longer record may still move the last two.
    """

    peak: int
    slows: int
    trough: int
    over: bool


def find_trend(generator_loss: ArrayLike) -> Trend | None:
    """Find the first downward trend of a generator's loss, and where it slows.

    The discriminator learns faster than the generator, so that the generator's loss rises
    before it falls. The loss, smoothed by a centred mean of 11 updates, rises or falls once it
    has moved by more than a tenth from the extreme behind it. The trend goes from the maximum
    after the first rise to the minimum before the next, or to that of what is there. It slows
    where the loss has come down nine tenths of that way: the level is judged and not the
    slope, which a pause within the fall would bring to nothing too early.

    Parameters
    ----------
    generator_loss : array-like of shape (updates,)
        Of training without stopping, not negative: a loss an update, for MO-GAAL the mean of
        its sub-generators. As in the column ``generator_loss`` of ``history_``.

    Returns
    -------
    Trend or None
        None where the loss does not rise and fall.

    Raises
    ------
    ValueError
        If the loss is not a row of numbers, finite and not negative.
    """
    loss = np.asarray(generator_loss, dtype=float)
    if loss.ndim != 1 or len(loss) == 0:
        raise ValueError(f"generator_loss has shape {loss.shape}; expected (updates,).")
    if not np.isfinite(loss).all() or loss.min() < 0:
        bad = int(np.argmin(np.isfinite(loss) & (loss >= 0)))
        raise ValueError(
            f"generator_loss is {loss[bad]} at update {bad}; expected finite numbers of 0 or more."
        )
    loss = uniform_filter1d(loss, WINDOW, mode="nearest")
    rises = loss > (1 + MOVE) * np.minimum.accumulate(loss)
    rise = int(rises.argmax())
    falls = loss[rise:] < (1 - MOVE) * np.maximum.accumulate(loss[rise:])
    fall = rise + int(falls.argmax())
    if not rises.any() or not falls.any():
        return None
    peak = rise + int(loss[rise:fall].argmax())
    rises = loss[fall:] > (1 + MOVE) * np.minimum.accumulate(loss[fall:])
    over = bool(rises.any())
    end = fall + int(rises.argmax()) if over else len(loss)
    trough = fall + int(loss[fall:end].argmin())
    level = loss[trough] + REST * (loss[peak] - loss[trough])
    slows = peak + int((loss[peak : trough + 1] <= level).argmax())
    return Trend(peak, slows, trough, over)


def probe(loss_of: Callable[[int], np.ndarray], batches_per_epoch: int) -> tuple[np.ndarray, bool]:
    """Train without stopping, ever twice as long, until the generator's trend has slowed.

    ``loss_of`` trains anew for a number of epochs. Returned are the generator's loss of the last
    time, and whether it has slowed there.
    """
    n_updates, longest = PROBE_UPDATES
    while True:
        loss = loss_of(math.ceil(n_updates / batches_per_epoch))
        trend = find_trend(loss)
        # What has slowed by half of the record might only pause in its second half.
        slowed = trend is not None and (trend.over or 2 * trend.slows <= len(loss))
        if slowed or n_updates >= longest:
            return loss, slowed
        n_updates *= 2


def suggest_stop_epochs(generator_loss: ArrayLike, n_samples: int, batch_size: int = 500) -> int:
    """Read stop_epochs off the generator's loss of a training without stopping.

    Parameters
    ----------
    generator_loss : array-like of shape (updates,)
        See :func:`find_trend`.
    n_samples : int
        n, the rows trained on.
    batch_size : int, default=500
        Rows a batch, at most all rows.

    Returns
    -------
    int
        ceil(I / m), where the trend slows at update I, and m = n // min(batch_size, n) is the
        number of updates in an epoch. (The rule says ceil(n / 500), which also counts the rows
        left over after the last whole batch; the program never trains on those.)

    Raises
    ------
    ValueError
        If the loss shows no downward trend, or for what :func:`find_trend` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> rise, fall, rest = np.linspace(0.7, 0.9, 400), np.linspace(0.9, 0.7, 1600), np.full(99, 0.7)
    >>> suggest_stop_epochs(np.concatenate([rise, fall, rest]), n_samples=1000)
    920
    """
    for name, value in [("n_samples", n_samples), ("batch_size", batch_size)]:
        if value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more.")
    trend = find_trend(generator_loss)
    if trend is None:
        raise ValueError(
            f"generator_loss does not rise and then fall by a tenth within its"
            f" {len(np.asarray(generator_loss))} updates: there is no downward trend to slow."
            " Expected a longer record."
        )
    return max(1, math.ceil(trend.slows / (n_samples // min(batch_size, n_samples))))
