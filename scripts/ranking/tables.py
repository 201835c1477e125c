"""What a table of cells says: scores by set, ranks and which of them differ, times."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from common.tables import markdown
from matplotlib.figure import Figure
from scipy.stats import friedmanchisquare, rankdata, spearmanr, wilcoxon

from ranking.detectors import DETECTORS, OTHER, TURNED

LEVEL = 0.05


def by_set(cells: pd.DataFrame, score: str = "auc") -> pd.DataFrame:
    """Mean score over divisions and seeds: a row a set, a column a detector.

    Where a cell has failed it is NaN, as the mean would be of other divisions than the others'.
    """
    order = {name: list(dict.fromkeys(cells[name])) for name in ("data", "detector")}
    means = cells.groupby(["data", "detector"])[score].agg(lambda values: values.mean(skipna=False))
    return means.unstack().reindex(index=order["data"], columns=order["detector"])


def ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """Rank the detectors on each set, 1 for the best; ties share the mean of theirs."""
    return pd.DataFrame(rankdata(-scores, axis=1), scores.index, scores.columns)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values of a family of tests by Holm's step-down procedure."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def pairs(scores: pd.DataFrame) -> pd.Series:
    """Test each pair of detectors over the sets: Wilcoxon's signed ranks, adjusted by Holm.

    Returns
    -------
    Series
        Adjusted p-values by pairs of names; 1 where two are the same on every set.
    """
    couples = list(itertools.combinations(scores.columns, 2))
    p = [1.0 if (scores[a] == scores[b]).all() else wilcoxon(scores[a], scores[b]).pvalue
         for a, b in couples]  # fmt: skip
    return pd.Series(holm(np.array(p)), pd.MultiIndex.from_tuples(couples))


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """Leave out the detectors that failed on a set, and those that are another's turned round."""
    whole = scores.dropna(axis=1)
    return whole[[name for name in whole if not name.endswith(TURNED)]]


def cliques(p: pd.Series, order: list[str]) -> list[tuple[int, int]]:
    """Find the longest runs of neighbours in rank of which no pair differs, as first and last."""
    different = {frozenset(pair) for pair in p.index[p < LEVEL]}
    found = []
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and not any(
            frozenset((order[i], order[last + 1])) in different for i in range(first, last + 1)
        ):
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def draw(scores: pd.DataFrame) -> Figure:
    """Draw the critical-difference diagram: mean ranks, and bars over those that do not differ."""
    mean = ranks(scores).mean().sort_values(kind="stable")
    names, n = list(mean.index), len(mean)
    bars = cliques(pairs(scores), names)
    left = (n + 1) // 2
    figure = Figure(figsize=(9, 1.4 + 0.28 * left + 0.13 * len(bars)), layout="constrained")
    ax = figure.subplots()
    top = 0.5 * len(bars) + 0.5  # where labels begin, below the bars
    for place, (name, rank) in enumerate(mean.items()):
        on_left = place < left
        y = top + (place if on_left else n - 1 - place)
        side = 0.6 if on_left else n + 0.4
        colour = DETECTORS[name].colour if name in DETECTORS else OTHER
        ax.plot([rank, rank, side], [0, y, y], color=colour, linewidth=1)
        text = f"{name}  {rank:.2f}" if on_left else f"{rank:.2f}  {name}"
        ax.annotate(
            text,
            (side, y),
            (-4 if on_left else 4, 0),
            textcoords="offset points",
            ha="right" if on_left else "left",
            va="center",
            color=colour,
            fontsize="small",
        )
    for level, (first, last) in enumerate(bars):
        ends = mean.iloc[[first, last]] + np.array([-0.06, 0.06])
        ax.plot(ends, [0.5 + 0.5 * level] * 2, color="black", linewidth=3, solid_capstyle="butt")
    ax.set(xlim=(-3, n + 4), ylim=(top + left - 0.5, -0.2))
    ax.spines[["left", "right", "bottom"]].set_visible(False)
    ax.spines["top"].set_bounds(1, n)
    ax.xaxis.tick_top()
    ax.set_xticks(range(1, n + 1))
    ax.set_yticks([])
    ax.set_title(f"mean rank over {len(scores)} sets, by ROC AUC", fontsize="medium")
    return figure


def overall(cells: pd.DataFrame) -> list[str]:
    """Lay out what each detector does over all sets that all of them have run on."""
    auc, precision = by_set(cells), by_set(cells, "average_precision")
    whole = ranked(auc)
    order = ranks(whole).mean() if len(whole) else pd.Series(dtype=float)
    spread = cells.groupby(["detector", "data"])["auc"].std().groupby("detector").median()
    rows = []
    for name in auc:
        own = cells[(cells["detector"] == name) & (cells["error"] == "")]
        missing = int(auc[name].isna().sum())
        rows.append(
            [
                name,
                f"{auc[name].mean():.3f}" + (f" (without {missing} sets)" if missing else ""),
                f"{precision[name].mean():.3f}",
                f"{order[name]:.2f}" if name in order else "",
                f"{spread[name]:.3f}" if spread[name] > 0 else "0",
                f"{(auc[name] < 0.5).sum()} of {len(auc) - missing}",
                f"{own['fit_s'].median():.2g} ({own['fit_s'].max():.2g})",
                f"{own['score_s'].median():.2g}",
            ]
        )
    head = [
        "detector", "mean AUC", "mean AP", "mean rank", "SD", "AUC below 0.5, sets", "fit, s",
        "score, s",
    ]  # fmt: skip
    return markdown(head, rows)


