"""AUC by the number of sub-generators."""

from __future__ import annotations

import pandas as pd

from reproduction import verdicts
from reproduction.gaal_data import PLANES, describe, home_of
from reproduction.gaal_runs import COMMON, mean_spread, published_parameters, train, wide
from reproduction.onecluster import points_of
from reproduction.target import Outcome, Plan, Target

JUDGED = (1, 10)  # k: one sub-generator, and as many as published


def k_pieces(plan: Plan) -> list[dict]:
    """Give the numbers of sub-generators on a round cluster and on several."""
    ks = (1, 2, 5, 10, 20, 30) if plan.full else JUDGED
    names = ("onecluster", *PLANES) if plan.full else ("onecluster",)
    return [
        {
            "algorithm": "MO-GAAL",
            "name": name,
            "parameters": {**published_parameters("MO-GAAL", "onecluster"), "k": k},
            "seed": seed,
            "home": home_of(plan),
        }
        for name in names
        for k in ks
        for seed in (plan.all_seeds if k in JUDGED else plan.some_seeds(3))
    ]


def show_k(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the final AUC by the number of sub-generators."""
    frame = pd.DataFrame(runs, columns=["name", "seed", "end"])
    frame["k"] = [run["parameters"]["k"] for run in runs]
    figure = wide()
    ax = figure.subplots()
    compared = []
    for colour, (name, part) in zip(
        ("tab:blue", "tab:orange", "tab:green"), frame.groupby("name", sort=False)
    ):
        ax.plot(part["k"], part["end"], "o", color=colour, alpha=0.3, ms=4)
        median = part.groupby("k")["end"].median()
        ax.plot(median, color=colour, marker="o", label=f"{name} (line: median)")
        end = part.pivot_table("end", "seed", "k")[list(JUDGED)].dropna()
        compared += verdicts.of(
            points_of(plan) if name == "onecluster" else name,
            [
                verdicts.ordered(
                    f"{name}: ten sub-generators are better than one",
                    end[10],
                    end[1],
                    "more sub-generators describe the data better, up to a point (section 4)",
                    "AUC at the end with k = 10 less that with k = 1",
                )
            ],
        )
    ax.set(xlabel="k, number of sub-generators", ylabel="AUC at the end", xscale="log")
    ax.set_xticks(sorted(frame["k"].unique()), [str(k) for k in sorted(frame["k"].unique())])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    table = frame.pivot_table("end", "k", "name", mean_spread, sort=False).reset_index()
    home = home_of(plan)
    return Outcome(
        verdicts.together(compared),
        {"AUC by the number of sub-generators": figure},
        {"Mean and standard deviation over seeds": table},
        ["k(k + 1) / 2 must not exceed the batch of 500 rows: k is at most 31."],
        [describe(name, home) for name in frame["name"].unique()],
    )


TARGET = Target(
    "sub-generators",
    "AUC by the number of sub-generators",
    "Liu et al. (2019), section 4: the number of sub-generators k",
    f"stop_epochs 1500; {COMMON}",
    k_pieces,
    train,
    show_k,
    needs=("onecluster",),
)
