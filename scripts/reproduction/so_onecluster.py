"""The repository's figure: SO-GAAL trained on onecluster."""

from __future__ import annotations

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of, look_alike
from reproduction.gaal_runs import (
    COMMON,
    best_auc,
    by_seed,
    curves,
    draw_runs,
    final_auc,
    train,
    wide,
)
from reproduction.onecluster import (
    KERNELS,
    RERUNS,
    UNDER_224,
    by_variant,
    judge_bands,
    judge_figure,
    onecluster_pieces,
)
from reproduction.target import Outcome, Plan, Target


def show_so_onecluster(plan: Plan, runs: list[dict]) -> Outcome:
    """Show SO-GAAL's training on onecluster."""
    ours, under_224 = by_variant(runs)
    figure = wide()
    draw_runs(ours, "SO-GAAL on onecluster", figure.subplots())
    lowest = [float(curves(run)["discriminator_loss"][:1900].idxmin()) for run in under_224]
    published = RERUNS["SO-GAAL_onecluster_final_auc"]
    compared = [
        verdicts.at_least(
            "best AUC on the way", best_auc(runs), 0.9998, RERUNS["SO-GAAL_onecluster_best_auc"]
        ),
        verdicts.same_distribution("final AUC", final_auc(under_224), published),
        verdicts.same_distribution(
            "update of the lowest discriminator loss before 1900",
            lowest,
            RERUNS["SO-GAAL_onecluster_update_of_lowest_discriminator_loss_before_1900"],
        ),
        *judge_bands("SO-GAAL", under_224, verdicts.median_in_band),
        *judge_figure("SO-GAAL", ours),
    ]
    notes = [
        "SO-GAAL passes through its best AUC before the stop node and then keeps or loses it,"
        " depending on the seed: judge it by several."
    ]
    return Outcome(
        compared,
        {"Training of SO-GAAL on onecluster": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        look_alike(plan),
    )


TARGET = Target(
    "so-onecluster",
    "Training of SO-GAAL on onecluster",
    "The repository's figure, SO-GAAL; reruns of the published program under Keras 2.2.4",
    f"stop_epochs 1000; {KERNELS}; {COMMON}",
    onecluster_pieces("SO-GAAL", {}, UNDER_224),
    train,
    show_so_onecluster,
)
