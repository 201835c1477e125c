"""On new data: trained on one half of a published set, scored on both.

Nothing of it was published; it is what a user asks first, as the published protocol scores the
rows that a detector was trained on.
"""

import time

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.baselines import BASELINES
from reproduction.datasets import datasets_of
from reproduction.gaal_data import described, home_of, load
from reproduction.gaal_runs import ALGORITHMS, detector, mean_spread, published_parameters
from reproduction.target import Outcome, Plan, Target

AS_MANY = {f"{algorithm}, as many updates": algorithm for algorithm in ALGORITHMS}
ENSEMBLE = "GAALEnsemble"  # ours, of no paper
METHODS = (*ALGORITHMS, *AS_MANY, *BASELINES, ENSEMBLE)
QUICK_SEEDS = 3
MEASURES = {"auc": "ROC AUC", "precision": "average precision"}
HALVES = {"train": "training half", "new": "new half"}
STOPPED = (
    "stop_epochs counts passes over the rows: on half of them an epoch has half of the updates,"
    " where there are 1000 rows or more, and the published number stops GAAL before it has learnt."
    " As many updates take as many epochs more; each GAAL is ranked among seven."
)
TABLEAU = ("cyan", "pink", "blue", "red", "green", "purple", "orange", "gray", "olive")
COLOURS = {method: f"tab:{name}" for method, name in zip(METHODS, TABLEAU, strict=True)}


def new_data_pieces(plan: Plan) -> list[dict]:
    """Give every data set, method and seed, which is also that of the split."""
    return [
        {"method": method, "name": name, "seed": seed, "home": home_of(plan)}
        for name in datasets_of(plan)
        for method in METHODS
        if method not in AS_MANY or longer(name) > 1
        for seed in (plan.all_seeds if plan.full else plan.some_seeds(QUICK_SEEDS))
    ]


def halves(name: str, seed: int, home: str | None) -> list[np.ndarray]:
    """Split a set into two halves of as many outliers each: X, X_new, y, y_new."""
    from sklearn.model_selection import train_test_split

    data = load(name, home)
    return train_test_split(
        data.data, data.target, test_size=0.5, stratify=data.target, random_state=seed
    )


