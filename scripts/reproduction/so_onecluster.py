"""The repository's figure: SO-GAAL trained on onecluster."""

from __future__ import annotations

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of
from reproduction.gaal_runs import COMMON, by_seed, draw_runs, final_auc, train, wide
from reproduction.onecluster import (
    KERNELS,
    SCRIPT,
    by_variant,
    is_published,
    judge_figure,
    judge_reruns,
    judged,
    lowest_update,
    onecluster_pieces,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target


def show_so_onecluster(plan: Plan, runs: list[dict]) -> Outcome:
    """Show SO-GAAL's training on onecluster."""
    ours, wider = by_variant(runs)
    figure = wide()
    draw_runs(ours, "SO-GAAL on onecluster", figure.subplots())
    of_reruns = [
        *judge_reruns(plan, "SO-GAAL", ours, "keras2.0.2"),
        *judge_reruns(plan, "SO-GAAL", wider, "keras2.2.4"),
    ]
    if wider and is_published(plan):
        lowest = "update_of_lowest_discriminator_loss_before_1900"
        of_reruns += [
            verdicts.same_distribution(
                "final AUC, the published script", final_auc(wider), SCRIPT["final_auc"]
            ),
            verdicts.same_distribution(
                "update of the lowest discriminator loss before 1900, the published script",
                lowest_update(wider),
                SCRIPT[lowest],
            ),
        ]
    notes = [
        "SO-GAAL passes through its best AUC before the stop node and then keeps or loses it,"
        " depending on the seed: judge it by several."
    ]
    return Outcome(
        judged(plan, of_reruns, judge_figure("SO-GAAL", ours)),
        {"Training of SO-GAAL on onecluster": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        stand_in(plan),
    )


TARGET = Target(
    "so-onecluster",
    "Training of SO-GAAL on onecluster",
    "The repository's figure, SO-GAAL; reruns of the published program",
    f"stop_epochs 1000; {KERNELS}; {COMMON}",
    onecluster_pieces("SO-GAAL"),
    train,
    show_so_onecluster,
    needs=("onecluster",),
)
