"""The rules by which a run is judged against what was published.

Every rule takes numbers and returns a :class:`Comparison` with the two numbers, the rule in
words, and a verdict. A target's verdict is the worst of its comparisons'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

REPRODUCED = "reproduced"
DIFFERS = "differs"
CANNOT = "cannot be compared"


@dataclass(frozen=True)
class Comparison:
    """One number or set of numbers beside the published one, and the verdict on it.

    ``difference`` is ours minus the published one, NaN where there is no single number.
    """

    what: str
    ours: str
    published: str
    rule: str
    verdict: str
    difference: float = math.nan
    reason: str = ""


def within(what: str, ours: float, published: float, tolerance: float) -> Comparison:
    """Judge one number: reproduced if it lies within ``tolerance`` of the published one."""
    good = abs(ours - published) <= tolerance
    return Comparison(
        what,
        f"{ours:.4g}",
        f"{published:.4g}",
        f"within {tolerance:g}",
        REPRODUCED if good else DIFFERS,
        ours - published,
    )


def at_least(what: str, ours: Sequence[float], bound: float, published: str = "") -> Comparison:
    """Judge runs: reproduced if every one of them reaches ``bound``."""
    lowest = float(np.min(ours))
    return Comparison(
        what,
        f"{lowest:.4g} (lowest of {len(ours)})",
        published or f"at least {bound:g}",
        f"every run at least {bound:g}",
        REPRODUCED if lowest >= bound else DIFFERS,
        lowest - bound,
    )


def at_most(what: str, ours: Sequence[float], bound: float, published: str = "") -> Comparison:
    """Judge runs: reproduced if none of them exceeds ``bound``."""
    highest = float(np.max(ours))
    return Comparison(
        what,
        f"{highest:.4g} (highest of {len(ours)})",
        published or f"at most {bound:g}",
        f"every run at most {bound:g}",
        REPRODUCED if highest <= bound else DIFFERS,
        highest - bound,
    )


def median_in_band(
    what: str, ours: Sequence[float], band: tuple[float, float, float]
) -> Comparison:
    """Judge runs by their median: reproduced if it lies in the (min, median, max) published."""
    low, middle, high = band
    median = float(np.median(ours))
    return Comparison(
        what,
        f"{median:.4g} (median of {len(ours)})",
        f"{middle:.4g} [{low:.4g}, {high:.4g}]",
        "our median between the published minimum and maximum",
        REPRODUCED if low <= median <= high else DIFFERS,
        median - middle,
    )


def ranges_overlap(
    what: str, ours: Sequence[float], band: tuple[float, float, float], rounding: float = 0.0005
) -> Comparison:
    """Judge runs by their range: reproduced if it overlaps the (min, median, max) published."""
    low, middle, high = band
    lowest, highest = float(np.min(ours)), float(np.max(ours))
    median = float(np.median(ours))
    return Comparison(
        what,
        f"{median:.4g} [{lowest:.4g}, {highest:.4g}] of {len(ours)}",
        f"{middle:.4g} [{low:.4g}, {high:.4g}]",
        "the two ranges overlap",
        REPRODUCED if lowest <= high + rounding and highest >= low - rounding else DIFFERS,
        median - middle,
    )


def in_our_range(
    what: str, ours: Sequence[float], published: float, tolerance: float, near: str = ""
) -> Comparison:
    """Judge one published value: reproduced if it lies in the range of ours, give or take.

    ``near`` says where ours were taken, if not just at one place.
    """
    low, high = float(np.min(ours)), float(np.max(ours))
    median = float(np.median(ours))
    good = low - tolerance <= published <= high + tolerance
    return Comparison(
        what,
        f"{median:.4g} [{low:.4g}, {high:.4g}]",
        f"{published:.4g}",
        f"the published value between our minimum and maximum{near}, give or take {tolerance:g}",
        REPRODUCED if good else DIFFERS,
        median - published,
    )


def same_distribution(
    what: str, ours: Sequence[float], published: Sequence[float], level: float = 0.01
) -> Comparison:
    """Judge two sets of runs: reproduced unless a Kolmogorov-Smirnov test tells them apart.

    Runs too few for the test ever to do so cannot be compared.
    """
    shown = f"median {np.median(ours):.4g}, {np.min(ours):.4g} to {np.max(ours):.4g} of {len(ours)}"
    if stats.ks_2samp(np.zeros(len(ours)), np.ones(len(published))).pvalue >= level:
        return cannot(what, shown, f"too few runs for a Kolmogorov-Smirnov test at {level:g}")
    p = float(stats.ks_2samp(ours, published).pvalue)
    return Comparison(
        what,
        shown,
        f"median {np.median(published):.4g}, {np.min(published):.4g} to"
        f" {np.max(published):.4g} of {len(published)}",
        f"Kolmogorov-Smirnov p at least {level:g} (here {p:.2g})",
        REPRODUCED if p >= level else DIFFERS,
        float(np.median(ours) - np.median(published)),
    )


def curve_within(
    what: str, ours: Sequence[float], published: Sequence[float], tolerance: float
) -> Comparison:
    """Judge a curve at its points: reproduced if none lies further than ``tolerance`` off.

    The difference is that of the point furthest off.
    """
    differences = np.asarray(ours) - np.asarray(published)
    furthest = float(differences[np.argmax(np.abs(differences))])
    return Comparison(
        what,
        ", ".join(f"{value:.3f}" for value in ours),
        ", ".join(f"{value:g}" for value in published),
        f"every point within {tolerance:g}",
        REPRODUCED if abs(furthest) <= tolerance else DIFFERS,
        furthest,
    )


def holds(what: str, condition: bool, ours: str, published: str, rule: str) -> Comparison:
    """Judge a statement in words, such as an order: reproduced if the condition is true."""
    return Comparison(what, ours, published, rule, REPRODUCED if condition else DIFFERS)


def stand_in(
    what: str, ours: Sequence[float], bound: float, published: str, reason: str
) -> Comparison:
    """Judge runs on data that stand in for the published ones.

    Numbers on other data cannot be compared, however good; but if a run does not reach
    ``bound``, which any that works does, it differs.
    """
    lowest = float(np.min(ours))
    return Comparison(
        what,
        f"{lowest:.4g} (lowest of {len(ours)})",
        published,
        f"differs if a run is below {bound:g}, else not compared",
        CANNOT if lowest >= bound else DIFFERS,
        reason=reason,
    )


def cannot(what: str, ours: str, reason: str) -> Comparison:
    """Set our result down where there is no published number to hold it against."""
    return Comparison(what, ours, "none", "none", CANNOT, reason=reason)


def overall(comparisons: Sequence[Comparison]) -> str:
    """Return the worst verdict: one that differs outweighs all, one reproduced the rest."""
    verdicts = {comparison.verdict for comparison in comparisons}
    for verdict in (DIFFERS, REPRODUCED):
        if verdict in verdicts:
            return verdict
    return CANNOT
