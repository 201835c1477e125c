"""The paper's figure 6: R reconstructs the digit it knows and distorts others."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.alocc_digits import AUTHORS, authors_pieces, early_pieces
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
    described,
    images_of,
    load_images,
    of_mnist,
    on_mnist,
    page_figure,
    reconstructions,
    short_run,
    spread,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target, columns, only

PROGRAMS = {"authors": "the authors' program", "port": "the port, as published"}
DISTORTS = 0.05  # by so much less R(x) correlates with x than for the digit it knows


def figure6_pieces(plan: Plan) -> list[dict]:
    """Ask for the authors' run on digit 1, and for one of the port a seed.

    On the few images that stand in it is figure 7's.
    """
    of_port = a_run_a_seed(plan) if plan.full else early_pieces(plan, "published", (DIGIT,))
    return [*authors_pieces(plan, (DIGIT,)), *of_port]


def run_figure6(seed: int, mnist: Path | None) -> dict:
    """Train the port on digit 1; keep how near R(x) is to x for each 1, 6 and 7."""
    images = load_images(mnist)
    detector = short_run(mnist, random_state=seed).fit(images.data[images.target == DIGIT])
    result = {"program": "port", "images": images_of(mnist), "seed": seed}
    return result | reconstructions(detector, images)


def numbers(result: dict) -> dict:
    """Take the raw numbers of a run: how near R(x) is to x."""
    return {**only("images", "seed", "nearness")(result), "program": program_of(result)}


def program_of(result: dict) -> str:
    """Tell the authors' program from the port."""
    return "authors" if result["program"] == "authors" else "port"


def judge_figure6(runs: list[dict]) -> Outcome:
    """Judge whether R distorts what it was not trained on."""
    nearness = columns(
        pd.DataFrame(run["nearness"]).assign(program=run["program"], run=i)
        for i, run in enumerate(runs)
    )
    authors = nearness[nearness["program"] == "authors"].pivot_table(
        "correlation", "run", "digit", sort=False
    )
    comparisons = [
        verdicts.at_least(
            f"correlation of x and R(x), of {DIGIT} less that of {digit}",
            authors[DIGIT] - authors[digit],
            DISTORTS,
            f"{digit} distorted, {DIGIT} not (picture)",
        )
        for digit in FIGURE6_DIGITS[1:]
    ]
    table = nearness.groupby(["program", "digit"], sort=False)[["error", "correlation"]].agg(spread)
    table = table.rename(index=PROGRAMS).reset_index()
    table.columns = ["program", "digit", "mean squared error", "correlation of x and R(x)"]
    epochs = AUTHORS_EPOCHS if on_mnist(runs) else EPOCHS_ON_DIGITS
    notes = [
        "Judged by the correlation of the pixels, mean over the test images of a digit: the"
        " squared error is larger for a 6 by its ink alone, whatever R draws.",
        f"The verdict is on the authors' own program, after {epochs} epochs; its R is shown"
        " as (R(x) + 1) / 2, which is where the grey background comes from. The port's R is that"
        " after one epoch; its quality swings from epoch to epoch.",
    ]
    tables = {"How near R(x) is to x": table}
    return Outcome(of_mnist(comparisons, runs), tables, notes, stand_in(runs))


def draw_figure6(plan: Plan, results: list[dict]) -> dict[str, Figure]:
    """Draw R(x) of 1, 6 and 7."""
    from alocc import plots

    figures = {}
    titles = {"authors": "Figure 6", "port": "The same by the port, as published"}
    for program, title in titles.items():
        figures[title] = page_figure(2.1)
        labels = np.repeat(FIGURE6_DIGITS, N_SHOWN)
        images, shown = next(r["shown"] for r in results if program_of(r) == program)
        ax = figures[title].subplots()
        plots.plot_reconstructions(images, None, shown, labels, ax)
        ax.set_title(f"R trained on {DIGIT}, given {DIGIT}, 6 and 7: {PROGRAMS[program]}")
    return figures


TARGET = Target(
    "alocc-figure6",
    "ALOCC: R trained on digit 1, given 6 and 7",
    f"{PAPER}, figure 6",
    f"{AUTHORS}, one seed, and ALOCC(epochs=1), all images of digit 1; {MINE}; {ON_DIGITS}",
    figure6_pieces,
    run_figure6,
    numbers,
    judge_figure6,
    draw_figure6,
    described,
)
