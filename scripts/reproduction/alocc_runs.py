"""What ALOCC's targets share.

A quick run, and one without MNIST, has scikit-learn's digits in its place. What is published of
MNIST then stands beside our numbers without being held against them.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.target import Plan, sha256
from reproduction.verdicts import Comparison

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())["alocc"]
PAPER = "Sabokrou et al., CVPR 2018 (arXiv:1802.09088)"
DIGIT = 1  # the target class of the tutorial and of the paper's figure 6
SCORES = {"reconstruction": "reconstruction", "d_x": "D(x)", "d_rx": "D(R(x))"}
EARLY_STOP = 2560  # images of a digit, 20 updates: what docs/alocc_mnist.md settles on
AUTHORS_EPOCHS = 20  # half of the authors': their D's sign flips by chance in either half
EPOCHS_ON_DIGITS = 6  # the least of which a mean is taken: from the sixth on
FIGURE6_DIGITS = (DIGIT, 6, 7)
N_SHOWN = 3  # test images of each of them
RULES = {"share": "as many outliers as there are", "best": "best in hindsight"}  # for F1
MAX_SEEDS = 3  # a run takes minutes: no more, however many are asked for
MINE = f"at most {MAX_SEEDS} seeds, one in a quick run"
ON_DIGITS = (
    "in a quick run scikit-learn's digits, batches of 32,"
    f" {EPOCHS_ON_DIGITS} epochs of either program"
)


def mnist_of(plan: Plan) -> Path | None:
    """Find the file of MNIST; a quick run does without."""
    return plan.mnist if plan.full else None


def seeds_of(plan: Plan) -> range:
    """List the seeds: one in a quick run."""
    return plan.some_seeds(MAX_SEEDS if plan.full else 1)


def a_run_a_seed(plan: Plan) -> list[dict]:
    """Give the pieces of a target whose runs differ in their seed only."""
    return [{"seed": seed, "mnist": mnist_of(plan)} for seed in seeds_of(plan)]


def load_images(mnist: Path | None):
    """Load MNIST, or the digits that stand in for it."""
    from alocc import datasets

    return datasets.load_digits_28() if mnist is None else datasets.load_mnist(mnist)


def described(plan: Plan) -> list[dict[str, str]]:
    """Name the images, their source and their SHA-256 for the report."""
    return describe(mnist_of(plan))


def describe(mnist: Path | None) -> list[dict[str, str]]:
    """Name MNIST, or the digits that stand in for it."""
    if mnist is not None:
        return [{"name": "MNIST", "source": "mnist.npz, as Keras has it", "sha256": sha256(mnist)}]
    images = load_images(None)
    pixels = np.concatenate([images.data, images.test_data])
    return [{"name": "digits", "source": images.DESCR, "sha256": sha256(pixels)}]


def images_of(mnist: Path | None) -> str:
    """Name the images of a run."""
    return "digits" if mnist is None else "MNIST"


def on_mnist(runs: list[dict]) -> bool:
    """Tell whether runs are of MNIST."""
    return runs[0]["images"] == "MNIST"


def of_mnist(comparisons: list[Comparison], runs: list[dict]) -> list[Comparison]:
    """Judge comparisons with what is published of MNIST, which other images cannot be held to."""
    if not on_mnist(runs):
        return verdicts.of("digits", verdicts.as_stand_in(comparisons))
    return verdicts.of("MNIST", verdicts.together(comparisons))


def stand_in(runs: list[dict]) -> str:
    """Say what stands in for MNIST; nothing where it is at hand."""
    return "" if on_mnist(runs) else "scikit-learn's digits for MNIST"


def because(comparison: Comparison, reason: str) -> Comparison:
    """Say what may be behind a difference, where there is one."""
    told = (verdicts.DIFFERS, verdicts.FAILS, verdicts.UNTOLD)
    return replace(comparison, reason=reason) if comparison.verdict in told else comparison


def short_run(mnist: Path | None, **settings):
    """ALOCC for one epoch; the digits, of which a batch of 128 is all, get small ones and more."""
    from alocc import ALOCC

    length = {"epochs": 1}
    if mnist is None:
        length = {"epochs": EPOCHS_ON_DIGITS, "batch_size": 32}
    return ALOCC(**length, select_epoch="last", **settings)


def authors_run(mnist: Path | None, **settings):
    """ALOCC as its authors wrote it, D oriented by training images; digits get small batches."""
    from alocc import ALOCC

    length = {"epochs": AUTHORS_EPOCHS}
    if mnist is None:
        length = {"epochs": EPOCHS_ON_DIGITS, "batch_size": 32}
    return ALOCC(fidelity="authors", orientation="training", **{**length, **settings})


def reconstructions(detector, images) -> dict:
    """Measure how near R(x) is to x for each 1, 6 and 7, and keep some R(x), for figure 6.

    As after the epoch in use, of a mean of epochs the last: that is the R that draws.
    """
    from alocc.protocols import scores_by_epoch

    nearness, shown = [], []
    for digit in FIGURE6_DIGITS:
        x = images.test_data[images.test_target == digit]
        pairs = zip(x.reshape(len(x), -1), detector.reconstruct(x).reshape(len(x), -1))
        nearness.append(
            {
                "digit": digit,
                "error": -scores_by_epoch(detector, x, [detector.epoch_])["reconstruction"].mean(),
                "correlation": np.mean([np.corrcoef(pair)[0, 1] for pair in pairs]),
            }
        )
        shown.append(x[:N_SHOWN])
    shown = np.concatenate(shown)
    return {
        "nearness": nearness,
        "shown": [shown, as_bytes(detector.reconstruct(shown))],
    }


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as uint8: small on their way from a run to its figure."""
    return np.rint(np.asarray(images) * 255).astype(np.uint8)


def page_figure(height: float) -> Figure:
    """Make a figure as wide as a page."""
    return Figure(figsize=(6.4, height), layout="constrained")


def spread(values: pd.Series) -> str:
    """Median and range of runs; of one run, what it gave."""
    text = f"{np.median(values):.3f}"
    return text if len(values) == 1 else f"{text} ({min(values):.3f} to {max(values):.3f})"
