"""The rules by which a run is judged against what was published.

Every rule takes numbers and returns a :class:`Comparison` with the two numbers, the rule in
words, and a verdict. Some rules are tolerances, others tests with a p-value. The tests of one
target are judged together (:func:`together`), so that a faithful program seldom fails one of
them however many there are. A target's verdict is the worst of its comparisons'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

REPRODUCED = "reproduced"
DIFFERS = "differs"
HOLDS = "holds"
FAILS = "does not hold"
UNTOLD = "cannot be told"
STAND_IN = "stand-in"
CANNOT = "cannot be compared"

LEVEL = 0.01
"""Chance, at most, that a faithful program fails the tests of a target."""

RANGE_RUNS = 10
"""Runs, at least, whose range a single published run is held against."""


@dataclass(frozen=True)
class Comparison:
    """One number or set of numbers beside the published one, and the verdict on it.

    ``difference`` is ours minus the published one, NaN where there is no single number. ``of``
    names the data that our numbers are of. A comparison made by a test has its ``p``, the
    ``least`` p that so many runs can give, the ``adjusted`` p that its verdict is by, and in
    ``outcomes`` the verdicts below the level and at it. A statement of order has its ``pairs``, the
    differences that it was judged by, which a report does not state.
    """

    what: str
    ours: str
    published: str
    rule: str
    verdict: str
    difference: float = math.nan
    reason: str = ""
    of: str = ""
    p: float = math.nan
    least: float = math.nan
    adjusted: float = math.nan
    outcomes: tuple[str, str] | None = None
    pairs: tuple[float, ...] = ()

    def alone(self) -> Comparison:
        """Judge what a test has found as if it were the only one."""
        return self.by(self.p, self.least)

    def by(self, adjusted: float, least: float) -> Comparison:
        """Judge what a test has found by a p-value adjusted for the tests beside it."""
        telling, silent = self.outcomes
        if adjusted < LEVEL:
            return replace(self, verdict=telling, adjusted=adjusted, reason="")
        if least >= LEVEL and silent == REPRODUCED:
            reason = f"too few runs: p, adjusted, cannot be less than {least:.2g}"
            return replace(self, verdict=CANNOT, adjusted=adjusted, reason=reason)
        return replace(self, verdict=silent, adjusted=adjusted, reason="")


def together(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Judge the tests of one target at ``LEVEL`` together: the more tests, the stricter each.

    The p-values that tell ours from theirs are adjusted as Benjamini and Hochberg do: where
    all are alike, so that every finding is false, there is one with a chance of ``LEVEL`` at most
    (Simes). Those of statements of order, of which some may be true, are multiplied by their
    number (Bonferroni).
    """
    comparisons = list(comparisons)
    alike = [i for i, c in enumerate(comparisons) if c.outcomes and REPRODUCED in c.outcomes]
    orders = [i for i, c in enumerate(comparisons) if c.outcomes and UNTOLD in c.outcomes]
    adjusted = dict(
        zip(alike, stats.false_discovery_control([comparisons[i].p for i in alike]))
        if alike
        else ()
    )
    adjusted |= {i: min(1.0, comparisons[i].p * len(orders)) for i in orders}
    return [
        c.by(float(adjusted[i]), c.least * len(alike if i in alike else orders))
        if i in adjusted
        else c
        for i, c in enumerate(comparisons)
    ]