def longer(name: str) -> float:
    """Tell how many times as many updates an epoch over all rows has as one over half of them."""
    from gaal.datasets import PUBLISHED

    rows = PUBLISHED[name].rows
    whole, half = (n // min(500, n) for n in (rows, rows // 2))
    return whole / half


def score_new_data(method: str, name: str, seed: int, home: str | None) -> dict:
    """Train on one half without labels, measure on both."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    X, X_new, y, y_new = halves(name, seed, home)
    start = time.perf_counter()
    if method in BASELINES:
        scores = BASELINES[method](X, X_new, seed)
    else:
        if method == ENSEMBLE:
            from gaal import GAALEnsemble

            fitted = GAALEnsemble(random_state=seed).fit(X)
        else:
            algorithm = AS_MANY.get(method, method)
            parameters = published_parameters(algorithm, name)
            if method in AS_MANY:
                parameters["stop_epochs"] = round(parameters["stop_epochs"] * longer(name))
            fitted = detector(algorithm, parameters, seed).fit(X)
        scores = 1 - fitted.score_samples(X), 1 - fitted.score_samples(X_new)
    seconds = time.perf_counter() - start
    measured = {
        f"{measure}_{half}": float(compute(labels, values))
        for half, labels, values in zip(HALVES, (y, y_new), scores)
        for measure, compute in zip(MEASURES, (roc_auc_score, average_precision_score))
    }
    return {"method": method, "name": name, "seed": seed, **measured, "seconds": seconds}


def in_all(frame: pd.DataFrame) -> pd.DataFrame:
    """Average each method over the sets, and rank the methods on each set: 1 is the best.

    GAAL's ranks are among the others and its own of as many updates, or of as published. Where an
    epoch has no more updates over all rows, as many are those as published.
    """
    columns = [f"{measure}_{half}" for measure in MEASURES for half in HALVES]
    means = frame.groupby(["name", "method"], sort=False)[columns].mean().unstack("name")
    for method in AS_MANY.keys() & {*means.index}:
        means.loc[method] = means.loc[method].fillna(means.loc[AS_MANY[method]])
    means = means.stack("name", future_stack=True)
    rows = []
    for method in [method for method in METHODS if method in set(frame["method"])]:
        without = ALGORITHMS if method in AS_MANY else AS_MANY
        field = means.drop(index=list(without), level="method", errors="ignore")
        ranks = field.groupby("name").rank(ascending=False)
        row = {"detector": method}
        for column in columns:
            row[heading(column)] = f"{means.xs(method, level='method')[column].mean():.3f}"
        for half, words in HALVES.items():
            rank = ranks.xs(method, level="method")[f"auc_{half}"].mean()
            row[f"mean rank by AUC, {words}"] = f"{rank:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def heading(column: str) -> str:
    """Name a measured column for readers."""
    measure, half = column.split("_")
    return f"{MEASURES[measure]}, {HALVES[half]}"


def by_set(frame: pd.DataFrame) -> pd.DataFrame:
    """Lay out every set and method: mean and standard deviation over the splits."""
    columns = [f"{measure}_{half}" for measure in MEASURES for half in HALVES]
    groups = frame.groupby(["name", "method"], sort=False)
    table = groups[columns].agg(mean_spread).rename(columns=heading)
    return table.assign(seconds=groups["seconds"].median()).reset_index(names=["data", "detector"])


def judge_new_data(runs: list[dict]) -> Outcome:
    """Lay out each detector on the half that it was trained on and on the other."""
    frame = pd.DataFrame(runs)
    table = in_all(frame)
    names = list(frame["name"].unique())
    unpublished = "nothing is published about rows that were not trained on"
    compared = []
    for row in table.sort_values("ROC AUC, new half", ascending=False).to_dict("records"):
        shown = (
            f"{row['ROC AUC, new half']} on the new half, {row['ROC AUC, training half']} on the"
            f" training half; rank {row['mean rank by AUC, new half']}"
        )
        compared.append(verdicts.cannot(f"{row['detector']}: mean AUC", shown, unpublished))
    sets = "WDBC" if len(names) == 1 else f"{len(names)} sets"
    return Outcome(
        verdicts.of(sets, compared),
        {
            f"Mean over {sets}": table,
            "Mean and standard deviation over the splits": by_set(frame),
        },
        [
            "Each set is split into halves, the outliers too, at random anew for every seed; a"
            " detector is trained on one without labels, outliers among them, and scores both."
            " Dots: the new half; strokes: the training half. The published files are scaled to"
            " [0, 1] by all of their rows.",
            *([STOPPED] if set(AS_MANY) & set(frame["method"]) else []),
            "GAALEnsemble, which is ours and not the paper's, by its defaults: the mean of a"
            " training that is never stopped.",
            "LOF of 20 and kNN of 5 neighbours, the others by their defaults; ECOD as in its paper,"
            " a new row counted with the trained ones.",
        ],
    )


def draw_new_data(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the mean of every set and method: a dot on the new half, a stroke on the other."""
    frame = pd.DataFrame(runs)
    names = list(frame["name"].unique())
    methods = [method for method in METHODS if method in set(frame["method"])]
    figure = Figure(figsize=(7, 0.6 * len(names) + 1.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    means = frame.groupby(["name", "method"], sort=False).mean(numeric_only=True)
    for ax, (measure, words) in zip(panels, MEASURES.items()):
        for method, offset in zip(methods, np.linspace(0.32, -0.32, len(methods))):
            part = means.xs(method, level="method").reindex(names)
            y = np.arange(len(names), 0, -1) + offset
            for name, values in (("new", "o"), ("train", "|")):
                ax.plot(
                    part[f"{measure}_{name}"],
                    y,
                    values,
                    color=COLOURS[method],
                    ms=5 if name == "new" else 8,
                    label=method if name == "new" else None,
                )
        for boundary in range(1, len(names)):
            ax.axhline(boundary + 0.5, color="0.9", linewidth=0.8)
        ax.set(xlabel=words, xlim=(-0.02, 1.02), ylim=(0.5, len(names) + 0.5))
        ax.grid(axis="x", alpha=0.3)
    panels[0].axvline(0.5, color="0.6", linestyle=":", linewidth=1)
    panels[0].set_yticks(range(len(names), 0, -1), names)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8)
    return {"AUC and average precision on new data": figure}


TARGET = Target(
    "new-data",
    "On new data",
    "Not published: the published protocol scores the rows that were trained on",
    "half of each set to train on, the other new; stop_epochs and k as published, and stop_epochs"
    f" for as many updates as on all rows; ten splits, in --quick WDBC and {QUICK_SEEDS}",
    new_data_pieces,
    score_new_data,
    dict,
    judge_new_data,
    draw_new_data,
    described(datasets_of),
)
