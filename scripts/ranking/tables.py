"""What a table of cells says: scores by set, ranks and which of them differ, times."""

import itertools
import re

import numpy as np
import pandas as pd
from common.tables import markdown
from matplotlib.figure import Figure
from scipy.stats import friedmanchisquare, rankdata, spearmanr, wilcoxon

from ranking.detectors import DETECTORS, OTHER, TURNED

LEVEL = 0.05
MOST_SETS = 0.8  # of all, has who is ranked
KINDS = ["rows", "features", "outliers", "clustered", "distance"]
PORTS = ["SOGAAL", "PyOD SO_GAAL", "MOGAAL", "PyOD MO_GAAL"]


def by_division(cells: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Put together a row a protocol, set, division and detector: means over its trainings.

    ``cells`` are as they were collected, ``sets`` has a row a set by its name: what it is like. The
    other functions here take what is returned. A detector of which a cell failed has no score.
    """
    groups = cells.groupby(["protocol", "data", "seed", "detector"], sort=False)
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
    return means.reset_index().merge(sets.reset_index(names="data"), on="data").round(4)


def alike(table: pd.DataFrame) -> pd.DataFrame:
    """Keep of each set the divisions on which all have run that have run on the set at all."""
    keys = [table["protocol"], table["data"]]
    here = table.groupby(["protocol", "data", "seed"])["detector"].transform("nunique")
    return table[here == table.groupby(keys)["detector"].transform("nunique")]


def by_set(table: pd.DataFrame, score: str = "auc") -> pd.DataFrame:
    """Mean score over divisions: a row a set, a column a detector, of the detectors' order.

    Where a cell has failed it is NaN, as the mean would be of other divisions than the others'.
    """
    data, found = table["data"].unique(), table["detector"].unique()
    ways = [name + way for name in DETECTORS for way in ("", TURNED)]
    order = [*(name for name in ways if name in found), *(n for n in found if n not in ways)]
    means = table.groupby(["data", "detector"])[score].agg(lambda values: values.mean(skipna=False))
    return means.unstack().reindex(index=data, columns=order)


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

    Gives adjusted p-values by pairs of names; 1 where two are the same on every set.
    """
    couples = list(itertools.combinations(scores.columns, 2))
    p = [1.0 if (scores[a] == scores[b]).all() else wilcoxon(scores[a], scores[b]).pvalue
         for a, b in couples]  # fmt: skip
    return pd.Series(holm(np.array(p)), pd.MultiIndex.from_tuples(couples))


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """Leave out what cannot be ranked, and then the sets that some of the others lack.

    That is who has less than four of five sets, and what is another's turned round.
    """
    own = scores[[name for name in scores if not name.endswith(TURNED)]]
    return own.loc[:, own.notna().mean() >= MOST_SETS].dropna()


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


def overall(table: pd.DataFrame) -> list[str]:
    """Lay out what each detector does over the sets that all have that are ranked, and tests."""
    auc, precision = by_set(table), by_set(table, "average_precision")
    whole = ranked(auc)
    if whole.shape[1] < 3 or len(whole) < 2:
        return ["Too few detectors or sets for a test of their ranks."]
    order = ranks(whole).mean()
    rows = []
    for name in auc:
        own = table[(table["detector"] == name) & (table["error"] == "")]
        rows.append([name, f"{auc[name].notna().sum()} of {len(auc)}"])
        if name in order:
            rows[-1] += [
                f"{whole[name].mean():.3f}",
                f"{precision.loc[whole.index, name].mean():.3f}",
                f"{order[name]:.2f}",
                f"{(whole[name] < 0.5).sum()}",
            ]
        else:
            rows[-1] += [""] * 4
        rows[-1] += [
            f"{two_digits(own['fit_s'].median())} ({two_digits(own['fit_s'].max())})",
            two_digits(own["score_s"].median()),
        ]
    head = ["detector", "sets", "mean AUC", "mean AP", "mean rank", "AUC below 0.5", "fit, s",
            "score, s"]  # fmt: skip
    adjusted = pairs(whole)
    found = [sorted(pair, key=order.get) for pair in adjusted.index[adjusted < LEVEL]]
    listed = "; ".join(f"{better} before {worse}" for better, worse in found)
    p = friedmanchisquare(*whole.to_numpy().T).pvalue
    lacking = numbers(auc.index.difference(whole.index, sort=False))
    return [
        *markdown(head, rows),
        "",
        f"Means and ranks are of the {whole.shape[1]} detectors on the {len(whole)} sets that they"
        f" all have{f' (so not {lacking})' if lacking else ''}. That all rank alike has p ="
        f" {p:.2g} (Friedman). Pairs that differ (Wilcoxon, Holm, p < {LEVEL}):"
        f" {listed or 'none'}.",
    ]


def two_digits(value: float) -> str:
    """Write a number by its first two digits, as 150, 4.6 and 0.0011."""
    return f"{float(f'{value:.2g}'):g}"


def numbers(values: pd.Series) -> str:
    """Name the numbers of sets, such as "2, 10" of 2_annthyroid and 10_cover."""
    return ", ".join(str(value).split("_")[0] for value in values)


def sets_table(table: pd.DataFrame) -> list[str]:
    """Lay out AUC set by set, and below it what failed and what has not been run in full."""
    auc = by_set(table)
    plain = table[~table["detector"].str.endswith(TURNED)]
    good, failed = plain[plain["error"] == ""], plain[plain["error"] != ""]
    fewest = good.groupby(["detector", "data"], sort=False)["trainings"].min()
    told = {}  # of a detector, and so for all of the same sets: what, and on which
    for name in (name for name in auc if not name.endswith(TURNED)):
        for error, own in failed[failed["detector"] == name].groupby("error"):
            told.setdefault((f"failed: {error}", numbers(own["data"].unique())), []).append(name)
        seeds = DETECTORS[name].seeds if name in DETECTORS else 1
        own = fewest.get(name, pd.Series(dtype=int))
        for trainings, short in own[own < seeds].groupby(own):
            told.setdefault((f"{trainings} of {seeds} seeds", numbers(short.index)), []).append(
                name
            )
        there = plain.loc[plain["detector"] == name, "data"]
        if len(absent := auc.index.difference(there, sort=False)):
            told.setdefault(("not run", numbers(absent)), []).append(name)
    divisions = table.groupby("data")["seed"].nunique()
    rows = [
        [name, divisions[name], *(f"{value:.2f}" if value == value else "-" for value in own)]
        for name, own in auc.iterrows()
    ]
    lines = [f"- {'; '.join(names)}; on {on}: {what}" for (what, on), names in told.items()]
    return [*markdown(["mean AUC", "divisions", *auc.columns], rows), "", *lines]


def ports(table: pd.DataFrame) -> list[str]:
    """Lay out ours beside their ports, on the sets that both of a kind's ports have run on."""
    plain = table["detector"].str.removesuffix(TURNED)
    auc = by_set(alike(table[plain.isin(PORTS)])).dropna()
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in auc.iterrows()]
    rows.append([f"mean of {len(auc)}", *(f"{value:.3f}" for value in auc.mean())])
    rows.append(["below 0.5", *(f"{n}" for n in (auc < 0.5).sum())])
    return markdown(["mean AUC", *auc], rows)


