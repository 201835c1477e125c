"""Tables and figure of the comparison, from the table of runs."""

import importlib.metadata
import platform

import numpy as np
import pandas as pd
from common.tables import markdown
from matplotlib.figure import Figure
from ranking.detectors import OTHER, OURS, PORT
from scipy.stats import mannwhitneyu

from porting.methods import METHODS

LEVEL = 0.01
SEVERAL = 3  # data sets, from which on they are also laid out together
ROUND = "turned round"  # in the name of a score that is a port's own the other way up
FACTS = {
    "auc_stop": "AUC at the stop node",
    "auc": "AUC at the end",
    "auc_best": "best AUC",
    "d_loss_lowest": "lowest D loss",
    "g_loss_end": "G loss at the end",
}


def title(name: str) -> str:
    """Name a method for readers: its title, or the departures that are switched on."""
    return METHODS[name].title if name in METHODS else name


def spread(values: pd.Series) -> str:
    """Mean, and the range where there is more than one run."""
    if values.isna().all():
        return ""
    mean = f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ({values.min():.3f} to {values.max():.3f})"


def comparison(table: pd.DataFrame) -> list[str]:
    """Lay out the comparison on one data set: a row a method, setting and score."""
    rows = []
    for (name, settings, score), runs in table.groupby(["method", "settings", "score"], sort=False):
        label = title(name) + (f": {score}" if score else "")
        cells = [spread(runs[column]) for column in ("auc", "average_precision")]
        cells.append(seconds(runs["seconds"].mean()))
        means = runs[["memory_mb", "peak_mb"]].mean()
        cells += ["" if np.isnan(mean) else f"{mean:.0f}" for mean in means]
        rows.append([label, settings, len(runs), *cells])
    head = ["detector", "settings", "runs", "ROC AUC", "average precision", "s", "MB", "MB in all"]
    return markdown(head, rows)


def over_sets(table: pd.DataFrame) -> list[str]:
    """Lay out what each detector does on several data sets: over all, and set by set.

    A score is the wrong way up where its AUC is less than 0.5. Its rank on a set is that of its
    mean AUC among the other detectors', those of PyOD as they are; 1 is the best. Sets on which
    a detector is missing are left out of the ranks, so that all are of the same sets.
    """
    frame = table.assign(label=labels_of(table), round=table["score"].str.contains(ROUND))
    labels = list(frame["label"].unique())
    by_set = frame.groupby(["data", "label"])["auc"].agg(["mean", "count"]).unstack()
    by_set = by_set.reindex(frame["data"].unique())
    mean, runs = by_set["mean"][labels], by_set["count"][labels]
    whole = mean.dropna()
    twins = frame.drop_duplicates("label").set_index("label")[["method", "round"]]
    rows = []
    for label, twin in twins.iterrows():
        part = frame[frame["label"] == label]
        field = twins.index[~twins["round"] & (twins["method"] != twin["method"])]
        others, own = whole[field], whole[[label]].to_numpy()
        ranks = 1 + (others > own).sum(axis=1) + (others == own).sum(axis=1) / 2
        wrong = mean[label].dropna() < 0.5
        rows.append(
            [
                label,
                f"{mean[label].mean():.3f}",
                f"{(part['auc'] < 0.5).sum()} of {len(part)}",
                f"{wrong.sum()} of {len(wrong)}",
                f"{ranks.mean():.1f} of {len(field) + 1}" if len(whole) else "",
                f"{seconds(part['seconds'].median())} ({seconds(part['seconds'].max())})",
            ]
        )
    head = ["detector", "mean AUC", "wrong way up: runs", "sets, by their mean", "mean rank"]
    lines = [*markdown([*head, "s, median (longest)"], rows), ""]
    lines += [f"Ranks are over the {len(whole)} sets on which all have run.", ""]
    cells = []
    for name in mean.index:
        cells.append([name])
        for auc, count, most in zip(mean.loc[name], runs.loc[name], runs.max()):
            short = f" ({count:.0f} of {most:.0f} runs)" if count < most else ""
            cells[-1].append("not run" if np.isnan(auc) else f"{auc:.2f}{short}")
    return [*lines, *markdown(["mean AUC", *labels], cells), ""]


