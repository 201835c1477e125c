"""The paper's figure 7: D(x) beside D(R(x))."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reproduction import verdicts
from reproduction.alocc_runs import (
    DIGIT,
    EARLY_STOP,
    MINE,
    ON_DIGITS,
    PAPER,
    SCORES,
    a_run_a_seed,
    describe,
    load_images,
    mnist_of,
    of_mnist,
    page_figure,
    short_run,
    spread,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target

FIGURE7_SHARE = 0.5  # of outliers in the test


def figure7_pieces(plan: Plan) -> list[dict]:
    """Ask for a run for each seed and fidelity, "corrected" first."""
    return [
        {"fidelity": fidelity, **piece}
        for fidelity in ("corrected", "published")
        for piece in a_run_a_seed(plan)
    ]


def run_figure7(fidelity: str, seed: int, mnist: Path | None) -> dict:
    """Train on digit 1; keep D(x) and D(R(x)) of inliers and as many outliers."""
    from alocc import protocols
    from alocc.datasets import one_class_split

    images = load_images(mnist)
    split = one_class_split(
        images.data,
        images.target,
        DIGIT,
        FIGURE7_SHARE,
        X_test=images.test_data,
        y_test=images.test_target,
        random_state=seed,
    )
    detector = short_run(mnist, fidelity=fidelity, random_state=seed)
    scores = protocols.all_scores(detector.fit(split.X_train[:EARLY_STOP]), split.X_test)
    return {
        "fidelity": fidelity,
        "seed": seed,
        "is_outlier": split.is_outlier,
        **{name: scores[name].astype(np.float32) for name in ("d_x", "d_rx")},
    }


def show_figure7(plan: Plan, results: list[dict]) -> Outcome:
    """Show D(x) beside D(R(x)), and judge whether R sets inliers and outliers further apart."""
    from sklearn.metrics import roc_auc_score

    from alocc import plots

    auc = pd.DataFrame(
        [
            {
                "fidelity": r["fidelity"],
                "seed": r["seed"],
                **{SCORES[s]: roc_auc_score(~r["is_outlier"], r[s]) for s in ("d_x", "d_rx")},
            }
            for r in results
        ]
    )
    corrected = auc[auc["fidelity"] == "corrected"]
    mnist = mnist_of(plan)
    claim = verdicts.ordered(
        f"inliers and outliers further apart by D(R(x)) than by D(x), digit {DIGIT}",
        corrected["D(R(x))"],
        corrected["D(x)"],
        "yes",
        "AUC of D(R(x)) less that of D(x)",
    )
    scores = verdicts.cannot(
        "the scores themselves",
        f"D(R(x)) {spread(corrected['D(R(x))'])}, D(x) {spread(corrected['D(x)'])} (AUC)",
        "the paper gives a picture, no numbers",
    )
    figures = {}
    for fidelity, title in (("corrected", "Figure 7"), ("published", "The same, as published")):
        first = next(r for r in results if r["fidelity"] == fidelity)
        figures[title] = page_figure(4.4)
        ax = figures[title].subplots()
        plots.plot_discriminator_scores(first["d_x"], first["d_rx"], first["is_outlier"], ax)
        shown = np.concatenate([first["d_x"], first["d_rx"]])
        ax.set_ylim(shown.min() - 0.02, shown.max() + 0.02)
        ax.set_title(f'D on images and on reconstructions, fidelity="{fidelity}"')
    notes = [
        'The verdict is on "corrected", whose D scores with statistics that were tracked. As'
        " published they never move from 0 and 1, and D's scores say little: see the second"
        " figure.",
        f"This is digit {DIGIT}, the easiest; alocc-figure8 judges the same over all ten.",
    ]
    table = auc.assign(**{name: auc[name].map("{:.4f}".format) for name in ("D(x)", "D(R(x))")})
    comparisons = [*of_mnist([claim], mnist), scores]
    return Outcome(comparisons, figures, {"AUC": table}, notes, describe(mnist), stand_in(mnist))


TARGET = Target(
    "alocc-figure7",
    "ALOCC: D(x) beside D(R(x)), inliers and outliers",
    f"{PAPER}, figure 7",
    f'ALOCC(epochs=1), fidelity="corrected" and "published", {EARLY_STOP} images of digit 1,'
    f" tested with {FIGURE7_SHARE:.0%} outliers; {MINE}; {ON_DIGITS}, 10 epochs",
    figure7_pieces,
    run_figure7,
    show_figure7,
)
