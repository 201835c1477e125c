"""Try stop_epochs="auto" on the twelve published sets, beside the published stop_epochs.

Results go run by run into one table, and runs that are there already are not made again. The
first seed is also trained without stopping, for a figure of the loss that the rule looks at.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import starting_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import studies
from common.tables import markdown

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "stop_epochs"
ALGORITHMS = ("SO-GAAL", "MO-GAAL")
RUN = ["algorithm", "data_set", "seed"]


def published(algorithm: str, name: str) -> tuple[dict, int]:
    """Return the published parameters, and the updates of an epoch."""
    from gaal.datasets import PUBLISHED

    data_set = PUBLISHED[name]
    updates = data_set.rows // min(500, data_set.rows)
    if algorithm == "SO-GAAL":
        return {"stop_epochs": data_set.so_stop_epochs}, updates
    return {"stop_epochs": data_set.mo_stop_epochs, "k": data_set.k}, updates


def made(algorithm: str, name: str, seed: int, data_home: str | None):
    """Make the published detector of a data set, and load it."""
    from gaal import MOGAAL, SOGAAL
    from gaal.datasets import load_dataset

    kind = {"SO-GAAL": SOGAAL, "MO-GAAL": MOGAAL}[algorithm]
    detector = kind(**published(algorithm, name)[0], random_state=seed)
    return detector, load_dataset(name, data_home=data_home)


def run(algorithm: str, name: str, seed: int, data_home: str | None):
    """Train with the published stop_epochs and with "auto", and return a row of the table."""
    detector, data = made(algorithm, name, seed, data_home)
    row = {"updates_per_epoch": published(algorithm, name)[1]}
    for rule, stop_epochs in [("published", detector.stop_epochs), ("auto", "auto")]:
        start = time.perf_counter()
        detector.set_params(stop_epochs=stop_epochs).fit(data.data, data.target)
        row[f"{rule}_s"] = round(time.perf_counter() - start, 1)
        row[rule] = detector.stop_epochs_
        row[f"{rule}_auc"] = detector.history_["auc"].iloc[-1]
    return pd.DataFrame([row])


def tell(rows) -> str:
    """Say what a run has found."""
    return ("published {published} AUC {published_auc:.3f}, auto {auto} AUC {auto_auc:.3f}").format(
        **rows.iloc[0]
    )


def loss_without_stopping(algorithm: str, name: str, seed: int, stop_epochs: int, home):
    """Train without stopping for twice so many epochs and return the generator's loss."""
    detector, data = made(algorithm, name, seed, home)
    detector.set_params(whether_stop=False, epochs=2 * stop_epochs).fit(data.data)
    return detector.history_[["generator_loss"]]


def summary(table) -> str:
    """Lay the results out as Markdown: a row an algorithm and data set."""
    head = ["algorithm", "data set", "updates an epoch", "published", "auto"]
    rows = []
    for key, part in table.groupby(["algorithm", "data_set"], sort=False):
        spread = [
            f"{part[c].mean():.3f} ({part[c].min():.3f} to {part[c].max():.3f})"
            for c in ("published_auc", "auto_auc")
        ]
        facts = part[["updates_per_epoch", "published"]].iloc[0]
        rows.append([*key, *facts, ", ".join(map(str, part["auto"])), *spread])
    for algorithm, part in table.groupby("algorithm", sort=False):
        means = [f"{part[c].mean():.3f}" for c in ("published_auc", "auto_auc")]
        rows.append([algorithm, "mean", "", "", "", *means])
    ratio = table["auto"] / table["published"]
    near = ((ratio < 1.5) & (ratio > 1 / 1.5)).mean()
    lines = markdown([*head, "AUC, published", "AUC, auto"], rows)
    lines += ["", f"auto / published: median {ratio.median():.2f}; within 1.5: {near:.0%}", ""]
    return "\n".join(lines)


def draw(losses: dict, path: Path) -> None:
    """Draw the generator's loss of each run with the update found, and the published stop."""
    from gaal.stopping import find_trend

    names = list(dict.fromkeys(name for _, name in losses))
    figure = Figure(figsize=(12, 2.1 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), len(ALGORITHMS), squeeze=False)
    for (algorithm, name), loss in losses.items():
        ax = axes[names.index(name), ALGORITHMS.index(algorithm)]
        params, updates = published(algorithm, name)
        trend = find_trend(loss)
        ax.plot(loss, color="tab:red", lw=0.7, label="generator loss")
        ax.axvline(params["stop_epochs"] * updates, color="0.5", ls="--", lw=1, label="published")
        if trend is not None:
            slows = trend.slows
            ax.plot(slows, loss[slows], "o", color="black", ms=5, label="trend slows")
        ax.set_title(f"{algorithm}, {name}", fontsize="small", loc="left")
        ax.tick_params(labelsize="x-small")
        ax.margins(x=0.01)
    axes[0, 0].legend(fontsize="x-small")
    for ax in axes[-1]:
        ax.set_xlabel("update", fontsize="small")
    write_aside(path, lambda aside: figure.savefig(aside, format="png", dpi=80))


@studies.ending("stop_epochs")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing, write summary and figure; return the exit status."""
    from gaal.datasets import PUBLISHED

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data_sets", nargs="*", metavar="DATA_SET", help="by default all twelve")
    parser.add_argument(
        "--data-home", type=os.path.expanduser, help="folder of the published files"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    args = parser.parse_args(argv)
    unknown = sorted(set(args.data_sets) - set(PUBLISHED))
    if unknown:
        parser.error(f"no data set {', '.join(unknown)}; there are {', '.join(PUBLISHED)}")
    names = [name for name in PUBLISHED if name in args.data_sets or not args.data_sets]
    with starting_tensorflow():
        pass
    warnings.filterwarnings("ignore", category=UserWarning)
    args.output.mkdir(parents=True, exist_ok=True)
    pairs = [(a, name) for name in names for a in ALGORITHMS]
    # Seeds outermost: the first seed of all sets is there before the second begins.
    wanted = [(*pair, seed) for seed in args.seeds for pair in pairs]
    run_here = functools.partial(run, data_home=args.data_home)
    table = studies.collect(args.output / "runs.csv", RUN, wanted, run_here, tell)
    losses = {}
    for algorithm, name in pairs:
        path = args.output / f"{algorithm}_{name}.csv"
        if not path.exists():
            of_set = (table["algorithm"] == algorithm) & (table["data_set"] == name)
            longest = int(table[of_set & (table["seed"] == args.seeds[0])]["auto"].iloc[0])
            longest = max(longest, published(algorithm, name)[0]["stop_epochs"])
            loss = loss_without_stopping(algorithm, name, args.seeds[0], longest, args.data_home)
            write_aside(path, loss.to_csv)
        losses[algorithm, name] = pd.read_csv(path)["generator_loss"].to_numpy()
    draw(losses, args.output / "loss.png")
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(summary(table)))
    print(summary(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
