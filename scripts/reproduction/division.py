"""Potential outliers and the division of the plane."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.gaal_data import PLANES, described, home_of, load
from reproduction.gaal_runs import (
    ALGORITHMS,
    COMMON,
    detector,
    few_numbers,
    mean_spread,
    of_plane,
    published_parameters,
    train,
)
from reproduction.onecluster import data_of
from reproduction.target import FRESH, TIMES, Outcome, Plan, Target

MOMENTS = (0.05, 0.15, 1 / 3)  # of the whole training; the generator stops at a third


def planes(plan: Plan) -> tuple[str, ...]:
    """Name the sets: a round cluster, and in a full run several."""
    return ("onecluster", *PLANES) if plan.full else ("onecluster",)


def moments(algorithm: str, name: str, parameters: dict, seed: int, home: str | None) -> dict:
    """Train one detector until each of some moments before the end; keep how it divides the plane.

    Every moment is a training of its own, from the same seed, and up to rounding the beginning of
    the longer ones: a callback that looks would end every call of the graph with its epoch, which
    takes longer than to begin anew.
    """
    data = load(name, home)
    epochs = 3 * parameters["stop_epochs"]
    seen = []
    for moment in (max(1, round(share * epochs)) for share in MOMENTS):
        fitted = detector(algorithm, {**parameters, "epochs": moment}, seed)
        fitted.fit(data.data, data.target)
        auc = fitted.history_["auc"].iloc[-1]
        seen.append({"epoch": moment, "auc": auc, **of_plane(fitted, seed)})
    return {"algorithm": algorithm, "name": name, "seed": seed, "moments": seen}


def moments_pieces(plan: Plan) -> list[dict]:
    """Give every plane and algorithm: all seeds, and the first once more, to be looked at."""
    judged = plan.fresh_seeds if plan.full else plan.all_seeds
    return [
        {
            **run,
            "algorithm": algorithm,
            "name": name,
            "parameters": published_parameters(algorithm, "onecluster"),
            "seed": seed,
            "home": home_of(plan),
        }
        for name in planes(plan)
        for algorithm in ALGORITHMS
        for run, seeds in (({"run": moments}, judged[:1]), ({}, judged))
        for seed in seeds
    ]


def coverage(generated: np.ndarray) -> float:
    """Share of 10 x 10 cells of the unit square in which a potential outlier lies."""
    inside = generated[((generated >= 0) & (generated < 1)).all(axis=1)]
    return len(np.unique((inside * 10).astype(int), axis=0)) / 10**2


def numbers(run: dict) -> dict:
    """Take the raw numbers of a training, or the AUC at the moments that are looked at."""
    if "moments" in run:
        seen = [{"epoch": moment["epoch"], "auc": moment["auc"]} for moment in run["moments"]]
        return {**run, "moments": seen}
    return {**few_numbers(run), "coverage": coverage(run["generated"])}


def judge_moments(runs: list[dict]) -> Outcome:
    """Judge how D divides the plane, SO against MO."""
    frame = pd.DataFrame([run for run in runs if "moments" not in run])
    groups = frame.groupby(["name", "algorithm"], sort=False)
    table = pd.DataFrame(
        {
            "AUC at the end": groups["end"].agg(mean_spread),
            "cells with a potential outlier": groups["coverage"].agg(mean_spread),
            "seconds": groups["seconds"].median(),
        }
    ).reset_index(names=["data", "algorithm"])
    compared = []
    for name, part in frame.groupby("name", sort=False):
        end = part.pivot_table("end", "seed", "algorithm", sort=False)
        comparison = verdicts.ordered(
            f"{name}: MO-GAAL divides the plane better",
            end["MO-GAAL"],
            end["SO-GAAL"],
            "several generators keep the whole boundary (section 3.3), one collapses",
            "AUC at the end, MO-GAAL's less SO-GAAL's",
        )
        compared += verdicts.of(data_of(part), [comparison])
    return Outcome(
        verdicts.together(compared),
        {"Mean and standard deviation over seeds": table},
        [
            "The pictures are at 5, 15, 33 and 100 % of the training, of the first seed, each of a"
            " training of its own from the same weights. A potential outlier outside the unit"
            " square is not drawn."
        ],
    )


def draw_moments(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw what the generators make and how D divides the plane, SO above MO."""
    looked = [run for run in runs if "moments" in run]
    of = {(run["name"], run["algorithm"], run["seed"]): run for run in runs if "end" in run}
    figures = {}
    for name in dict.fromkeys(run["name"] for run in looked):
        data = load(name, home_of(plan))
        figure = Figure(figsize=(7, 3.9), layout="constrained")
        axes = figure.subplots(2, len(MOMENTS) + 1, sharex=True, sharey=True)
        for line, run in zip(axes, (run for run in looked if run["name"] == name)):
            whole = of[name, run["algorithm"], run["seed"]]
            end = {"epoch": 3 * whole["parameters"]["stop_epochs"], "auc": whole["end"], **whole}
            for ax, moment in zip(line, [*run["moments"], end]):
                draw_moment(ax, data, moment)
            line[0].set_ylabel(run["algorithm"])
        figure.suptitle(
            f"{name}: black, potential outliers; line, D(x) = 0.5; the generator stops at the"
            " third picture",
            fontsize="small",
        )
        figures[f"Division of the plane: {name}"] = figure
    return figures


def draw_moment(ax: Axes, data, moment: dict) -> None:
    """Draw D over the plane, the data and the potential outliers."""
    side = np.linspace(0, 1, len(moment["plane"]))
    ax.contourf(side, side, moment["plane"], levels=12, cmap="YlGn", alpha=0.6)
    if moment["plane"].min() < 0.5 < moment["plane"].max():
        ax.contour(side, side, moment["plane"], levels=[0.5], colors="black", linewidths=1)
    outlier = data.target == 1
    ax.scatter(*data.data[~outlier].T, s=1.5, color="tab:blue", alpha=0.6, linewidths=0)
    ax.scatter(*data.data[outlier].T, s=9, color="tab:red", marker="x", linewidths=0.8)
    ax.scatter(*moment["generated"].T, s=5, color="black", marker="+", linewidths=0.5)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[0, 1], yticks=[0, 1])
    ax.set_title(f"epoch {moment['epoch']}\nAUC {moment['auc']:.3f}", fontsize="small")


TARGET = Target(
    "division",
    "Potential outliers and the division of the plane",
    "Liu et al. (2019), section 3 and the experiments on two-dimensional data",
    "stop_epochs 1000 (SO-GAAL) and 1500 (MO-GAAL, k 10); in a full run judged by"
    f" {TIMES} times as many seeds, from {FRESH} on; {COMMON}",
    moments_pieces,
    train,
    numbers,
    judge_moments,
    draw_moments,
    described(planes),
    needs=("onecluster",),
)
