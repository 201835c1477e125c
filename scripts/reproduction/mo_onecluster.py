"""The repository's figure: MO-GAAL trained on onecluster."""

from __future__ import annotations

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of
from reproduction.gaal_runs import COMMON, by_seed, curves, draw_runs, train, wide
from reproduction.onecluster import (
    KERNELS,
    REPOSITORY,
    by_variant,
    judge_figure,
    judge_reruns,
    judged,
    onecluster_pieces,
    stand_in,
)
from reproduction.target import Outcome, Plan, Target
from reproduction.verdicts import Comparison


def judge_lowest(runs: list[dict]) -> list[Comparison]:
    """Hold the lowest of the sub-generators' losses against what was read off the figure."""
    lowest = [curves(run).filter(regex=r"^sub_generator").min(axis=1) for run in runs]
    return [
        verdicts.one_run(
            f"the figure's lowest sub-generator loss at update {update}",
            [float(curve.iloc[min(int(update), len(curve) - 1)]) for curve in lowest],
            value,
            0.05,
            len(runs),
        )
        for update, value in REPOSITORY["MO-GAAL"]["lowest_sub_generator_loss"].items()
    ]


def show_mo_onecluster(plan: Plan, runs: list[dict]) -> Outcome:
    """Show MO-GAAL's training on onecluster."""
    ours, wider = by_variant(runs)
    figure = wide()
    draw_runs(ours, "MO-GAAL on onecluster", figure.subplots())
    of_reruns = [
        *judge_reruns(plan, "MO-GAAL", ours, "keras2.0.2"),
        *judge_reruns(plan, "MO-GAAL", wider, "keras2.2.4"),
    ]
    return Outcome(
        judged(plan, of_reruns, [*judge_figure("MO-GAAL", ours), *judge_lowest(ours)]),
        {"Training of MO-GAAL on onecluster": figure},
        {"By seed": by_seed(runs)},
        [],
        [describe("onecluster", home_of(plan))],
        stand_in(plan),
    )


TARGET = Target(
    "mo-onecluster",
    "Training of MO-GAAL on onecluster",
    "The repository's figure, MO-GAAL; reruns of the published program",
    f"stop_epochs 1500, k 10; {KERNELS}; {COMMON}",
    onecluster_pieces("MO-GAAL"),
    train,
    show_mo_onecluster,
    needs=("onecluster",),
)
