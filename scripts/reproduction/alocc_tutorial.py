"""The tutorial of the published Keras program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.alocc_runs import (
    DIGIT,
    PUBLISHED,
    SCORES,
    as_bytes,
    because,
    describe,
    load_images,
    of_mnist,
    page_figure,
    spread,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target
from reproduction.verdicts import Comparison

TUTORIAL = PUBLISHED["tutorial"]
RERUNS = PUBLISHED["published_script_reruns"]
RERUN_NAMES = {"reconstruction": "reconstruction_mse", "d_x": "D(x)", "d_rx": "D(R(x))"}
SAMPLES = {int(label): values for label, values in TUTORIAL["test_samples"].items()}
CURVE_START, CURVE_LEVEL = 1.1, 0.12  # what reconstruction_loss_curve says in words
N_SNAPSHOTS = 5  # epochs whose AUC is measured: on MNIST all five
LAST_UPDATES = 10  # whose mean is the loss at the end of an epoch
N_MONTAGE = 25

ONE_RUN = (
    "The tutorial shows a single run. Every one of ours, and of the published program, ends at"
    " other weights."
)


def tutorial_pieces(plan: Plan) -> list[dict]:
    """Give a run a seed, one in a quick plan, which takes MNIST too where it is at hand."""
    seeds = plan.all_seeds if plan.full else plan.some_seeds(1)
    return [{"seed": seed, "mnist": plan.mnist} for seed in seeds]


def run_tutorial(seed: int, mnist: Path | None) -> dict:
    """Train as in the tutorial; keep the losses, AUC by epoch, four samples and a montage."""
    from alocc import ALOCC, protocols
    from alocc.datasets import add_noise, to_unit

    images = load_images(mnist)
    X_train = images.data[images.target == DIGIT]
    settings = {"epochs": 5} if mnist is not None else {"epochs": 25, "batch_size": 32}
    detector = ALOCC(**settings, random_state=seed).fit(X_train)
    epochs = np.linspace(0, detector.epochs - 1, N_SNAPSHOTS).round().astype(int)
    is_one = images.test_target == DIGIT
    samples = protocols.tutorial_test(detector, images.data, images.target, list(SAMPLES))
    shown = images.data[samples["row"]]
    clean = to_unit(X_train[:N_MONTAGE])
    noisy = add_noise(clean, detector.noise_sigma, seed)
    return {
        "seed": seed,
        "history": detector.history_[["epoch", "g_loss_reconstruction"]],
        "epoch": detector.epoch_,
        "auc": protocols.auc_by_epoch(detector, images.test_data, is_one, epochs),
        "samples": samples,
        "shown": [shown, as_bytes(detector.reconstruct(shown))],
        "montage": [as_bytes(part) for part in (clean, noisy, detector.reconstruct(noisy))],
    }


def show_tutorial(plan: Plan, results: list[dict]) -> Outcome:
    """Show the tutorial's curve, its samples and montage, and the AUC after each epoch."""
    mnist = plan.mnist
    compared = [
        *_compare_losses(results),
        *_compare_auc(results),
        *_compare_samples(results),
        _compare_order(results),
    ]
    comparisons = [because(c, ONE_RUN) for c in of_mnist(compared, mnist)]
    if mnist is None:
        # On so few images it falls from 0.98 to 0.5 from one epoch to the next.
        best = [r["auc"]["reconstruction"].max() for r in results]
        shown = verdicts.stand_in(
            "AUC of reconstruction, best of five epochs", best, 0.7, "0.98 to 1.00"
        )
        comparisons.append(replace(shown, of="digits"))
    return Outcome(
        comparisons,
        {
            "Reconstruction loss": _draw_losses(results[0]),
            "AUC after each epoch": _draw_auc(results, beside_reruns=mnist is not None),
            "The four test samples": _draw_samples(results[0]),
            "Montage": _draw_montage(results[0]),
        },
        {
            "The four test samples": _samples_table(results),
            "AUC after each epoch": _auc_table(results),
        },
        [
            "The epoch is chosen as in the tutorial, by the least mean reconstruction loss; it"
            " says nothing about D, whose AUC swings from epoch to epoch in the published"
            " program, too.",
            "The samples' reconstruction loss takes R(x) for the truth and x for the prediction,"
            " as the tutorial's test does.",
        ],
        describe(mnist),
        stand_in(mnist),
    )


def _end_losses(result: dict) -> np.ndarray:
    """Average the loss at the end of each epoch looked at."""
    by_epoch = result["history"].groupby("epoch")["g_loss_reconstruction"]
    ends = by_epoch.apply(lambda losses: losses.tail(LAST_UPDATES).mean())
    return ends[result["auc"]["epoch"]].to_numpy()


def _compare_losses(results: list[dict]) -> list[Comparison]:
    first = [r["history"]["g_loss_reconstruction"].iloc[0] for r in results]
    ends = np.array([_end_losses(r) for r in results])
    runs = len(results)
    return [
        verdicts.one_run("reconstruction loss, first update", first, CURVE_START, 0.1, runs),
        *(
            verdicts.one_run(
                f"reconstruction loss, end of epoch {epoch}", values, CURVE_LEVEL, 0.03, runs
            )
            for epoch, values in enumerate(ends.T, start=1)
        ),
        verdicts.one_run(
            "epoch chosen", [r["epoch"] for r in results], TUTORIAL["epoch_chosen"], 0, runs
        ),
    ]


