"""Times of calls, by turns."""

import contextlib
import functools
import io
import statistics
import time
from collections.abc import Callable, Hashable, Mapping

Work = Callable[[], object]


def seconds(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    """Wall time of one call, or by another clock; what it prints is dropped."""
    start = clock()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return clock() - start


def by_turns(
    sides: Mapping[Hashable, Work], turns: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Hashable, list[float]]:
    """Time the sides one after the other, again and again."""
    times = {name: [] for name in sides}
    for _ in range(turns):
        for name, work in sides.items():
            times[name].append(seconds(work, clock))
    return times


def medians(
    sides: Mapping[Hashable, Work], turns: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Hashable, float]:
    """Give the median time of each side, by turns."""
    return {name: statistics.median(t) for name, t in by_turns(sides, turns, clock).items()}


def per_epoch(
    fits: Mapping[Hashable, tuple[Callable[[int], object], int, int]], turns: int
) -> dict[Hashable, float]:
    """Give the seconds of an epoch, without what a fit does before and after its epochs.

    For each side there is a fit of so many epochs, and a short and a long number of them: what both
    fits have in common goes out by their difference.
    """
    sides = {
        (side, epochs): functools.partial(fit, epochs)
        for side, (fit, *lengths) in fits.items()
        for epochs in lengths
    }
    times = medians(sides, turns)
    return {
        side: (times[side, long] - times[side, short]) / (long - short)
        for side, (_, short, long) in fits.items()
    }
