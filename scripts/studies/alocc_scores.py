"""Which score of ALOCCEnsemble to take: chosen on MNIST's digits, then tried on other images.

The rule, written down before any of its runs: of the three scores, and of the sums of two and of
three of them, each in standard deviations of training images, take the one with the highest AUC,
mean of MNIST's digits 0 to 4. No label is looked at but for that. The mean image of the class and
LOF on the same training images stand beside, and cannot be chosen. An AUC is of all test images of
a class among as many of the others. What is tried on is a folder of IDX files, as Fashion-MNIST's.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import mnist_authors
from mnist_authors import LABELS, laid_out

import gaal_alocc.cli
from gaal_alocc.files import write_aside

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "alocc_scores"
CHOOSING = mnist_authors.CHOOSING  # digits
REFERENCES = 500  # training images by which scores are standardised
SUMS = [("d_rx", "reconstruction"), ("d_x", "reconstruction"), ("d_x", "d_rx"), tuple(LABELS)]
BESIDE = ("mean image", "LOF")


def path_of(label: int, seed: int, epochs: int, train_size: int | None, folder: Path) -> Path:
    """Name the file of a run."""
    return folder / f"class{label}_seed{seed}_epochs{epochs}_images{train_size or 'all'}.npz"


def run(images, label: int, seed: int, epochs: int, train_size: int | None, folder: Path) -> Path:
    """Train on a class, or go on, and keep the scores of training and of test images."""
    import numpy as np

    from alocc import ALOCCEnsemble
    from alocc.datasets import one_class_split, to_unit
    from alocc.protocols import all_scores, lof_baseline

    path = path_of(label, seed, epochs, train_size, folder)
    if path.exists():
        return path
    test = {"X_test": images.test_data, "y_test": images.test_target}
    split = one_class_split(images.data, images.target, label, 0.5, **test, random_state=seed)
    X = split.X_train[:train_size]
    detector = ALOCCEnsemble(epochs, random_state=seed)
    detector.fit(X, checkpoint_dir=path.with_suffix(""), checkpoint_every=1, resume=True)
    arrays = {"is_outlier": split.is_outlier}
    some = X[:: max(1, len(X) // REFERENCES)][:REFERENCES]
    for part, shown in (("train", some), ("test", split.X_test)):
        arrays |= {f"{part}/{name}": v for name, v in all_scores(detector, shown).items()}
    error = (to_unit(split.X_test) - to_unit(X).mean(axis=0)) ** 2
    arrays["mean image"] = -error.mean(axis=(1, 2))
    arrays["LOF"] = lof_baseline().fit(X).score_samples(split.X_test)
    mnist_authors.save(path, {name: np.asarray(values) for name, values in arrays.items()})
    return path


def candidates(arrays) -> dict:
    """Make the scores to choose from, of test images, by their names."""
    in_deviations = {
        name: (arrays[f"test/{name}"] - arrays[f"train/{name}"].mean())
        / arrays[f"train/{name}"].std()
        for name in LABELS
    }
    found = {label: in_deviations[name] for name, label in LABELS.items()}
    for names in SUMS:
        label = " + ".join(LABELS[name] for name in names)
        found[label] = sum(in_deviations[name] for name in names)
    return found


def measure(path: Path) -> dict[str, float]:
    """Measure the AUC of all candidates and of what stands beside."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    with np.load(path) as arrays:
        scores = candidates(arrays) | {name: arrays[name] for name in BESIDE}
        return {n: float(roc_auc_score(~arrays["is_outlier"], v)) for n, v in scores.items()}


def choose(auc) -> str:
    """Choose by the rule, from the AUC of a row a digit of MNIST and a column a score."""
    return auc.loc[auc.index.isin(CHOOSING)].drop(columns=list(BESIDE)).mean().idxmax()


def summary(auc, settings: str, command: str) -> str:
    """Lay the AUC out as Markdown: of each set a row a class, mean of its seeds."""
    lines = ["# Which score of ALOCCEnsemble", "", f"{settings}. Made by `{command}`.", ""]
    for name, rows in auc.groupby(level=0, sort=False):
        table = rows.groupby(level="class").mean()
        if name == "mnist" and set(CHOOSING) <= set(table.index):
            lines += [f"By digits {min(CHOOSING)} to {max(CHOOSING)}: **{choose(table)}**.", ""]
        table.loc["mean"] = table.mean()
        lines += [f"AUC, {name}:", ""]
        lines += [*laid_out(table.map("{:.3f}".format).reset_index()), ""]
    return "\n".join(lines)


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
    import pandas as pd

    from alocc.datasets import load_images

    try:
        sets = {"mnist": load_images("mnist", args.mnist)}
        if args.other:
            sets[Path(args.other).resolve().name] = load_images(args.other)
        rows = {}
        for name, images in sets.items():
            (args.output / name).mkdir(parents=True, exist_ok=True)
            for seed in args.seeds:
                for label in args.classes:
                    run_of = (images, label, seed, args.epochs, args.train_size, args.output / name)
                    if args.tables_only and not path_of(*run_of[1:]).exists():
                        continue
                    rows[name, seed, label] = measure(run(*run_of))
                    print(name, seed, label, rows[name, seed, label], flush=True)
    except (OSError, ValueError) as error:
        print(f"alocc_scores: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nalocc_scores: interrupted; call again to go on", file=sys.stderr)
        return 130
    auc = pd.DataFrame.from_dict(rows, orient="index")
    auc.index = pd.MultiIndex.from_tuples(auc.index, names=["set", "seed", "class"])
    write_aside(args.output / "auc.csv", lambda aside: auc.to_csv(aside))
    settings = (
        f"ALOCCEnsemble({args.epochs}), {args.train_size or 'all'} training images of each class,"
        f" seeds {', '.join(map(str, args.seeds))}"
    )
    words = sys.argv[1:] if argv is None else argv
    command = " ".join(["python scripts/studies/alocc_scores.py", *words])
    text = summary(auc, settings, command)
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(text))
    print(f"{args.output / 'summary.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
