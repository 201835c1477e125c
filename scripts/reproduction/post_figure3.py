"""Figure 3 of the post: the points of onecluster."""

from __future__ import annotations

from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of, load
from reproduction.onecluster import judged, stand_in
from reproduction.target import Outcome, Plan, Target, never, nothing


def show_post_scatter(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the points of onecluster, figure 3."""
    from gaal import plots

    data = load("onecluster", home_of(plan))
    figure = Figure(figsize=(5, 5), layout="constrained")
    plots.plot_scatter(data.data, data.target, figure.subplots()).set_title("onecluster")
    centre = data.data[data.target == 0].mean(axis=0)
    compared = [
        verdicts.within("points", len(data.data), 1000, 0),
        verdicts.within("outliers", int(data.target.sum()), 20, 0),
        verdicts.within("centre of the cluster, x1", float(centre[0]), 0.5, 0.02),
        verdicts.within("centre of the cluster, x2", float(centre[1]), 0.5, 0.02),
    ]
    return Outcome(
        judged(plan, [], compared),
        {"Figure 3 of the post": figure},
        data=[describe("onecluster", home_of(plan))],
        stand_in=stand_in(plan),
    )


TARGET = Target(
    "post-figure3",
    "The points of onecluster",
    "The post, figure 3",
    "all points",
    nothing,
    never,
    show_post_scatter,
    needs=("onecluster",),
)
