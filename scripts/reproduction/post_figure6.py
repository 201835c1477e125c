"""Figure 6 of the post: the original Keras code."""

from __future__ import annotations

from reproduction.gaal_data import describe, home_of
from reproduction.gaal_runs import COMMON, by_seed, draw_runs, train, wide
from reproduction.onecluster import judge_figure, judged, onecluster_pieces, stand_in
from reproduction.target import Outcome, Plan, Target


def show_post_keras(plan: Plan, runs: list[dict]) -> Outcome:
    """Show figure 6: the curves of the original Keras code, which the repository shows too."""
    figure = wide()
    draw_runs(runs, "The original settings on onecluster", figure.subplots())
    notes = ["Held against the repository's figure of the same run, value by value."]
    return Outcome(
        judged(plan, [], judge_figure("SO-GAAL", runs)),
        {"Figure 6 of the post": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        stand_in(plan),
    )


TARGET = Target(
    "post-figure6",
    "The original Keras code, as the post shows it",
    "The post, figure 6",
    f"stop_epochs 1000; {COMMON}",
    onecluster_pieces("SO-GAAL", wider=False),
    train,
    show_post_keras,
    needs=("onecluster",),
)
