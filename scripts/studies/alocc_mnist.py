"""ALOCC on MNIST: the authors' program by every rule that turns its epochs into one score.

A run keeps what every score gives, after every epoch, to 1000 training images and to all test
images, so that a rule is tried without training again. No rule looks at a label. They were
written down before any digit was looked at by them; which is the best is chosen on digits 0 to 4.

"corrected" lays out beside it, digit by digit, what a report of scripts/reproduce.py has of the
corrected port.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

import gaal_alocc.cli
from alocc.datasets import load_images
from gaal_alocc.files import write_aside
from gaal_alocc.startup import starting_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import studies
from common.tables import frame
from reproduction import stored
from reproduction.alocc_digits import split_at
from reproduction.target import columns

REPORTS = Path(__file__).resolve().parents[2] / "reports"
TARGETS = ("authors", "corrected")
SETTINGS = {"fidelity": "authors"}
VARIANTS = {  # of the paper, where the authors' program has others
    "lambda": {"r_alpha": 0.4},
    "wide": {"gf_dim": 64, "df_dim": 64},  # 64 to 512 filters, figures 3 and 4
}
VALIDATION = 5000  # training images that TensorFlow's tutorial reader sets aside
REFERENCES = 1000
FIRST_EPOCH = 5  # before it the sign of training images says nothing
CHOOSING = range(5)  # digits on which a rule is chosen
LABELS = {"d_rx": "D(R(x))", "d_x": "D(x)", "reconstruction": "reconstruction"}
THRESHOLDS = ("best", "share")


# ---------------------------------------------------------------------------------------
# Runs


def kept(folder: Path, digit: int, seed: int, epochs: int) -> Path:
    """Name the file of a run."""
    return folder / f"digit{digit}_seed{seed}_epochs{epochs}.npz"


def run(digit: int, seed: int, epochs: int, images, path: Path, variant: dict) -> None:
    """Train, or go on training, and keep the scores of every epoch in one file."""
    from alocc import ALOCC
    from alocc.protocols import scores_by_epoch

    if path.exists():
        return
    X = training_images(images, digit)
    detector = ALOCC(epochs, **{**SETTINGS, **variant}, random_state=seed)
    snapshots = path.with_name(f"digit{digit}_seed{seed}")
    detector.fit(X, checkpoint_dir=snapshots, checkpoint_every=2, resume=True)
    parts = {"train": X[:: max(1, len(X) // REFERENCES)][:REFERENCES], "test": images.test_data}
    arrays = {
        f"{part}/{score}": values.astype(np.float32)
        for part, some in parts.items()
        for score, values in scores_by_epoch(detector, some).items()
    }
    columns = list(detector.history_.columns)
    arrays |= {"history": detector.history_.to_numpy(np.float32), "columns": columns}
    save(path, arrays)


def training_images(images, digit: int):
    """Images of the digit, as the authors' program takes them."""
    first = VALIDATION if images.name == "mnist" else 0
    return images.data[first:][images.target[first:] == digit]


def baselines(digit: int, images, path: Path) -> None:
    """Score the test images by detectors of others, fitted on the same training images."""
    from alocc.datasets import to_unit
    from alocc.protocols import lof_baseline

    if path.exists():
        return
    X, X_test = training_images(images, digit), images.test_data
    flat, flat_test = (to_unit(part).reshape(len(part), -1) for part in (X, X_test))
    arrays = {
        "mean image": -((flat_test - flat.mean(axis=0)) ** 2).mean(axis=1),
        "LOF": lof_baseline().fit(X).score_samples(X_test),
    }
    try:
        from pyod.models.auto_encoder import AutoEncoder
        from pyod.models.deep_svdd import DeepSVDD
    except ImportError:
        pass  # the table goes without
    else:
        detectors = {
            "AutoEncoder (PyOD)": AutoEncoder(verbose=0, random_state=0),
            "DeepSVDD (PyOD)": DeepSVDD(n_features=flat.shape[1], verbose=0, random_state=0),
        }
        for name, detector in detectors.items():
            arrays[name] = -np.asarray(detector.fit(flat).decision_function(flat_test))
    save(path, arrays)


