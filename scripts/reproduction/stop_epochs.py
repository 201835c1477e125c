"""stop_epochs read from the generator loss."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.datasets import datasets_pieces
from reproduction.gaal_data import describe, home_of, load
from reproduction.gaal_runs import COMMON, SMOOTHED, train
from reproduction.target import Outcome, Plan, Target


def stopping_pieces(plan: Plan) -> list[dict]:
    """Give the data sets and algorithms, trained without stopping."""
    few = plan.some_seeds(3) if plan.full else plan.all_seeds
    return [piece for piece in datasets_pieces(plan) if piece["seed"] in few]


def unstopped(parameters: dict, **arguments) -> dict:
    """Train without stopping, suggest stop_epochs from the generator loss.

    As long as ``stop_epochs="auto"`` does, whatever was published: ever twice as long, until the
    loss has risen again, or slowed by half of the record.
    """
    from gaal import stopping
    from gaal.detectors import PROBE_UPDATES

    n = len(load(arguments["name"], arguments["home"]).data)
    updates, longest = PROBE_UPDATES
    while True:
        epochs = math.ceil(updates / (n // min(500, n)))
        run = train(parameters={**parameters, "whether_stop": False, "epochs": epochs}, **arguments)
        loss = run["history"]["generator_loss"].to_numpy()
        trend = stopping.find_trend(loss)
        slowed = trend is not None and (trend.over or 2 * trend.slows <= len(loss))
        if slowed or updates >= longest:
            break
        updates *= 2
    return {
        **{key: run[key] for key in ("algorithm", "name", "seed", "seconds")},
        "parameters": parameters,
        "loss": loss,
        "update": math.nan if trend is None else trend.slows,
        "suggested": math.nan if trend is None else stopping.suggest_stop_epochs(loss, n),
    }


def show_stopping(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the losses without stopping, the update found, and stop_epochs beside the published."""
    cases = list(dict.fromkeys((run["name"], run["algorithm"]) for run in runs))
    columns = 4 if len(cases) > 4 else 2
    lines = -(-len(cases) // columns)
    figure = Figure(figsize=(7, 1.5 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    rows = []
    for ax, (name, algorithm) in zip(axes, cases):
        part = [run for run in runs if (run["name"], run["algorithm"]) == (name, algorithm)]
        loss = pd.Series(part[0]["loss"]).rolling(SMOOTHED, center=True, min_periods=1).mean()
        ax.plot(loss, color="tab:red", linewidth=1)
        if not math.isnan(part[0]["update"]):
            ax.axvline(part[0]["update"], color="0.2", linestyle="--", linewidth=1)
        ax.set_title(f"{name}, {algorithm}", fontsize="x-small")
        ax.tick_params(labelsize="x-small")
        suggested = [run["suggested"] for run in part]
        found = [value for value in suggested if not math.isnan(value)]
        most = 2 * len(found) > len(suggested)
        rows.append(
            {
                "data": name,
                "algorithm": algorithm,
                "suggested (median)": float(np.median(found)) if most else math.nan,
                "suggested by seed": ", ".join(
                    "none" if math.isnan(value) else f"{value:.0f}" for value in suggested
                ),
                "published": part[0]["parameters"]["stop_epochs"],
            }
        )
    for ax in axes[len(cases) :]:
        ax.remove()
    figure.suptitle("Generator loss without stopping; dashed: where its fall slows", fontsize=9)
    table = pd.DataFrame(rows)
    table["ratio"] = table["suggested (median)"] / table["published"]
    compared = [
        replace(
            verdicts.holds(
                f"stop_epochs of {row['algorithm']} on {row['data']}",
                0.5 <= row["ratio"] <= 2,
                "none: the loss does not rise and fall"
                if math.isnan(row["ratio"])
                else f"{row['suggested (median)']:.0f}",
                str(row["published"]),
                "the median suggestion between half and twice the published one",
            ),
            of=row["data"],
        )
        for row in table.to_dict("records")
    ]
    home = home_of(plan)
    return Outcome(
        compared,
        {"Generator loss without stopping": figure},
        {"stop_epochs suggested and published": table},
        [
            "The repository's rule of thumb: train without stopping, read off the update I at"
            " which the fall of the generator loss slows, and stop after I / m epochs, rounded up."
            " The update is found without looking at a label. m is n // 500 here, the updates that"
            " an epoch has; the repository writes ceil(n / 500), which also counts the rows left"
            " over, on which it never trains."
        ],
        [describe(name, home) for name in table["data"].unique()],
    )


TARGET = Target(
    "stop-epochs",
    "stop_epochs read from the generator loss",
    "The repository's README: how to choose stop_epochs",
    "the published settings with whether_stop 0, over 512 updates and ever twice as many until"
    f" the fall has slowed; {COMMON}",
    stopping_pieces,
    unstopped,
    show_stopping,
)