def tests(cells: pd.DataFrame) -> list[str]:
    """Tell what the ranks are worth: Friedman's test over all, then the pairs that differ."""
    whole = ranked(by_set(cells))
    if whole.shape[1] < 3 or len(whole) < 2:
        return ["Too few detectors or sets for a test of their ranks.", ""]
    p = friedmanchisquare(*whole.to_numpy().T).pvalue
    adjusted = pairs(whole)
    lines = [
        f"{whole.shape[1]} detectors are ranked on {len(whole)} sets. That all rank alike has"
        f" p = {p:.2g} (Friedman)."
    ]
    mean = ranks(whole).mean()
    found = [sorted(pair, key=mean.get) for pair in adjusted.index[adjusted < LEVEL]]
    listed = "; ".join(f"{better} before {worse}" for better, worse in found)
    lines += [
        f"Pairs that differ (Wilcoxon, Holm, p < {LEVEL}): {listed or 'none'}.",
        "",
    ]
    return lines


def sets_table(cells: pd.DataFrame) -> list[str]:
    """Lay out AUC set by set, and below it why cells failed."""
    auc = by_set(cells)
    failed = cells[cells["error"] != ""].groupby(["detector", "data"], sort=False)["error"].first()

    def cell(name: str, detector: str) -> str:
        value = auc.loc[name, detector]
        missing = "failed" if (detector, name) in failed else "not run"
        return f"{value:.2f}" if value == value else missing

    rows = [[name, *(cell(name, detector) for detector in auc)] for name in auc.index]
    told = [f"- {detector} on {name} failed: {error}" for (detector, name), error in failed.items()]
    return [*markdown(["mean AUC", *auc.columns], rows), "", *told]


def beside(cells: pd.DataFrame) -> list[str]:
    """Lay out what a protocol changes: mean AUC by each, over the sets that all were run on."""
    scores = {name: by_set(own) for name, own in cells.groupby("protocol", sort=False)}
    if len(scores) < 2:
        return []
    detectors = [d for d in next(iter(scores.values())) if all(d in own for own in scores.values())]
    shared = pd.concat([own[detectors] for own in scores.values()], axis=1, join="inner").dropna()
    data = list(shared.index)
    first, *others = (own.loc[data, detectors] for own in scores.values())
    rows = [
        [d, f"{first[d].mean():.3f}", *(f"{own[d].mean():.3f}" for own in others),
         *(f"{(own - first)[d].min():+.2f} to {(own - first)[d].max():+.2f}" for own in others)]
        for d in detectors
    ]  # fmt: skip
    names = list(scores)
    head = ["mean AUC", *names, *(f"{name}, set by set" for name in names[1:])]
    title = f"## {' and '.join(names)}, on {', '.join(data)}"
    return [title, "", *markdown(head, rows), ""]


def long(cells: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Put together a row a protocol, set and detector: means, what failed, and the kind of set."""
    groups = cells.groupby(["protocol", "data", "detector"], sort=False)
    means = groups.agg(
        trainings=("auc", "size"),
        auc=("auc", lambda values: values.mean(skipna=False)),
        auc_sd=("auc", "std"),
        average_precision=("average_precision", lambda values: values.mean(skipna=False)),
        fit_s=("fit_s", "median"),
        score_s=("score_s", "median"),
        memory_mb=("memory_mb", "median"),
        error=("error", "max"),
    )
    return means.reset_index().merge(sets.reset_index(names="data"), on="data").round(5)


def kinds(cells: pd.DataFrame, sets: pd.DataFrame) -> list[str]:
    """Lay out with what kind of set a detector is the better, beside the others: Spearman's rho.

    AUC is taken above the mean of the detectors that are ranked, as sets are hard for all or easy.
    """
    auc = ranked(by_set(cells))
    auc = auc.sub(auc.mean(axis=1), axis=0)
    known = sets.reindex(auc.index)
    if len(auc) < 5:
        return ["Too few sets to tell of kinds of them.", ""]
    rows = []
    for name in auc:
        kept = auc[name].notna() & known.notna().all(axis=1)
        found = [spearmanr(auc[name][kept], known[kind][kept]) for kind in known]
        rows.append([name, *(f"{r:+.2f}{' *' if p < LEVEL else ''}" for r, p in found)])
    return [*markdown(["better with more", *known.columns], rows), ""]


def summary(cells: pd.DataFrame, sets: pd.DataFrame, command: str) -> str:
    """Lay all out as Markdown, a part for every protocol."""
    lines = ["# Detectors on ADBench's data sets", "", f"Made by `{command}`.", ""]
    for protocol, own in cells.groupby("protocol", sort=False):
        lines += [f"## Protocol: {protocol}", "", *overall(own), "", *tests(own), *sets_table(own)]
        lines += ["", *kinds(own, sets)]
    lines += beside(cells)
    lines += [
        "AUC and AP (average precision): the mean over divisions and seeds, of sets the mean of"
        " those. SD: that of AUC over divisions and seeds on a set, the median of the sets. Times"
        " on one thread: the median, and the longest; the first of a shape is compiled in it.",
        "",
        "Kinds of sets: Spearman's correlation, over the sets, of AUC above the mean of all"
        f" ranked detectors; * for p < {LEVEL}, which one of twenty has by chance. clustered:"
        " the share of outliers whose nearest row is an outlier; distance: of an outlier to its"
        " nearest inlier, in that of an inlier to its own.",
        "",
        "![Mean ranks](ranks.png)",
        "",
    ]
    return "\n".join(lines)
