"""The paper's figure 6: R reconstructs the digit it knows and distorts others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reproduction import verdicts
from reproduction.alocc_runs import (
    DIGIT,
    MINE,
    ON_DIGITS,
    PAPER,
    a_run_a_seed,
    as_bytes,
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

FIGURE6_DIGITS = (DIGIT, 6, 7)
N_SHOWN = 3  # test images of each digit
DISTORTS = 0.05  # by so much less R(x) correlates with x than for the digit it knows


def run_figure6(seed: int, mnist: Path | None) -> dict:
    """Train on digit 1; keep how near R(x) is to x for each 1, 6 and 7, and some R(x)."""
    images = load_images(mnist)
    detector = short_run(mnist, random_state=seed).fit(images.data[images.target == DIGIT])
    nearness, shown = [], []
    for digit in FIGURE6_DIGITS:
        x = images.test_data[images.test_target == digit]
        pairs = zip(x.reshape(len(x), -1), detector.reconstruct(x).reshape(len(x), -1))
        nearness.append(
            {
                "digit": digit,
                "error": -detector.score_samples(x, "reconstruction").mean(),
                "correlation": np.mean([np.corrcoef(pair)[0, 1] for pair in pairs]),
            }
        )
        shown.append(x[:N_SHOWN])
    shown = np.concatenate(shown)
    return {
        "seed": seed,
        "nearness": pd.DataFrame(nearness).set_index("digit"),
        "shown": [shown, as_bytes(detector.reconstruct(shown))],
    }


def show_figure6(plan: Plan, results: list[dict]) -> Outcome:
    """Show R(x) of 1, 6 and 7, and judge whether R distorts what it was not trained on."""
    from alocc import plots

    runs = [r["nearness"] for r in results]
    comparisons = [
        verdicts.at_least(
            f"correlation of x and R(x), of {DIGIT} less that of {digit}",
            [run.loc[DIGIT, "correlation"] - run.loc[digit, "correlation"] for run in runs],
            DISTORTS,
            f"{digit} distorted, {DIGIT} not (picture)",
        )
        for digit in FIGURE6_DIGITS[1:]
    ]
    figure = page_figure(2.1)
    labels = np.repeat(FIGURE6_DIGITS, N_SHOWN)
    images, reconstructions = results[0]["shown"]
    ax = plots.plot_reconstructions(images, None, reconstructions, labels, figure.subplots())
    ax.set_title(f"R trained on {DIGIT}, given {DIGIT}, 6 and 7")
    table = pd.DataFrame(
        {
            "digit": FIGURE6_DIGITS,
            **{
                name: [
                    spread(pd.Series([run.loc[digit, column] for run in runs]))
                    for digit in FIGURE6_DIGITS
                ]
                for column, name in (
                    ("error", "mean squared error"),
                    ("correlation", "correlation of x and R(x)"),
                )
            },
        }
    )
    notes = [
        "Judged by the correlation of the pixels, mean over the test images of a digit: the"
        " squared error is larger for a 6 by its ink alone, whatever R draws.",
        "After one epoch. The paper does not say how long it trained; R's quality swings from"
        " epoch to epoch.",
    ]
    return Outcome(
        of_mnist(comparisons, mnist_of(plan)),
        {"Figure 6": figure},
        {"How near R(x) is to x": table},
        notes,
        describe(mnist_of(plan)),
        stand_in(mnist_of(plan)),
    )


TARGET = Target(
    "alocc-figure6",
    "ALOCC: R trained on digit 1, given 6 and 7",
    f"{PAPER}, figure 6",
    f'ALOCC(epochs=1), fidelity="published", all images of digit 1; {MINE}; {ON_DIGITS}, 10 epochs',
    a_run_a_seed,
    run_figure6,
    show_figure6,
)
