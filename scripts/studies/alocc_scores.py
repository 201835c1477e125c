"""Which score of ALOCCEnsemble to take: chosen on MNIST's digits, then tried on other images.

The rule, written down before any of its runs: of the three scores, and of the sums of two and of
three of them, each in standard deviations of training images, take the one with the highest AUC,
mean of MNIST's digits 0 to 4. No label is looked at but for that. The mean image of the class and
LOF on the same training images stand beside, and cannot be chosen. An AUC is of all test images of
a class among as many of the others. What is tried on is a folder of IDX files, as Fashion-MNIST's.
"""

import argparse
import functools
import os
import sys
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

import gaal_alocc.cli
from alocc.datasets import load_images
from gaal_alocc.files import write_aside
from gaal_alocc.startup import choose_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alocc_mnist import CHOOSING, LABELS
from common import studies
from common.tables import frame

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "alocc_scores"
RUN = ["set", "seed", "class", "epochs", "images"]
REFERENCES = 500  # training images by which scores are standardised
SUMS = [("d_rx", "reconstruction"), ("d_x", "reconstruction"), ("d_x", "d_rx"), tuple(LABELS)]
BESIDE = ("mean image", "LOF")


def run(
    name: str, seed: int, label: int, epochs: int, n: int, sets: dict, folder: Path
) -> pd.DataFrame:
    """Train on n images of a class, or go on, and measure the AUC of all that is to be compared."""
    from alocc import ALOCCEnsemble
    from alocc.datasets import one_class_split, to_unit
    from alocc.protocols import all_scores, lof_baseline

    images = sets[name]
    test = {"X_test": images.test_data, "y_test": images.test_target}
    split = one_class_split(images.data, images.target, label, 0.5, **test, random_state=seed)
    X = split.X_train[:n]
    detector = ALOCCEnsemble(epochs, random_state=seed)
    snapshots = folder / name / f"class{label}_seed{seed}_epochs{epochs}_images{n}"
    snapshots.parent.mkdir(parents=True, exist_ok=True)
    detector.fit(X, checkpoint_dir=snapshots, checkpoint_every=1, resume=True)
    some = X[:: max(1, len(X) // REFERENCES)][:REFERENCES]
    scores = candidates(*(all_scores(detector, shown) for shown in (some, split.X_test)))
    error = (to_unit(split.X_test) - to_unit(X).mean(axis=0)) ** 2
    scores["mean image"] = -error.mean(axis=(1, 2))
    scores["LOF"] = lof_baseline().fit(X).score_samples(split.X_test)
    return pd.DataFrame([{n: roc_auc_score(~split.is_outlier, v) for n, v in scores.items()}])


def candidates(train: dict, test: dict) -> dict:
    """Make the scores to choose from, of test images, by their names."""
    in_deviations = {name: (test[name] - train[name].mean()) / train[name].std() for name in LABELS}
    found = {label: in_deviations[name] for name, label in LABELS.items()}
    for names in SUMS:
        label = " + ".join(LABELS[name] for name in names)
        found[label] = sum(in_deviations[name] for name in names)
    return found


def choose(auc: pd.DataFrame) -> str:
    """Choose by the rule, from the AUC of a row a digit of MNIST and a column a score."""
    return auc.loc[auc.index.isin(CHOOSING)].drop(columns=list(BESIDE)).mean().idxmax()


def summary(auc: pd.DataFrame, command: str) -> str:
    """Lay the AUC out as Markdown: of each set and length a row a class, mean of its seeds."""
    lines = ["# Which score of ALOCCEnsemble", "", f"Made by `{command}`.", ""]
    for (name, epochs, n), rows in auc.groupby(["set", "epochs", "images"], sort=False):
        table = rows.drop(columns=["set", "epochs", "images", "seed"]).groupby("class").mean()
        if name == "mnist" and set(CHOOSING) <= set(table.index):
            lines += [f"By digits {min(CHOOSING)} to {max(CHOOSING)}: **{choose(table)}**.", ""]
        table.loc["mean"] = table.mean()
        seeds = ", ".join(map(str, rows["seed"].unique()))
        lines += [f"AUC, {name}, ALOCCEnsemble({epochs}), at most {n} images of a class, seeds"]
        lines += [f"{seeds}:", ""]
        lines += [*frame(table.map("{:.3f}".format).reset_index()), ""]
    return "\n".join(lines)


@studies.ending("alocc_scores")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing, write the summary, return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mnist", type=os.path.expanduser, help="mnist.npz, or else downloaded")
    parser.add_argument("--other", type=os.path.expanduser, help="folder of IDX files to try on")
    parser.add_argument("--classes", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--train_size", type=int, help="images of a class (default: all)")
    parser.add_argument("--tables_only", action="store_true", help="train nothing more")
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    args = parser.parse_args(argv)
    choose_tensorflow()
    images = load_images("mnist", args.mnist)
    sets = {images.name: images}  # digits where there is no MNIST
    if args.other:
        sets[Path(args.other).resolve().name] = load_images(args.other)
    wanted = [
        (name, seed, label, args.epochs, args.train_size or len(images.data))
        for name, images in sets.items()
        for seed in args.seeds
        for label in args.classes
    ]
    args.output.mkdir(parents=True, exist_ok=True)
    auc = studies.collect(
        args.output / "auc.csv",
        RUN,
        [] if args.tables_only else wanted,
        functools.partial(run, sets=sets, folder=args.output),
        lambda rows: ", ".join(f"{name} {rows[name].iloc[0]:.3f}" for name in rows.columns[5:]),
    )
    if auc is None:
        raise ValueError(f"{args.output / 'auc.csv'} is not there: nothing has been trained yet")
    text = summary(auc, studies.called("studies/alocc_scores", argv))
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(text))
    print(f"{args.output / 'summary.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
