"""Run ALOCC on MNIST: the published setting on one digit, and F1 by share of outliers.

Targets: "published" trains with the tutorial's settings and measures the AUC of the three
scores after every epoch on the whole test set; "corrected" takes every digit as the target
class in turn and measures F1 and AUC by share of outliers, as in the paper's figure 8. Results
go run by run into one table, and runs that are there already are not made again. "authors" does
it with the program of the paper's authors, see mnist_authors.py.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from pathlib import Path

import mnist_authors
import numpy as np
import pandas as pd
from common import studies
from mnist_authors import LABELS, THRESHOLDS, laid_out, paper_rows

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import starting_tensorflow

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "alocc_mnist"
SETTINGS = {
    "published": {"fidelity": "published"},
    "corrected": {"fidelity": "corrected", "epochs": 1},
}
TARGETS = [*SETTINGS, "authors"]
DIGITS = {"published": [1], "corrected": list(range(10)), "authors": list(range(10))}
TRAIN_SIZE = {"published": None, "corrected": 2560}
LAST_UPDATES = 10  # whose mean is the reconstruction loss at the end of an epoch
RUN = ["experiment", "digit", "seed"]


# ---------------------------------------------------------------------------------------
# Runs


def by_epoch(detector, images, X_train, digit: int):
    """Fit, and measure the AUC of the three scores after every epoch on the whole test set."""
    from alocc.protocols import auc_by_epoch

    detector.fit(X_train)
    auc = auc_by_epoch(detector, images.test_data, images.test_target == digit)
    losses = detector.history_.groupby("epoch")["g_loss_reconstruction"]
    table = auc.melt(["epoch", "chosen"], var_name="score", value_name="auc")
    return table.assign(
        reconstruction_loss=table["epoch"].map(losses.mean()),
        reconstruction_loss_end=table["epoch"].map(
            losses.apply(lambda v: v.tail(LAST_UPDATES).mean())
        ),
    )


def by_share(detector, images, X_train, digit: int, seed: int):
    """Fit, and measure F1 and AUC by share of outliers."""
    from alocc.protocols import f1_auc_by_outlier_share

    table = f1_auc_by_outlier_share(
        detector,
        X_train,
        np.full(len(X_train), digit),
        X_test=images.test_data,
        y_test=images.test_target,
        seeds=[seed],
        threshold=THRESHOLDS,
    )
    return table.drop(columns=["target", "seed"])


def describe(experiment: str, images) -> str:
    """Say in words how an experiment's runs are made."""
    n = TRAIN_SIZE[experiment]
    size = "all" if n is None else f"the first {n} of them"
    settings = ", ".join(f"{key}={value}" for key, value in SETTINGS[experiment].items())
    return f"{images.name}, training images of the digit: {size}; {settings}"


def run(experiment: str, digit: int, seed: int, images):
    """Make one run and return its rows."""
    from alocc import ALOCC

    X_train = images.data[images.target == digit][: TRAIN_SIZE[experiment]]
    detector = ALOCC(**SETTINGS[experiment], random_state=seed)
    start = time.perf_counter()
    if experiment == "published":
        rows = by_epoch(detector, images, X_train, digit)
    else:
        rows = by_share(detector, images, X_train, digit, seed)
    return rows.assign(
        settings=describe(experiment, images),
        n_train=len(X_train),
        seconds=round(time.perf_counter() - start, 1),
    )


def tell(rows) -> str:
    """Say what a run gives."""
    used = rows[rows["chosen"]] if "chosen" in rows else rows
    means = used.groupby("score")["auc"].mean()
    text = ", ".join(f"{label} {means[score]:.3f}" for score, label in LABELS.items())
    return f"AUC {text} ({rows['seconds'].iloc[0]:.0f} s)"


def collect(path: Path, wanted: list[tuple], images):
    """Make the runs that are missing, beside none that were made with other settings."""
    table = studies.read(path)
    pairs = [] if table is None else table[["experiment", "settings"]].drop_duplicates().to_numpy()
    for experiment, settings in pairs:
        if settings != describe(experiment, images):
            raise ValueError(
                f"{path} holds runs made with other settings ({experiment}: {settings}); choose"
                " another --output."
            )
    return studies.collect(path, RUN, wanted, functools.partial(run, images=images), tell)


# ---------------------------------------------------------------------------------------
# Summary


def epochs_table(table):
    """Lay out the AUC after every epoch: a row a seed and epoch."""
    run = ["digit", "seed", "epoch", "chosen", "reconstruction_loss", "reconstruction_loss_end"]
    wide = table.pivot(index=run, columns="score", values="auc").reset_index()
    columns = {
        "loss, mean": "reconstruction_loss",
        f"loss, last {LAST_UPDATES}": "reconstruction_loss_end",
        **{f"AUC {label}": score for score, label in LABELS.items()},
    }
    epochs = wide["epoch"].map("{:.0f}".format) + np.where(wide["chosen"], " (chosen)", "")
    numbers = {name: wide[column].map("{:.3f}".format) for name, column in columns.items()}
    return wide[["digit", "seed"]].assign(epoch=epochs, **numbers)


def shares_table(table, value: str, threshold: str, paper: bool = True):
    """Lay out means of F1 or AUC: a row a score, a column a share of outliers."""
    some = table[table["threshold"] == threshold]
    means = some.groupby(["score", "outlier_share"])[value].mean().unstack()
    rows = [[label, *means.loc[score].map("{:.3f}".format)] for score, label in LABELS.items()]
    for name, cells in paper_rows(means.columns).items() if paper else ():
        rows.append([f"{name}, paper" if name.startswith("D") else name, *cells])
    return pd.DataFrame(rows, columns=["score", *(f"{share:.0%}" for share in means)])