def save(path: Path, arrays: dict) -> None:
    """Write arrays as one compressed npz file, aside first."""
    write_aside(path, lambda aside: np.savez_compressed(aside, **arrays))


# ---------------------------------------------------------------------------------------
# Rules: of a score by epoch, on training and on test images, (epochs, images), each makes one or
# several detectors, (detectors, test images), whose F1 and AUC are averaged.


def raw(train, test):
    """Take every epoch as it is."""
    return test[FIRST_EPOCH:]


def oriented(train, test):
    """Every epoch, with the sign of its mean over training images."""
    return (np.sign(train.mean(axis=1, keepdims=True)) * test)[FIRST_EPOCH:]


def last(train, test):
    """Take the last epoch, oriented."""
    return oriented(train, test)[-1:]


def standardised(train, test):
    """Oriented, in standard deviations of training images."""
    sign = np.sign(train.mean(axis=1, keepdims=True))
    deviation = train.std(axis=1, keepdims=True)
    return (sign * (test - train.mean(axis=1, keepdims=True)) / deviation)[FIRST_EPOCH:]


def mean_of_epochs(train, test):
    """Mean of the standardised epochs."""
    return standardised(train, test).mean(axis=0, keepdims=True)


def relative_mean(train, test):
    """Mean of the logits in shares of their mean over training images.

    Outliers have less of the same response: how much less, epoch by epoch.
    """
    return (test / train.mean(axis=1, keepdims=True))[FIRST_EPOCH:].mean(axis=0, keepdims=True)


def mean_of_sides(train, test):
    """Mean of the standardised epochs, too strong a response counting against an image, too."""
    return -np.abs(standardised(train, test)).mean(axis=0, keepdims=True)


