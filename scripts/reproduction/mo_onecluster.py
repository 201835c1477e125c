"""The repository's figure: MO-GAAL trained on onecluster."""

from __future__ import annotations

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of, look_alike
from reproduction.gaal_runs import COMMON, by_seed, curves, draw_runs, final_auc, train, wide
from reproduction.onecluster import (
    KERNELS,
    REPOSITORY,
    RERUNS,
    UNDER_224,
    by_variant,
    judge_bands,
    judge_figure,
    onecluster_pieces,
)
from reproduction.target import Outcome, Plan, Target


def show_mo_onecluster(plan: Plan, runs: list[dict]) -> Outcome:
    """Show MO-GAAL's training on onecluster."""
    ours, under_224 = by_variant(runs)
    figure = wide()
    draw_runs(ours, "MO-GAAL on onecluster", figure.subplots())
    reruns = RERUNS["MO-GAAL_onecluster_final_auc"]
    bands = judge_bands("MO-GAAL", under_224, verdicts.ranges_overlap)
    strict = judge_bands("MO-GAAL", under_224, verdicts.median_in_band)
    compared = [
        verdicts.at_least(
            "final AUC", final_auc(runs), 0.99, f"{min(reruns)} to {max(reruns)}, three runs"
        ),
        *bands,
        *judge_figure("MO-GAAL", ours),
    ]
    for update, value in REPOSITORY["MO-GAAL"]["lowest_sub_generator_loss"].items():
        lowest = [curves(run).filter(regex=r"^sub_generator").min(axis=1) for run in ours]
        values = [float(curve.iloc[min(int(update), len(curve) - 1)]) for curve in lowest]
        what = f"the figure's lowest sub-generator loss at update {update}"
        compared.append(verdicts.in_our_range(what, values, value, 0.05))
    inside = sum(comparison.verdict == verdicts.REPRODUCED for comparison in strict)
    notes = [
        "The bands are of three reruns only: the rule is that our range overlaps theirs. Our"
        f" median lies within their minimum and maximum at {inside} of {len(strict)} places."
    ]
    return Outcome(
        compared,
        {"Training of MO-GAAL on onecluster": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        look_alike(plan),
    )


TARGET = Target(
    "mo-onecluster",
    "Training of MO-GAAL on onecluster",
    "The repository's figure, MO-GAAL; reruns of the published program under Keras 2.2.4",
    f"stop_epochs 1500, k 10; {KERNELS}; {COMMON}",
    onecluster_pieces("MO-GAAL", {}, UNDER_224),
    train,
    show_mo_onecluster,
)
