"""The published parameters on all twelve data sets."""

import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.gaal_data import described, home_of
from reproduction.gaal_runs import (
    ALGORITHMS,
    COMMON,
    mean_spread,
    published_parameters,
    summarise,
)
from reproduction.target import Outcome, Plan, Target


def datasets_of(plan: Plan) -> list[str]:
    """List the twelve data sets, or the one that needs no download."""
    from gaal.datasets import PUBLISHED as SETS

    return list(SETS) if plan.full and plan.gaal_home is not None else ["WDBC"]


def datasets_pieces(plan: Plan) -> list[dict]:
    """Give every data set, algorithm and seed."""
    return [
        {
            "algorithm": algorithm,
            "name": name,
            "parameters": published_parameters(algorithm, name),
            "seed": seed,
            "home": home_of(plan),
        }
        for name in datasets_of(plan)
        for algorithm in ALGORITHMS
        for seed in plan.all_seeds
    ]


def judge_datasets(runs: list[dict]) -> Outcome:
    """Judge the AUC of both algorithms on every data set."""
    frame = pd.DataFrame(runs)
    frame["stop_epochs"] = [parameters["stop_epochs"] for parameters in frame.pop("parameters")]
    groups = frame.groupby(["name", "algorithm", "stop_epochs"], sort=False)
    table = groups[["stop", "end", "best"]].agg(mean_spread)
    table["seconds"] = groups["seconds"].median()
    table = table.reset_index().rename(
        columns={
            "name": "data",
            "stop": "AUC at the stop node",
            "end": "AUC at the end",
            "best": "best AUC",
        }
    )
    means = frame.groupby(["name", "algorithm"], sort=False)["end"].mean().unstack()
    # Pairs are sets; where there is one, its seeds.
    pairs = means if len(means) > 1 else frame.pivot_table("end", "seed", "algorithm", sort=False)
    compared = [
        verdicts.ordered(
            "MO-GAAL ends with a higher AUC than SO-GAAL",
            pairs["MO-GAAL"],
            pairs["SO-GAAL"],
            "MO-GAAL is the better of the two in the majority of cases (abstract, section 4)",
            f"MO-GAAL's less SO-GAAL's, {'set by set' if len(means) > 1 else 'seed by seed'}",
        ),
        verdicts.cannot(
            "AUC set by set",
            f"{len(means)} sets, see the table",
            "the recorded published numbers hold the settings of the twelve sets, not the"
            " values of the paper's table",
        ),
    ]
    of = means.index[0] if len(means) == 1 else f"{len(means)} published sets"
    return Outcome(
        verdicts.of(of, verdicts.together(compared)),
        {"Mean and standard deviation over seeds": table},
        ["The AUC is of the training data, as published; labels are used for nothing else."],
    )


def draw_datasets(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the AUC of every run, at the end and at its best."""
    frame = pd.DataFrame(runs)
    names = list(frame["name"].unique())
    figure = Figure(figsize=(7, 0.42 * len(names) + 1.4), layout="constrained")
    ax = figure.subplots()
    for shift, (algorithm, colour) in zip((0.15, -0.15), zip(ALGORITHMS, ("tab:red", "tab:blue"))):
        part = frame[frame["algorithm"] == algorithm]
        rows = part["name"].map({name: len(names) - i for i, name in enumerate(names)})
        ax.plot(part["end"], rows + shift, "o", color=colour, alpha=0.45, ms=4, label=algorithm)
        ax.plot(part["best"], rows + shift, "|", color=colour, ms=9)
    ax.set_yticks(range(len(names), 0, -1), names)
    ax.set(xlabel="AUC: points at the end, strokes at its best; one a seed")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize="small")
    return {"AUC with the published parameters": figure}


TARGET = Target(
    "datasets",
    "Published parameters on the published data sets",
    "Liu et al. (2019), section 4: real-world data; stop_epochs of the repository",
    f"stop_epochs and k as published for each set; {COMMON}",
    datasets_pieces,
    summarise,
    dict,
    judge_datasets,
    draw_datasets,
    described(datasets_of),
)
