"""AUC by the number of sub-generators."""

import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.gaal_data import PLANES, described, home_of
from reproduction.gaal_runs import (
    COMMON,
    few_numbers,
    mean_spread,
    published_parameters,
    summarise,
    train,
    wide,
)
from reproduction.onecluster import data_of
from reproduction.target import Outcome, Plan, Target

PUBLISHED_SET = "WDBC"  # the one that needs no file
JUDGED = (1, 10)  # k: one sub-generator, and as many as published


def sets(plan: Plan) -> dict[str, str]:
    """Name the sets, and whose published settings each has: a real one, in a full run planes."""
    of_planes = dict.fromkeys(("onecluster", *PLANES) if plan.full else (), "onecluster")
    return {**of_planes, PUBLISHED_SET: PUBLISHED_SET}


def k_pieces(plan: Plan) -> list[dict]:
    """Give the numbers of sub-generators on every set; WDBC's runs are those of its target."""
    return [
        {
            **({"run": summarise} if name == PUBLISHED_SET else {}),
            "algorithm": "MO-GAAL",
            "name": name,
            "parameters": {**published_parameters("MO-GAAL", settings), "k": k},
            "seed": seed,
            "home": home_of(plan),
        }
        for name, settings in sets(plan).items()
        for k in ((1, 2, 5, 10, 20, 30) if plan.full else JUDGED)
        if name != PUBLISHED_SET or k < 30  # for which its batch has too few rows
        for seed in (plan.all_seeds if k in JUDGED else plan.some_seeds(3))
    ]


def numbers(run: dict) -> dict:
    """Take the raw numbers of a training, unless it has given no others."""
    return few_numbers(run) if "history" in run else run


def by_k(runs: list[dict]) -> pd.DataFrame:
    """Lay out the AUC at the end by the number of sub-generators."""
    frame = pd.DataFrame(runs, columns=["name", "points", "seed", "end"])
    return frame.assign(k=[run["parameters"]["k"] for run in runs])


def judge_k(runs: list[dict]) -> Outcome:
    """Judge the final AUC by the number of sub-generators."""
    frame = by_k(runs)
    compared = []
    for name, part in frame.groupby("name", sort=False):
        end = part.pivot_table("end", "seed", "k")[list(JUDGED)].dropna()
        comparison = verdicts.ordered(
            f"{name}: ten sub-generators are better than one",
            end[10],
            end[1],
            "more sub-generators describe the data better, up to a point (section 4)",
            "AUC at the end with k = 10 less that with k = 1",
        )
        compared += verdicts.of(data_of(part), [comparison])
    table = frame.pivot_table("end", "k", "name", mean_spread, sort=False).reset_index()
    return Outcome(
        verdicts.together(compared),
        {"Mean and standard deviation over seeds": table},
        [
            "k(k + 1) / 2 must not exceed the batch of 500 rows, of WDBC its 367: k is at most 31,"
            " of WDBC 26."
        ],
    )


def draw_k(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw every run, and the medians."""
    frame = by_k(runs)
    figure = wide()
    ax = figure.subplots()
    for colour, (name, part) in zip(
        ("tab:blue", "tab:orange", "tab:green", "tab:red"), frame.groupby("name", sort=False)
    ):
        ax.plot(part["k"], part["end"], "o", color=colour, alpha=0.3, ms=4)
        median = part.groupby("k")["end"].median()
        ax.plot(median, color=colour, marker="o", label=f"{name} (line: median)")
    ax.set(xlabel="k, number of sub-generators", ylabel="AUC at the end", xscale="log")
    ax.set_xticks(sorted(frame["k"].unique()), [str(k) for k in sorted(frame["k"].unique())])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return {"AUC by the number of sub-generators": figure}


TARGET = Target(
    "sub-generators",
    "AUC by the number of sub-generators",
    "Liu et al. (2019), section 4: the number of sub-generators k",
    f"stop_epochs 1500, of {PUBLISHED_SET} as published for it; {COMMON}",
    k_pieces,
    train,
    numbers,
    judge_k,
    draw_k,
    described(sets),
)
