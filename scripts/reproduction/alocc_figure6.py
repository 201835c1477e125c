"""The paper's figure 6: R reconstructs the digit it knows and distorts others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reproduction import verdicts
from reproduction.alocc_digits import AUTHORS, authors_pieces
from reproduction.alocc_runs import (
    AUTHORS_EPOCHS,
    DIGIT,
    EPOCHS_ON_DIGITS,
    FIGURE6_DIGITS,
    MINE,
    N_SHOWN,
    ON_DIGITS,
    PAPER,
    a_run_a_seed,
    describe,
    load_images,
    mnist_of,
    of_mnist,
    page_figure,
    reconstructions,
    short_run,
    spread,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target

PROGRAMS = {"authors": "the authors' program", "port": "the port, as published"}
DISTORTS = 0.05  # by so much less R(x) correlates with x than for the digit it knows


def figure6_pieces(plan: Plan) -> list[dict]:
    """Ask for the authors' run on digit 1, and for one of the port a seed."""
    return [*authors_pieces(plan, (DIGIT,)), *a_run_a_seed(plan)]


def run_figure6(seed: int, mnist: Path | None) -> dict:
    """Train the port on digit 1; keep how near R(x) is to x for each 1, 6 and 7."""
    images = load_images(mnist)
    detector = short_run(mnist, random_state=seed).fit(images.data[images.target == DIGIT])
    return {"program": "port", "seed": seed, **reconstructions(detector, images)}


def show_figure6(plan: Plan, results: list[dict]) -> Outcome:
    """Show R(x) of 1, 6 and 7, and judge whether R distorts what it was not trained on."""
    from alocc import plots

    runs_of = {p: [r["nearness"] for r in results if r["program"] == p] for p in PROGRAMS}
    runs = runs_of["authors"]
    comparisons = [
        verdicts.at_least(
            f"correlation of x and R(x), of {DIGIT} less that of {digit}",
            [run.loc[DIGIT, "correlation"] - run.loc[digit, "correlation"] for run in runs],
            DISTORTS,
            f"{digit} distorted, {DIGIT} not (picture)",
        )
        for digit in FIGURE6_DIGITS[1:]
    ]
    figures = {}
    titles = {"authors": "Figure 6", "port": "The same by the port, as published"}
    for program, title in titles.items():
        figures[title] = page_figure(2.1)
        labels = np.repeat(FIGURE6_DIGITS, N_SHOWN)
        images, shown = next(r["shown"] for r in results if r["program"] == program)
        ax = figures[title].subplots()
        plots.plot_reconstructions(images, None, shown, labels, ax)
        ax.set_title(f"R trained on {DIGIT}, given {DIGIT}, 6 and 7: {PROGRAMS[program]}")
    columns = {"error": "mean squared error", "correlation": "correlation of x and R(x)"}
    table = pd.DataFrame(
        [
            {
                "program": PROGRAMS[program],
                "digit": digit,
                **{
                    name: spread(pd.Series([run.loc[digit, column] for run in some]))
                    for column, name in columns.items()
                },
            }
            for program, some in runs_of.items()
            for digit in FIGURE6_DIGITS
        ]
    )
    epochs = AUTHORS_EPOCHS if mnist_of(plan) else EPOCHS_ON_DIGITS
    notes = [
        "Judged by the correlation of the pixels, mean over the test images of a digit: the"
        " squared error is larger for a 6 by its ink alone, whatever R draws.",
        f"The verdict is on the authors' own program, after {epochs} epochs; its R is shown"
        " as (R(x) + 1) / 2, which is where the grey background comes from. The port's R is that"
        " after one epoch; its quality swings from epoch to epoch.",
    ]
    return Outcome(
        of_mnist(comparisons, mnist_of(plan)),
        figures,
        {"How near R(x) is to x": table},
        notes,
        describe(mnist_of(plan)),
        stand_in(mnist_of(plan)),
    )


TARGET = Target(
    "alocc-figure6",
    "ALOCC: R trained on digit 1, given 6 and 7",
    f"{PAPER}, figure 6",
    f"{AUTHORS}, one seed, and ALOCC(epochs=1), all images of digit 1; {MINE}; {ON_DIGITS}, 10"
    " epochs of the latter",
    figure6_pieces,
    run_figure6,
    show_figure6,
)