def seconds(value: float) -> str:
    """Write seconds, two digits where they are few."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def differs(values: pd.Series, others: pd.Series) -> bool:
    """Tell whether two sets of runs differ by a two-sided Mann-Whitney test at 1%."""
    return bool(mannwhitneyu(values, others).pvalue < LEVEL)


def departures_table(table: pd.DataFrame) -> list[str]:
    """Lay out what each departure does on one data set to one algorithm.

    An asterisk marks what differs from the published program's by :func:`differs`.
    """
    from porting.departures import DEPARTURES, PORTS

    together = {frozenset(port): name for name, (_, port) in PORTS.items()}
    rows, plain = [], {}
    for (name, settings), runs in table.groupby(["method", "settings"], sort=False):
        algorithm, *switched = [part for part in name.split("+") if part]
        if not switched:
            plain[settings] = runs
            label = f"{algorithm} as published"
        elif len(switched) == 1:
            label = DEPARTURES[switched[0]].what + f" (`{switched[0]}`)"
        else:
            label = f"all of {together.get(frozenset(switched), ' + '.join(switched))}"
        cells = {fact: spread(runs[fact]) for fact in FACTS}
        for fact in FACTS if switched and settings in plain else ():
            cells[fact] += " *" if differs(runs[fact], plain[settings][fact]) else ""
        rows.append([label, settings, len(runs), *cells.values()])
    return markdown(["departure", "settings", "runs", *FACTS.values()], rows)


def versions() -> str:
    """Name the versions of what ran."""
    packages = ("tensorflow", "keras", "scikit-learn", "pyod", "torch", "numpy")
    there = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
    found = [f"{p} {there[p]}" if p in there else f"no {p}" for p in packages]
    return f"Python {platform.python_version()}, {', '.join(found)}"


def summary(table: pd.DataFrame, command: str, sources: list[str]) -> str:
    """Lay all results out as Markdown."""
    lines = ["# The ports beside the published programs", "", f"Made by `{command}`.", ""]
    lines += [*(f"- {source}" for source in sources), "", f"{versions()}.", ""]
    is_departure = table["method"].str.contains("+", regex=False)
    if table[~is_departure]["data"].nunique() >= SEVERAL:
        lines += ["## All data sets", "", *over_sets(table[~is_departure])]
    for data, runs in table[~is_departure].groupby("data", sort=False):
        lines += [f"## {data}", "", *comparison(runs), ""]
    if not is_departure.all():
        lines += ["Means, and the range over the seeds. s: fit and score. MB: peak of memory above"]
        lines += ["what the process held with its libraries and the data loaded.", ""]
    algorithm = table["method"].str.split("+").str[0]
    for (data, kind), runs in table[is_departure].groupby(["data", algorithm], sort=False):
        lines += [f"## Departures: {kind} on {data}", "", *departures_table(runs), ""]
    if is_departure.any():
        lines += [
            "Means, and the range over the seeds; * differs from as published (two-sided",
            f"Mann-Whitney, p < {LEVEL}). The stop node is the published one.",
            "",
        ]
    return "\n".join([*lines, "![ROC AUC of every run](auc.png)", ""])


def labels_of(table: pd.DataFrame) -> pd.Series:
    """Name each run's method and score."""
    return table["method"].map(title) + table["score"].map(lambda s: f": {s}" if s else "")


def kind_colour(name: str) -> str:
    """Colour of a method: ours, a port of ours, or another detector."""
    if name not in METHODS or METHODS[name].modules[0].split(".")[0] in ("gaal", "alocc"):
        return OURS
    return PORT if "gaal" in name else OTHER


def draw(table: pd.DataFrame) -> Figure:
    """Draw the ROC AUC of every run: a panel a data set, a line a method and score."""
    labels = labels_of(table)
    several = table.groupby(["method", "data"])["settings"].transform("nunique") > 1
    labels += np.where(several, " (" + table["settings"] + ")", "")
    panels = list(table.assign(label=labels).groupby("data", sort=False))
    heights = [runs["label"].nunique() for _, runs in panels]
    figure = Figure(figsize=(8, 1.2 + sum(0.27 * h + 0.7 for h in heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
    for ax, (data, runs) in zip(axes[:, 0], panels):
        names = list(dict.fromkeys(runs["label"]))[::-1]
        for y, name in enumerate(names):
            chosen = runs[runs["label"] == name]
            colour = kind_colour(chosen["method"].iloc[0])
            ax.plot(chosen["auc"], np.full(len(chosen), y), "o", color=colour, alpha=0.5, ms=6)
            ax.plot(chosen["auc"].median(), y, "|", color=colour, ms=14, mew=2)
        ax.axvline(0.5, color="0.6", linestyle=":", linewidth=1)
        ax.set_yticks(range(len(names)), names, fontsize="small")
        ax.set_title(data, fontsize="medium", loc="left")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(names) - 0.4))
        ax.grid(axis="y", color="0.93")
        ax.set_axisbelow(True)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[-1, 0].set_xlabel("ROC AUC of each run, median as a bar")
    return figure
