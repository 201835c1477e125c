"""stop_epochs read from the generator loss."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.datasets import datasets_of, datasets_pieces
from reproduction.gaal_data import described, load
from reproduction.gaal_runs import COMMON, smoothed, train
from reproduction.target import Outcome, Plan, Target


def stopping_pieces(plan: Plan) -> list[dict]:
    """Give the data sets and algorithms, trained without stopping."""
    few = plan.some_seeds(3)  # whose median is judged
    return [piece for piece in datasets_pieces(plan) if piece["seed"] in few]


def unstopped(parameters: dict, **arguments) -> dict:
    """Train without stopping, as ``stop_epochs="auto"`` does, and suggest stop_epochs."""
    from gaal import stopping

    n = len(load(arguments["name"], arguments["home"]).data)
    runs = []

    def loss_of(epochs: int) -> np.ndarray:
        settings = {**parameters, "whether_stop": False, "epochs": epochs}
        runs.append(train(parameters=settings, **arguments))
        return runs[-1]["history"]["generator_loss"].to_numpy()

    loss, _ = stopping.probe(loss_of, n // min(500, n))
    trend = stopping.find_trend(loss)
    return {
        **{key: runs[-1][key] for key in ("algorithm", "name", "seed", "seconds")},
        "parameters": parameters,
        "loss": loss,
        "update": math.nan if trend is None else trend.slows,
        "suggested": math.nan if trend is None else stopping.suggest_stop_epochs(loss, n),
    }


def numbers(run: dict) -> dict:
    """Take the raw numbers of a run: what was suggested, and the loss at a dozen updates."""
    loss = smoothed(pd.Series(run["loss"]))
    return {
        **{key: value for key, value in run.items() if key != "loss"},
        "loss": {str(i): float(f"{loss[i]:.6g}") for i in loss.index[:: max(1, len(loss) // 12)]},
    }


def cases(runs: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """Sort runs by data set and algorithm."""
    sorted_out = {}
    for run in runs:
        sorted_out.setdefault((run["name"], run["algorithm"]), []).append(run)
    return sorted_out


def judge_stopping(runs: list[dict]) -> Outcome:
    """Judge stop_epochs by the losses without stopping beside the published."""
    rows, compared = [], []
    for (name, algorithm), part in cases(runs).items():
        suggested = [run["suggested"] for run in part]
        found = [value for value in suggested if value is not None]
        median = float(np.median(found)) if 2 * len(found) > len(suggested) else math.nan
        published = part[0]["parameters"]["stop_epochs"]
        rows.append(
            {
                "data": name,
                "algorithm": algorithm,
                "suggested (median)": median,
                "suggested by seed": ", ".join(
                    "none" if value is None else f"{value:.0f}" for value in suggested
                ),
                "published": published,
                "ratio": median / published,
            }
        )
        comparison = verdicts.holds(
            f"stop_epochs of {algorithm} on {name}",
            0.5 <= median / published <= 2,
            "none: the loss does not rise and fall" if math.isnan(median) else f"{median:.0f}",
            str(published),
            "the median suggestion between half and twice the published one",
        )
        compared += verdicts.of(name, [comparison])
    return Outcome(
        compared,
        {"stop_epochs suggested and published": pd.DataFrame(rows)},
        [
            "The repository's rule of thumb: train without stopping, read off the update I at"
            " which the fall of the generator loss slows, and stop after I / m epochs, rounded up."
            " The update is found without looking at a label. m is n // 500 here, the updates that"
            " an epoch has; the repository writes ceil(n / 500), which also counts the rows left"
            " over, on which it never trains."
        ],
    )


def draw_stopping(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the losses without stopping, the update found, and the published one."""
    from gaal.datasets import PUBLISHED as SETS

    sorted_out = cases(runs)
    columns = 4 if len(sorted_out) > 4 else 2
    lines = -(-len(sorted_out) // columns)
    figure = Figure(figsize=(7, 1.5 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, ((name, algorithm), (first, *_)) in zip(axes, sorted_out.items()):
        ax.plot(smoothed(pd.Series(first["loss"])), color="tab:red", linewidth=1)
        if not math.isnan(first["update"]):
            ax.axvline(first["update"], color="0.2", linestyle="--", linewidth=1)
        n = SETS[name].rows
        published = first["parameters"]["stop_epochs"] * (n // min(500, n))
        ax.axvline(published, color="0.6", linestyle=":", linewidth=1)
        ax.set_title(f"{name}, {algorithm}", fontsize="x-small")
        ax.tick_params(labelsize="x-small")
    for ax in axes[len(sorted_out) :]:
        ax.remove()
    told = (
        "Generator loss without stopping; dashed: where its fall slows, dotted: the published stop"
    )
    figure.suptitle(told, fontsize=9)
    return {"Generator loss without stopping": figure}


TARGET = Target(
    "stop-epochs",
    "stop_epochs read from the generator loss",
    "The repository's README: how to choose stop_epochs",
    "the published settings with whether_stop 0, over 512 updates and ever twice as many until"
    f" the fall has slowed; {COMMON}",
    stopping_pieces,
    unstopped,
    numbers,
    judge_stopping,
    draw_stopping,
    described(datasets_of),
)