def digits_table(table):
    """Lay out the mean AUC and its range over the runs, a row a digit."""
    one_rule = table[table["threshold"] == THRESHOLDS[0]]
    runs = one_rule.groupby(["score", "digit", "seed"])["auc"].mean()
    cells = runs.groupby(["digit", "score"]).agg(
        lambda auc: f"{auc.mean():.3f} ({auc.min():.3f} to {auc.max():.3f})"
    )
    cells = cells.unstack()[list(LABELS)].rename(columns=LABELS)
    cells.loc["mean"] = [f"{runs[score].mean():.3f}" for score in LABELS]
    return cells.reset_index()


def summary(table, command: str, authors: list[str]) -> str:
    """Lay the results out as Markdown."""
    lines = ["# ALOCC on MNIST", "", f"Made by `{command}`.", "", *authors]
    made = () if table is None else set(table["experiment"])
    for experiment in (e for e in SETTINGS if e in made):
        part = table[table["experiment"] == experiment]
        lines += [f"## {experiment}", "", f"{part['settings'].iloc[0]}.", ""]
        if experiment == "published":
            lines += [*laid_out(epochs_table(part)), ""]
            continue
        digits = part["digit"].nunique()
        n_runs = len(part[RUN].drop_duplicates())
        lines += [f"Means of {n_runs} runs over {digits} digits.", ""]
        for rule in THRESHOLDS:
            lines += [f"F1, threshold by {rule!r}:", "", *laid_out(shares_table(part, "f1", rule))]
            lines += [""]
        lines += ["AUC:", "", *laid_out(shares_table(part, "auc", THRESHOLDS[0], paper=False)), ""]
        lines += ["AUC by digit, mean and range over the seeds:", "", *laid_out(digits_table(part))]
        lines += ["", "![F1 by share of outliers](figure8.png)", ""]
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------


def load(dataset: str, address: str | None):
    """Load the images; where they have no test part, every fifth is held out."""
    from alocc.datasets import load_images

    images = load_images(dataset, address)
    if images.test_data is None:
        held_out = np.arange(len(images.data)) % 5 == 4
        images.update(test_data=images.data[held_out], test_target=images.target[held_out])
        images.update(data=images.data[~held_out], target=images.target[~held_out])
    return images


@studies.ending("alocc_mnist")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing and write the summary; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="*", help=f"{', '.join(TARGETS)}; by default all")
    parser.add_argument("--dataset", choices=("mnist", "digits"), default="mnist")
    parser.add_argument(
        "--dataset_address",
        "--data-home",
        type=os.path.expanduser,
        metavar="PATH",
        help="where mnist.npz or the IDX files are; by default they are downloaded",
    )
    parser.add_argument("--digits", type=int, nargs="+", help="target classes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20, help="of the authors' program")
    parser.add_argument(
        "--variant",
        choices=mnist_authors.VARIANTS,
        help="the paper's lambda of 0.4, or its wider networks, in the authors' program",
    )
    parser.add_argument(
        "--tables_only", action="store_true", help="of the authors' program train nothing more"
    )
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    args = parser.parse_args(argv)
    unknown = sorted(set(args.targets) - set(TARGETS))
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if args.epochs <= mnist_authors.FIRST_EPOCH:
        parser.error(f"--epochs {args.epochs}: expected more than {mnist_authors.FIRST_EPOCH}")
    if args.variant and args.targets != ["authors"]:
        parser.error(f"--variant {args.variant} is of the target authors: name it alone")
    targets = [t for t in TARGETS if t in args.targets or not args.targets]
    with starting_tensorflow():
        pass
    # Seeds outermost: the first seed of all digits is there before the second begins.
    wanted = [(t, d, s) for t in targets for s in args.seeds for d in args.digits or DIGITS[t]]
    authors = []
    images = load(args.dataset, args.dataset_address)
    args.output.mkdir(parents=True, exist_ok=True)
    of_others = [key for key in wanted if key[0] in SETTINGS]
    table = collect(args.output / "runs.csv", of_others, images)
    if "authors" in targets:
        keys = [(digit, seed) for target, digit, seed in wanted if target == "authors"]
        name = f"authors-{args.variant}" if args.variant else "authors"
        found = mnist_authors.collect(
            args.output / name, keys, args.epochs, images, not args.tables_only, args.variant
        )
        if found is not None:
            write_aside(args.output / f"{name}.csv", lambda aside: found.to_csv(aside, index=False))
            authors = mnist_authors.summary(found, args.epochs, args.variant)
            flips = (args.output / name, keys[:4], args.epochs, images)
            mnist_authors.draw_flips(*flips, args.output / f"{name}_flips.png")
            mean = mnist_authors.mean_of_epochs_table(found)
            mnist_authors.draw_f1(mean, args.output / f"{name}_figure8.png")
    if table is not None and "corrected" in set(table["experiment"]):
        mnist_authors.draw_f1(
            table[table["experiment"] == "corrected"], args.output / "figure8.png"
        )
    path = args.output / (f"summary-{args.variant}.md" if args.variant else "summary.md")
    command = studies.called("studies/alocc_mnist", argv)
    write_aside(path, lambda aside: aside.write_text(summary(table, command, authors)))
    print(f"{path} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