def _compare_auc(results: list[dict]) -> list[Comparison]:
    return [
        verdicts.same_distribution(
            f"AUC of {label} after each epoch",
            np.concatenate([r["auc"][score] for r in results]),
            np.ravel(RERUNS[RERUN_NAMES[score]]),
        )
        for score, label in SCORES.items()
    ]


def _compare_samples(results: list[dict]) -> list[Comparison]:
    runs = pd.concat([r["samples"] for r in results]).groupby("label")
    return [
        verdicts.one_run(
            f"{name}, sample {label}",
            runs.get_group(label)[column].to_numpy(),
            SAMPLES[label][column],
            tolerance,
            len(results),
        )
        for column, name, tolerance in (
            ("reconstruction_loss", "reconstruction loss", 0.1),
            ("discriminator", "D(R(x))", 0.05),
        )
        for label in SAMPLES
    ]


def _compare_order(results: list[dict]) -> Comparison:
    losses = [r["samples"].set_index("label")["reconstruction_loss"] for r in results]
    return verdicts.ordered(
        "the sample of the trained digit has the lowest reconstruction loss",
        [loss.drop(DIGIT).min() for loss in losses],
        [loss[DIGIT] for loss in losses],
        str(min(SAMPLES, key=lambda label: SAMPLES[label]["reconstruction_loss"])),
        f"the lowest of the other samples' losses less that of {DIGIT}",
    )


def _draw_losses(result: dict) -> Figure:
    from alocc import plots

    figure = page_figure(4.2)
    ax = figure.subplots()
    plots.plot_reconstruction_loss(result["history"], result["epoch"], ax)
    ax.axhline(CURVE_LEVEL, color="0.3", linestyle=":", label=f"tutorial, about {CURVE_LEVEL}")
    ax.legend()
    return figure


def _draw_auc(results: list[dict], beside_reruns: bool) -> Figure:
    figure = page_figure(7)
    panels = figure.subplots(len(SCORES), sharex=True, sharey=True)
    for ax, (score, label) in zip(panels, SCORES.items()):
        for run in RERUNS[RERUN_NAMES[score]] if beside_reruns else ():
            ax.plot(np.arange(1, 6), run, "s--", color="0.6", markersize=4)
        for result in results:
            ax.plot(result["auc"]["epoch"] + 1, result["auc"][score], "o-", color="C0")
        ax.plot([], [], "o-", color="C0", label="ours, a line a seed")
        if beside_reruns:
            ax.plot([], [], "s--", color="0.6", markersize=4, label="the published program")
        ax.axhline(0.5, color="0.3", linestyle=":", linewidth=1)
        ax.set(title=label, ylabel="AUC", ylim=(-0.03, 1.03))
    panels[0].legend(loc="lower right")
    panels[-1].set_xlabel("epochs done")
    figure.suptitle(f"AUC of digit {DIGIT} over the others, test images")
    return figure


def _draw_samples(result: dict) -> Figure:
    from alocc import plots

    figure = page_figure(3.9)
    ax = figure.subplots()
    images, reconstructions = result["shown"]
    labels = [
        f"digit {row.label}\nloss {row.reconstruction_loss:.2f}\nD(R(x)) {row.discriminator:.2f}"
        for row in result["samples"].itertuples()
    ]
    plots.plot_reconstructions(images, None, reconstructions, labels, ax)
    ax.set_title(f"The four test samples (trained on digit {DIGIT})")
    return figure


def _draw_montage(result: dict) -> Figure:
    from alocc import plots

    figure = page_figure(2.7)
    names = ("x", "x + noise", "R(x + noise)")
    for ax, name, images in zip(figure.subplots(1, 3), names, result["montage"]):
        plots.plot_montage(images, title=name, ax=ax)
    figure.suptitle(f"Training images of digit {DIGIT}")
    return figure


def _samples_table(results: list[dict]) -> pd.DataFrame:
    runs = pd.concat([r["samples"] for r in results]).groupby("label")
    columns = {"reconstruction_loss": "reconstruction loss", "discriminator": "D(R(x))"}
    return pd.DataFrame(
        {
            "digit": list(SAMPLES),
            **{
                text: [cell(label, column) for label in SAMPLES]
                for column, name in columns.items()
                for text, cell in (
                    (
                        f"{name}, ours",
                        lambda label, column: spread(runs.get_group(label)[column]),
                    ),
                    (f"{name}, tutorial", lambda label, column: f"{SAMPLES[label][column]:.3f}"),
                )
            },
        }
    )


def _auc_table(results: list[dict]) -> pd.DataFrame:
    table = pd.concat([r["auc"].assign(seed=r["seed"]) for r in results], ignore_index=True)
    epoch = table["epoch"].astype(str) + np.where(table["chosen"], " (chosen)", "")
    return pd.DataFrame(
        {
            "seed": table["seed"],
            "epoch": epoch,
            **{label: table[score].map("{:.3f}".format) for score, label in SCORES.items()},
        }
    )


TARGET = Target(
    "alocc-tutorial",
    "ALOCC: the tutorial's reconstruction losses, four test samples and montage",
    "tutorial of the published Keras program (MNIST, digit 1), and three reruns of it",
    'ALOCC(), fidelity="published": 5 epochs, batches of 128, r_alpha 0.2, noise 0.155; one'
    " seed in a quick run, without MNIST of scikit-learn's digits, batches of 32, 25 epochs",
    tutorial_pieces,
    run_tutorial,
    show_tutorial,
    needs=("mnist",),
    long=True,
)