def lowest_quarter(train, test):
    """Mean of the quarter of the standardised epochs that speak most against an image."""
    ordered = np.sort(standardised(train, test), axis=0)
    return ordered[: max(1, len(ordered) // 4)].mean(axis=0, keepdims=True)


def distance(train, test):
    """Mahalanobis distance of an image's logits of all epochs from the training images'.

    The covariance is Ledoit and Wolf's, of the training images.
    """
    from sklearn.covariance import LedoitWolf

    signs = standardised(train, train)
    found = LedoitWolf().fit(signs.T)
    return -found.mahalanobis(standardised(train, test).T)[None]


RULES = {
    "raw": raw,
    "oriented": oriented,
    "last epoch, oriented": last,
    "mean of epochs": mean_of_epochs,
    "relative mean of epochs": relative_mean,
    "lowest quarter of epochs": lowest_quarter,
    "mean of epochs, both sides": mean_of_sides,
    "distance in all epochs": distance,
}
BOTH = "D(x) and D(R(x))"  # their epochs together


def detectors(arrays) -> dict[tuple[str, str], object]:
    """Apply every rule to every score: (rule, score) to (detectors, test images)."""
    found = {}
    for rule, function in RULES.items():
        for score, label in LABELS.items():
            train, test = arrays[f"train/{score}"], arrays[f"test/{score}"]
            if score == "reconstruction":
                if rule == "raw":  # it has a sign of its own
                    found[rule, label] = function(train, test)
                elif rule == "mean of epochs":
                    values = (test / train.std(axis=1, keepdims=True))[FIRST_EPOCH:]
                    found[rule, label] = values.mean(axis=0, keepdims=True)
                continue
            found[rule, label] = function(train, test)
        if rule not in ("raw", "oriented", "last epoch, oriented"):
            # Epochs of either score one after the other, those before FIRST_EPOCH left out.
            pair = [
                np.concatenate([arrays[f"{part}/d_x"][:FIRST_EPOCH]]
                    + [arrays[f"{part}/{s}"][FIRST_EPOCH:] for s in ("d_x", "d_rx")])
                for part in ("train", "test")
            ]  # fmt: skip
            found[rule, BOTH] = function(*pair)
    return found


# ---------------------------------------------------------------------------------------
# F1 and AUC


def measure(found: dict, digit: int, seed: int, images):
    """F1 and AUC of all detectors, by share of outliers; of several epochs their mean."""
    from alocc.protocols import OUTLIER_SHARES, f1_auc

    rows = {}
    for share in OUTLIER_SHARES:
        split = split_at(share, digit, seed, images)
        for (rule, score), several in found.items():
            epochs = [
                f1_auc({score: values}, split.is_outlier, THRESHOLDS)
                for values in several[:, split.test_index]
            ]
            means = pd.concat(epochs).groupby("threshold", sort=False)[["f1", "auc"]].mean()
            rows[digit, seed, rule, score, share] = means
    keys = ["digit", "seed", "rule", "score", "outlier_share"]
    return pd.concat(rows, names=keys).reset_index()


def collect(
    folder: Path,
    wanted: list[tuple[int, int]],
    epochs: int,
    images,
    train: bool = True,
    variant: str | None = None,
):
    """Make the runs that are missing, each a (digit, seed), and measure those that are there.

    ``folder`` is that of the runs, which a ``variant``, one of VARIANTS, needs for itself, beside
    "authors"; ``images`` are from :func:`alocc.datasets.load_images`. Without ``train`` only what
    is there is measured. None where there is no run.
    """
    plain = folder.with_name("authors")  # the other detectors have no variants
    for needed in (folder, plain):
        needed.mkdir(parents=True, exist_ok=True)
    tables = []
    for number, (digit, seed) in enumerate(wanted, 1):
        path = kept(folder, digit, seed, epochs)
        state = "there already" if path.exists() else "trained" if train else "missing"
        if train:
            run(digit, seed, epochs, images, path, VARIANTS.get(variant, {}))
        print(f"{number}/{len(wanted)} digit {digit}, seed {seed}: {state}", flush=True)
        if not path.exists():
            continue
        with np.load(path) as arrays:
            tables.append(measure(detectors(arrays), digit, seed, images))
    for digit, seed in wanted if tables else ():
        others = plain / f"digit{digit}_baselines.npz"
        if train:
            baselines(digit, images, others)
        if others.exists():
            with np.load(others) as arrays:
                found = {("other detectors", name): arrays[name][None] for name in arrays.files}
            tables.append(measure(found, digit, seed, images))
    return pd.concat(tables, ignore_index=True) if tables else None


def paper_rows(shares) -> dict[str, list[str]]:
    """Give the F1 that the paper has at these shares, and that of calling everything an inlier."""
    from alocc.plots import PAPER_F1, PAPER_OUTLIER_SHARES
    from alocc.protocols import everything_inlier_f1

    rows = {}
    for name in ("D(R(X))", "D(X)"):
        known = dict(zip(PAPER_OUTLIER_SHARES, PAPER_F1[name]))
        rows[name.replace("X", "x")] = [f"{known[s]:.2f}" if s in known else "" for s in shares]
    return {**rows, "everything inlier": [f"{everything_inlier_f1(s):.3f}" for s in shares]}


def shares_table(table, value: str, threshold: str):
    """Means of F1 or AUC: a row a rule and score, a column a share of outliers."""
    some = table[table["threshold"] == threshold]
    means = some.groupby(["rule", "score", "outlier_share"], sort=False)[value].mean().unstack()
    means = means[sorted(means.columns)]
    rows = [[*key, *numbers.map("{:.3f}".format)] for key, numbers in means.iterrows()]
    for name, cells in paper_rows(means.columns).items() if value == "f1" else ():
        rows.append([*(("the paper", name) if name.startswith("D") else (name, "")), *cells])
    return pd.DataFrame(rows, columns=["rule", "score", *(f"{share:.0%}" for share in means)])


def digits_table(table):
    """Mean AUC by digit, at the largest share of outliers: a row a rule and score."""
    some = table[table["outlier_share"] == table["outlier_share"].max()]
    some = some[some["threshold"] == THRESHOLDS[0]]
    means = some.groupby(["rule", "score", "digit"], sort=False)["auc"].mean().unstack()
    means = means[sorted(means.columns)]
    return means.assign(mean=means.mean(axis=1)).map("{:.3f}".format).reset_index()


def draw_flips(folder: Path, keys: list[tuple[int, int]], epochs: int, images, path: Path) -> None:
    """Draw D(R(x)) by epoch, raw and oriented, for some digits; labels make the AUC alone."""
    from alocc import plots

    files = {key: kept(folder, *key, epochs) for key in keys}
    files = {key: file for key, file in files.items() if file.exists()}
    if not files:
        return
    figure = Figure(figsize=(5.4 * min(2, len(files)), 3.8 * -(-len(files) // 2)))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(-(-len(files) // 2), min(2, len(files)), squeeze=False).ravel()
    for ax in panels[len(files) :]:
        ax.set_axis_off()
    for ax, ((digit, seed), file) in zip(panels, files.items()):
        split = split_at(0.5, digit, seed, images)
        with np.load(file) as arrays:
            train, test = arrays["train/d_rx"], arrays["test/d_rx"][:, split.test_index]
        auc = [roc_auc_score(~split.is_outlier, values) for values in test]
        mean = roc_auc_score(~split.is_outlier, mean_of_epochs(train, test)[0])
        plots.plot_flips(auc, train.mean(axis=1), mean, ax)
        ax.set_title(f"D(R(x)), digit {digit}, seed {seed}")
    write_aside(path, lambda aside: figure.savefig(aside, format="png", dpi=100))


def mean_of_epochs_table(table):
    """Take what the mean of epochs gives, by score and target, as the figure has them."""
    names = {label: score for score, label in LABELS.items()}
    some = table[(table["rule"] == "mean of epochs") & table["score"].isin(names)]
    return some.assign(score=some["score"].map(names), target=some["digit"])


def draw_f1(table, path: Path) -> None:
    """Draw F1 by share of outliers beside the paper's (figure 8), for each threshold rule."""
    from alocc import plots

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    for rule, ax in zip(THRESHOLDS, figure.subplots(1, len(THRESHOLDS), sharey=True)):
        plots.plot_f1_by_outlier_share(table[table["threshold"] == rule], ax=ax)
    write_aside(path, lambda aside: figure.savefig(aside, format="png", dpi=100))


def authors(table, epochs: int, dataset: str, variant: str | None) -> list[str]:
    """Lay out what was measured of the authors' program as lines of Markdown."""
    runs = table[["digit", "seed"]].drop_duplicates()
    seeds = ", ".join(
        f"{digit}: {', '.join(map(str, part['seed']))}" for digit, part in runs.groupby("digit")
    )
    name = f"authors-{variant}" if variant else "authors"
    settings = "".join(f", {key}={value}" for key, value in VARIANTS.get(variant, {}).items())
    lines = ["## authors", ""]
    left_out = f" but those among the first {VALIDATION}" if dataset == "mnist" else ""
    lines += [f'ALOCC(fidelity="authors", epochs={epochs}{settings}), all training']
    lines += [f"images of the digit in {dataset}{left_out}. Seeds by digit: {seeds}.", ""]
    chosen_on = table["digit"].isin(CHOOSING)
    parts = {
        "all digits": table,
        "digits 0 to 4, on which a rule is chosen": table[chosen_on],
        "digits 5 to 9": table[~chosen_on],
    }
    for digits, part in parts.items():
        if len(part):
            for rule in THRESHOLDS:
                lines += [f"F1 on {digits}, threshold by {rule!r}:", ""]
                lines += [*frame(shares_table(part, "f1", rule)), ""]
    lines += ["AUC by digit, half of the images outliers:", "", *frame(digits_table(table)), ""]
    lines += [f"![D by epoch]({name}_flips.png)", ""]
    return [*lines, f"![F1 by share of outliers]({name}_figure8.png)", ""]


def corrected(report: Path) -> list[str]:
    """Lay out what a report has of the corrected port: F1 by share, and AUC by digit and range."""
    runs = [run["numbers"] for run in stored.read_runs(report / "alocc-figure8")]
    table = columns(run["table"] for run in runs if run["program"] == "corrected")
    table = table.replace({"score": LABELS}).assign(rule="corrected")
    by_seed = table[table["threshold"] == THRESHOLDS[0]].groupby(["score", "target", "seed"])["auc"]
    auc = by_seed.mean()
    cells = auc.groupby(["target", "score"]).agg(
        lambda auc: f"{auc.mean():.3f} ({auc.min():.3f} to {auc.max():.3f})"
    )
    cells = cells.unstack()[[*LABELS.values()]]
    cells.loc["mean"] = auc.groupby("score").mean().map("{:.3f}".format)
    lines = ["## corrected", "", f"From {report}, {runs[0]['images']}.", ""]
    for rule in THRESHOLDS:
        lines += [f"F1, threshold by {rule!r}:", "", *frame(shares_table(table, "f1", rule)), ""]
    lines += ["AUC by digit, mean and range over the seeds:", ""]
    return [*lines, *frame(cells.reset_index(names="digit")), ""]


# ---------------------------------------------------------------------------------------


@studies.ending("alocc_mnist")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing and write the summary; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="+", choices=TARGETS, help="what the summary is of")
    parser.add_argument("--dataset", choices=("mnist", "digits"), default="mnist")
    parser.add_argument(
        "--dataset_address",
        "--data-home",
        type=os.path.expanduser,
        metavar="PATH",
        help="where mnist.npz or the IDX files are; by default they are downloaded",
    )
    parser.add_argument("--digits", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--variant", choices=VARIANTS, help="the paper's lambda of 0.4, or its wider networks"
    )
    parser.add_argument("--tables_only", action="store_true", help="train nothing more")
    parser.add_argument(
        "--report",
        type=gaal_alocc.cli.path,
        default=REPORTS,
        metavar="DIR",
        help="for corrected: of reproduce.py alocc-figure8 --full (default: reports/)",
    )
    parser.add_argument(
        "--output", type=gaal_alocc.cli.path, default=REPORTS / "alocc_mnist", metavar="DIR"
    )
    args = parser.parse_args(argv)
    if args.epochs <= FIRST_EPOCH:
        parser.error(f"--epochs {args.epochs}: expected more than {FIRST_EPOCH}")
    lines = [
        "# ALOCC on MNIST",
        "",
        f"Made by `{studies.called('studies/alocc_mnist', argv)}`.",
        "",
    ]
    if "authors" in args.targets:
        with starting_tensorflow():
            pass
        # Seeds outermost: the first seed of all digits is there before the second begins.
        keys = [(digit, seed) for seed in args.seeds for digit in args.digits]
        name = f"authors-{args.variant}" if args.variant else "authors"
        images = load_images(args.dataset, args.dataset_address)
        of = "" if images.name == "mnist" else images.name  # runs of others in a folder of theirs
        folder = args.output / of / name
        found = collect(folder, keys, args.epochs, images, not args.tables_only, args.variant)
        if found is not None:
            write_aside(args.output / f"{name}.csv", lambda aside: found.to_csv(aside, index=False))
            lines += authors(found, args.epochs, images.name, args.variant)
            flips = args.output / f"{name}_flips.png"
            draw_flips(folder, keys[:4], args.epochs, images, flips)
            draw_f1(mean_of_epochs_table(found), args.output / f"{name}_figure8.png")
    if "corrected" in args.targets:
        lines += corrected(args.report)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / (f"summary-{args.variant}.md" if args.variant else "summary.md")
    write_aside(path, lambda aside: aside.write_text("\n".join(lines)))
    print(f"{path} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