def beside(table: pd.DataFrame) -> list[str]:
    """Lay out what a protocol changes: mean AUC by each, over the sets that all were run on."""
    names = table["protocol"].unique()
    both = table.groupby("detector")["protocol"].transform("nunique") == len(names)
    table = alike(table[both])
    both = table.groupby(["data", "seed"])["protocol"].transform("nunique") == len(names)
    if len(names) < 2 or not both.any():
        return ["One protocol alone."]
    scores = {name: by_set(table[both & (table["protocol"] == name)]) for name in names}
    shared, detectors = pd.concat(scores, axis=1).dropna(), list(scores[names[0]])
    first, *others = (own.loc[shared.index, detectors] for own in scores.values())
    rows = [
        [d, f"{first[d].mean():.3f}", *(f"{own[d].mean():.3f}" for own in others),
         *(f"{(own - first)[d].min():+.2f} to {(own - first)[d].max():+.2f}" for own in others)]
        for d in detectors
    ]  # fmt: skip
    head = ["mean AUC", *names, *(f"{name}, set by set" for name in names[1:])]
    return [*markdown(head, rows), "", f"On {', '.join(shared.index)}."]


def whole_sets(table: pd.DataFrame) -> list[str]:
    """Lay out what detectors do on whole sets, and what they cost: time and memory."""
    own = table.sort_values(["rows", "detector"])
    rows = [
        [row.data, f"{row.rows:,.0f} x {row.features:.0f}", row.detector,
         *([f"{row.auc:.3f}", f"{row.average_precision:.3f}", f"{row.fit_s:.0f}",
            f"{row.score_s:.1f}", f"{row.memory_mb:.0f}"] if row.error == "" else [row.error] * 5)]
        for row in own.itertuples()
    ]  # fmt: skip
    return markdown(
        ["set", "rows", "detector", "AUC", "AP", "fit, s", "score, s", "memory, MB"], rows
    )


def kinds(table: pd.DataFrame) -> list[str]:
    """Lay out with what kind of set a detector is the better, beside the others: Spearman's rho.

    AUC is taken above the mean of the detectors that are ranked, as sets are hard for all or easy;
    but for ports that are scored upside down, whose AUC falls where a set is easy.
    """
    auc = ranked(by_set(table))
    auc = auc.drop(columns=[n for n in auc if n in DETECTORS and DETECTORS[n].turned])
    if len(auc) < 5:
        return ["Too few sets to tell of kinds of them."]
    auc = auc.sub(auc.mean(axis=1), axis=0)
    known = table.drop_duplicates("data").set_index("data")[KINDS].reindex(auc.index)
    auc, known = auc[known.notna().all(axis=1)], known.dropna()
    found = {name: [spearmanr(auc[name], known[kind]) for kind in KINDS] for name in auc}
    rows = [[name, *(f"{r:+.2f}{' *' if p < LEVEL else ''}" for r, p in own)]
            for name, own in found.items()]  # fmt: skip
    return markdown(["better with more", *KINDS], rows)


def parts(table: pd.DataFrame) -> dict[str, list[str]]:
    """Lay out what a page shows, by the names by which it marks the places."""
    first = table[table["protocol"] == table["protocol"].iloc[0]]
    published = alike(first)
    return {
        "overall": overall(published),
        "sets": sets_table(published),
        "ports": ports(first),
        "kinds": kinds(published),
        "protocols": beside(table[table["protocol"] != "whole"]),
        "whole": whole_sets(table[table["protocol"] == "whole"]),
    }


def fill(page: str, table: pd.DataFrame) -> str:
    """Put the tables into a page that marks their places: ``<!-- sets -->`` to ``<!-- end -->``."""
    laid_out = parts(table)

    def part(place: re.Match) -> str:
        return "\n".join([f"<!-- {place[1]} -->", "", *laid_out[place[1]], "", "<!-- end -->"])

    return re.sub(rf"<!-- ({'|'.join(laid_out)}) -->.*?<!-- end -->", part, page, flags=re.DOTALL)
