"""Try stop_epochs="auto" on the twelve published sets, beside the published stop_epochs.

Results go run by run into one table, and runs that are there already are not made again. The
first seed is also trained without stopping, for a figure of the loss that the rule looks at.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import starting_tensorflow

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


def run(algorithm: str, name: str, seed: int, data_home: str | None) -> dict:
    """Train with the published stop_epochs and with "auto", and return a row of the table."""
    from gaal import MOGAAL, SOGAAL
    from gaal.datasets import load_dataset

    X, y = load_dataset(name, data_home=data_home, return_X_y=True)
    params, updates = published(algorithm, name)
    detector = {"SO-GAAL": SOGAAL, "MO-GAAL": MOGAAL}[algorithm](**params, random_state=seed)
    row = {**dict(zip(RUN, (algorithm, name, seed))), "updates_per_epoch": updates}
    for rule, stop_epochs in [("published", params["stop_epochs"]), ("auto", "auto")]:
        start = time.perf_counter()
        detector.set_params(stop_epochs=stop_epochs).fit(X, y)
        row[f"{rule}_s"] = round(time.perf_counter() - start, 1)
        row[rule] = detector.stop_epochs_
        row[f"{rule}_auc"] = detector.history_["auc"].iloc[-1]
    return row


def loss_without_stopping(algorithm: str, name: str, seed: int, stop_epochs: int, home):
    """Train without stopping for twice so many epochs and return the generator's loss."""
    from gaal import MOGAAL, SOGAAL
    from gaal.datasets import load_dataset

    detector = {"SO-GAAL": SOGAAL, "MO-GAAL": MOGAAL}[algorithm](
        **published(algorithm, name)[0], random_state=seed
    )
    detector.set_params(whether_stop=False, epochs=2 * stop_epochs)
    detector.fit(load_dataset(name, data_home=home).data)
    return detector.history_[["generator_loss"]]


def collect(path: Path, wanted: list[tuple], data_home: str | None):
    """Read the table of finished runs, make those that are missing, and keep it up to date."""
    import pandas as pd

    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    finished = {tuple(row[column] for column in RUN) for row in rows}
    for number, key in enumerate(wanted, 1):
        if key in finished:
            continue
        row = run(*key, data_home)
        rows.append(row)
        table = pd.DataFrame(rows)
        write_aside(path, lambda aside, table=table: table.to_csv(aside, index=False))
        print(
            "{}/{} {} {} seed {}:".format(number, len(wanted), *key),
            "published {published} AUC {published_auc:.3f}, auto {auto} AUC {auto_auc:.3f}".format(
                **row
            ),
            flush=True,
        )
    return pd.DataFrame(rows)


def summary(table) -> str:
    """Lay the results out as Markdown: a row an algorithm and data set."""
    lines = [
        "| algorithm | data set | updates an epoch | published | auto | AUC, published"
        " | AUC, auto |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (algorithm, name), part in table.groupby(["algorithm", "data_set"], sort=False):
        cells = [algorithm, name, part["updates_per_epoch"].iloc[0], part["published"].iloc[0]]
        cells.append(", ".join(map(str, part["auto"])))
        cells += [
            f"{part[c].mean():.3f} ({part[c].min():.3f} to {part[c].max():.3f})"
            for c in ("published_auc", "auto_auc")
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    ratio = table["auto"] / table["published"]
    near = ((ratio < 1.5) & (ratio > 1 / 1.5)).mean()
    for algorithm, part in table.groupby("algorithm", sort=False):
        means = [f"{part[c].mean():.3f}" for c in ("published_auc", "auto_auc")]
        lines.append(f"| {algorithm} | mean | | | | {' | '.join(means)} |")
    return "\n".join(
        [*lines, "", f"auto / published: median {ratio.median():.2f}; within 1.5: {near:.0%}", ""]
    )


def draw(losses: dict, path: Path) -> None:
    """Draw the generator's loss of each run with the update found, and the published stop."""
    from matplotlib.figure import Figure

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


def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing, write summary and figure; return the exit status."""
    import pandas as pd

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
    try:
        # Seeds outermost: the first seed of all sets is there before the second begins.
        wanted = [(*pair, seed) for seed in args.seeds for pair in pairs]
        table = collect(args.output / "runs.csv", wanted, args.data_home)
        losses = {}
        for algorithm, name in pairs:
            path = args.output / f"{algorithm}_{name}.csv"
            if not path.exists():
                of_set = (table["algorithm"] == algorithm) & (table["data_set"] == name)
                longest = int(table[of_set & (table["seed"] == args.seeds[0])]["auto"].iloc[0])
                longest = max(longest, published(algorithm, name)[0]["stop_epochs"])
                loss = loss_without_stopping(
                    algorithm, name, args.seeds[0], longest, args.data_home
                )
                write_aside(path, loss.to_csv)
            losses[algorithm, name] = pd.read_csv(path)["generator_loss"].to_numpy()
        draw(losses, args.output / "loss.png")
    except (OSError, ValueError) as error:
        print(f"stop_epochs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstop_epochs: interrupted; call again to go on", file=sys.stderr)
        return 130
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(summary(table)))
    print(summary(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
