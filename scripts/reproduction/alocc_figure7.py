"""The paper's figure 7: D(x) beside D(R(x))."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.alocc_digits import (
    AUTHORS,
    EQUAL,
    HALF,
    authors_pieces,
    digits_of,
    early_pieces,
)
from reproduction.alocc_runs import (
    DIGIT,
    EARLY_STOP,
    MINE,
    ON_DIGITS,
    PAPER,
    SCORES,
    because,
    described,
    of_mnist,
    page_figure,
    spread,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target, never, only

SCORES_OF_D = ["d_x", "d_rx"]
N_SHOWN = 20  # of either kind, as in the paper
FIDELITIES = {"corrected": "the port, corrected", "published": "the port, as published"}
PROGRAMS = {"authors": "the authors' program", **FIDELITIES}


def figure7_pieces(plan: Plan) -> list[dict]:
    """Ask for the authors' run on every digit, and for those of the port on digit 1."""
    pieces = [early_pieces(plan, fidelity, (DIGIT,)) for fidelity in FIDELITIES]
    return [*authors_pieces(plan, digits_of(plan)), *itertools.chain(*pieces)]


def numbers(result: dict) -> dict:
    """Take the raw numbers of a run: how D tells as many outliers from inliers, AUC.

    Of the digit that is drawn by epoch, too, with the mean of training images.
    """
    from sklearn.metrics import roc_auc_score

    auc = {s: roc_auc_score(~result["is_outlier"], result["scores"][s]) for s in SCORES_OF_D}
    by_epoch = [name for name in ("by_epoch", "centers") if name in result]
    return only("program", "images", "digit", "seed", *by_epoch)(result) | auc


def judge_figure7(runs: list[dict]) -> Outcome:
    """Judge whether R sets inliers and outliers further apart."""
    columns = ["program", "images", "digit", "seed", *SCORES_OF_D]
    auc = pd.DataFrame(runs)[columns].replace({"program": PROGRAMS}).rename(columns=SCORES)
    authors = auc[auc["program"] == PROGRAMS["authors"]]
    claim = verdicts.ordered(
        "inliers and outliers further apart by D(R(x)) than by D(x), digit by digit",
        authors["D(R(x))"],
        authors["D(x)"],
        "yes",
        "AUC of D(R(x)) less that of D(x)",
    )
    scores = verdicts.cannot(
        "the scores themselves",
        f"D(R(x)) {spread(authors['D(R(x))'])}, D(x) {spread(authors['D(x)'])} (AUC)",
        "the paper gives a picture, no numbers",
    )
    by_epoch = next(run for run in runs if "centers" in run)
    flipped = np.array(by_epoch["centers"]) < 0
    notes = [
        "The verdict is on the authors' own program: mean of its epochs from the sixth on, each"
        " oriented and standardised by training images, without labels. The sign of its D is"
        f" chance, epoch by epoch (below 0 in {flipped.sum()} of {len(flipped)} with digit"
        f" {by_epoch['digit']}): hence the users who ask why D scores outliers higher.",
        "In the port D wins at once. Corrected, its D scores with statistics that were tracked; as"
        " published they never move from 0 and 1.",
        f"The pictures are of digit {DIGIT}, the easiest.",
    ]
    table = auc.assign(**{name: auc[name].map("{:.4f}".format) for name in ("D(x)", "D(R(x))")})
    comparisons = [*(because(c, EQUAL) for c in of_mnist([claim], runs)), scores]
    return Outcome(comparisons, {"AUC": table.drop(columns="images")}, notes, stand_in(runs))


def draw_figure7(plan: Plan, results: list[dict]) -> dict[str, Figure]:
    """Draw D(x) beside D(R(x)), and D of the authors' program by epoch."""
    from sklearn.metrics import roc_auc_score

    from alocc import plots

    of_digit = [r for r in results if r["digit"] == DIGIT]
    runs = {p: next(r for r in of_digit if r["program"] == p) for p in PROGRAMS}
    figures = {"Figure 7": _draw_regions(runs["authors"]), "D by epoch": page_figure(4.4)}
    first = runs["authors"]
    mean = roc_auc_score(~first["is_outlier"], first["scores"]["d_rx"])
    ax = figures["D by epoch"].subplots()
    plots.plot_flips(first["by_epoch"], first["centers"], mean, ax)
    ax.set_title(f"D(R(x)) of the authors' program, digit {DIGIT}, epoch by epoch")
    for fidelity, title in FIDELITIES.items():
        first, title = runs[fidelity], title.capitalize()
        figures[title] = page_figure(4.4)
        ax = figures[title].subplots()
        shown = first["scores"][SCORES_OF_D].to_numpy()
        plots.plot_discriminator_scores(*shown.T, first["is_outlier"], ax)
        ax.set_ylim(shown.min() - 0.02, shown.max() + 0.02)
        ax.set_title(f'D on images and on reconstructions, fidelity="{fidelity}"')
    return figures


def _draw_regions(run: dict) -> Figure:
    """Draw 20 inliers and 20 outliers by either score, and what the best threshold rejects."""
    from alocc.protocols import choose_threshold

    figure = page_figure(3.6)
    kinds = [np.flatnonzero(run["is_outlier"] == kind) for kind in (False, True)]
    rows = [kind[:: max(1, len(kind) // N_SHOWN)][:N_SHOWN] for kind in kinds]
    for ax, score in zip(figure.subplots(1, 2, sharey=True), SCORES_OF_D):
        values = run["scores"][score].to_numpy()
        for some, label, color in zip(rows, ("inliers", "outliers"), ("C0", "C3")):
            ax.plot(values[some], "o", color=color, markersize=4, label=label)
        threshold = choose_threshold("best", values, run["is_outlier"])
        low = run["scores"].loc[np.concatenate(rows), SCORES_OF_D].to_numpy().min()
        ax.axhspan(low - 0.5, threshold, color="C3", alpha=0.1, label="rejected")
        ax.set(title=SCORES[score], xlabel="image")
    figure.axes[0].set_ylabel("oriented, mean of epochs")
    handles = figure.axes[1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize="small")
    return figure


TARGET = Target(
    "alocc-figure7",
    "ALOCC: D(x) beside D(R(x)), inliers and outliers",
    f"{PAPER}, figure 7",
    f"{AUTHORS}, all images of each of the ten digits, one seed; ALOCC(epochs=1),"
    f' fidelity="corrected" and "published", {EARLY_STOP} of digit 1; tested with'
    f" {HALF:.0%} outliers; {MINE}; {ON_DIGITS}, one digit",
    figure7_pieces,
    never,
    numbers,
    judge_figure7,
    draw_figure7,
    described,
)