def of(data: str, comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Say of which data our numbers are."""
    return [replace(comparison, of=data) for comparison in comparisons]


def as_stand_in(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Take back the verdicts on numbers of other data than the published ones."""
    return [
        replace(c, rule="none", verdict=STAND_IN, reason="", difference=math.nan, outcomes=None)
        for c in comparisons
    ]


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


def in_band(
    what: str, ours: Sequence[float], band: tuple[float, float, float], runs: int
) -> Comparison:
    """Judge runs against the (min, median, max) of ``runs`` published ones.

    If ours are drawn as theirs are, all orders of the lot are equally likely, and so the chance of
    k of ours above all of theirs is that of k of ours in the first k places. The p-value is twice
    that of the worse side. What is outside by less than rounding counts as inside.
    """
    low, middle, high = band
    rounding = 0.00005
    ours = np.asarray(ours, float)
    median = float(np.median(ours))

    def chance(outside: int) -> float:
        return min(1.0, 2 * math.comb(len(ours), outside) / math.comb(len(ours) + runs, outside))

    outside = max((ours > high + rounding).sum(), (ours < low - rounding).sum())
    p = chance(int(outside)) if np.isfinite(ours).all() else 0.0
    return Comparison(
        what,
        f"{median:.4g} [{ours.min():.4g}, {ours.max():.4g}] of {len(ours)}",
        f"{middle:.4g} [{low:.4g}, {high:.4g}] of {runs}",
        "as many of ours above their maximum or below their minimum as chance allows",
        REPRODUCED,
        median - middle,
        p=p,
        least=chance(len(ours)),
        outcomes=(DIFFERS, REPRODUCED),
    ).alone()


def one_run(
    what: str, ours: Sequence[float], published: float, tolerance: float, runs: int, near: str = ""
) -> Comparison:
    """Judge the value of a single published run by the range of ``runs`` of ours.

    Reproduced if it lies in that range, give or take ``tolerance``, what reading it off a figure
    may be out. Outside, the p-value is that of a further run of ours so far from the rest
    (Student's t, as in a prediction interval). ``near`` says where ours were taken, if not just
    at one place; there are then several values a run.
    """
    ours = np.asarray(ours, float)
    low, high, median = float(ours.min()), float(ours.max()), float(np.median(ours))
    shown = f"{median:.4g} [{low:.4g}, {high:.4g}] of {runs}"
    if runs < RANGE_RUNS:
        reason = f"a single run is held against the range of {RANGE_RUNS} or more; these are {runs}"
        return replace(cannot(what, shown, reason), published=f"{published:.4g}")
    if low - tolerance <= published <= high + tolerance:
        p = 1.0
    elif math.isfinite(low):
        # Values of one run are no runs of their own: degrees of freedom count runs.
        off = abs(published - ours.mean()) - tolerance
        spread = ours.std(ddof=1) * math.sqrt(1 + 1 / runs)
        p = 2 * float(stats.t.sf(off / spread, runs - 1)) if spread > 0 else 0.0
    else:
        p = 0.0
    return Comparison(
        what,
        shown,
        f"{published:.4g}",
        f"the published value in our range{near}, give or take {tolerance:g}, or so near that"
        " chance allows it",
        REPRODUCED,
        median - published,
        p=p,
        least=0.0,
        outcomes=(DIFFERS, REPRODUCED),
    ).alone()


def same_distribution(what: str, ours: Sequence, published: Sequence) -> Comparison:
    """Judge two sets of runs: reproduced unless a Kolmogorov-Smirnov test tells them apart.

    A number a run, or a row of as many numbers a run: values of one run are no runs of their own,
    and it is whole runs that change sides in a permutation test of the distance then, of which
    there must be two.
    """
    ours, published = np.asarray(ours, float), np.asarray(published, float)
    several = ours.ndim > 1
    test = _p_of_whole_runs if several else lambda a, b: float(stats.ks_2samp(a, b).pvalue)
    shown = [
        f"median {np.median(runs):.4g}, {runs.min():.4g} to {runs.max():.4g} of {runs.size}"
        + (f" in {len(runs)} runs" if several else "")
        for runs in (ours, published)
    ]
    return Comparison(
        what,
        *shown,
        "Kolmogorov-Smirnov test" + (", by permutations of whole runs" if several else ""),
        REPRODUCED,
        float(np.median(ours) - np.median(published)),
        p=test(ours, published) if np.isfinite(ours).all() else 0.0,
        least=test(np.zeros_like(ours), np.ones_like(published)),
        outcomes=(DIFFERS, REPRODUCED),
    ).alone()


def _p_of_whole_runs(ours: np.ndarray, published: np.ndarray) -> float:
    if min(len(ours), len(published)) < 2:
        return 1.0
    runs = np.concatenate([ours, published])
    shares = (runs[:, :, None] <= np.unique(runs)).mean(axis=1)  # of each run, up to a value

    def distance(one, other, axis):
        return np.abs(shares[one].mean(axis=-2) - shares[other].mean(axis=-2)).max(axis=-1)

    test = stats.permutation_test(
        (np.arange(len(ours)), np.arange(len(ours), len(runs))),
        distance,
        vectorized=True,
        alternative="greater",
        batch=100,
        rng=0,
    )
    return float(test.pvalue)


def ordered(
    what: str, higher: Sequence[float], lower: Sequence[float], published: str, names: str
) -> Comparison:
    """Judge a statement of order by pairs: it holds, does not hold, or cannot be told.

    ``higher[i]`` and ``lower[i]`` are of one seed, or of one data set. The p-value is of the mean
    difference under all changes of sign (a paired permutation test, exact up to 13 pairs).
    """
    pairs = np.asarray(higher, float) - np.asarray(lower, float)
    mean = float(pairs.mean())
    if np.isfinite(pairs).all() and len(pairs) > 1:
        test = stats.permutation_test(
            (pairs,),
            np.mean,
            permutation_type="samples",
            alternative="greater" if mean > 0 else "less",
            rng=0,
        )
        p = min(1.0, 2 * float(test.pvalue))
    else:
        p = 0.0 if not np.isfinite(pairs).all() else 1.0
    return Comparison(
        what,
        f"{names}: {mean:+.4f} on average, {(pairs > 0).sum()} of {len(pairs)} pairs above 0",
        published,
        "paired permutation test of the mean difference",
        UNTOLD,
        mean,
        p=p,
        least=2 * 0.5 ** len(pairs),
        outcomes=(HOLDS if mean > 0 else FAILS, UNTOLD),
        pairs=tuple(pairs.tolist()),
    ).alone()


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
    """Judge a statement that is true or false of all runs: reproduced if the condition is true."""
    return Comparison(what, ours, published, rule, REPRODUCED if condition else DIFFERS)


def stand_in(what: str, ours: Sequence[float], bound: float, published: str) -> Comparison:
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
        STAND_IN if lowest >= bound else DIFFERS,
    )


def cannot(what: str, ours: str, reason: str) -> Comparison:
    """Set our result down where there is no published number to hold it against."""
    return Comparison(what, ours, "none", "none", CANNOT, reason=reason)


ORDER = {
    DIFFERS: DIFFERS,
    FAILS: DIFFERS,
    UNTOLD: UNTOLD,
    REPRODUCED: REPRODUCED,
    HOLDS: REPRODUCED,
    STAND_IN: STAND_IN,
    CANNOT: CANNOT,
}
"""The verdict that a comparison's makes on its target, the worst first."""


def overall(comparisons: Sequence[Comparison]) -> str:
    """Return the worst verdict; what cannot be compared counts only where nothing else is."""
    found = {comparison.verdict for comparison in comparisons}
    return next((made for verdict, made in ORDER.items() if verdict in found), CANNOT)
