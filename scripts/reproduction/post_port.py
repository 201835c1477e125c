"""Figures 4 and 5 of the post: its PyTorch port, whose generator bias tells the two apart.

"The post" is "Generative Adversarial Networks For Outlier Detection" with its PyTorch port,
qarchli/pytorch-gan-for-outlier-detection.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import post_checkpoints, verdicts
from reproduction.gaal_data import describe, home_of, load
from reproduction.gaal_runs import by_seed, draw_runs, final_auc, train, wide
from reproduction.onecluster import figure_value, judged, stand_in
from reproduction.target import Outcome, Plan

# "Xavier" there is PyTorch's xavier_uniform_; its dampening of 1e-6 leaves the decay at nothing.
POST_SETTINGS = {
    "stop_epochs": 1000,
    "decay": 0,
    "shuffle": True,
    "discriminator_init": "glorot_uniform",
    "discriminator_bias": 0.05,
}


def post_pieces(bias: float):
    """Make the pieces of figures 4 and 5: the port's settings with one generator bias."""

    def pieces(plan: Plan) -> list[dict]:
        return [
            {
                "algorithm": "SO-GAAL",
                "name": "onecluster",
                "parameters": {**POST_SETTINGS, "generator_bias": bias},
                "seed": seed,
                "home": home_of(plan),
            }
            for seed in plan.all_seeds
        ]

    return pieces


def train_post(**piece) -> dict:
    """Train one detector, keep its curves and the weights of its networks."""
    return train(**piece, keep=keep_weights)


def keep_weights(fitted) -> dict:
    """Take the weights of D and G."""
    models = fitted.discriminator_, fitted.generator_
    weights = {n: model.get_weights() for n, model in zip(post_checkpoints.NETWORKS, models)}
    return {"weights": weights}


def show_post(bias: float, number: int):
    """Make the showing of figure 4 or 5 of the post, one run of the port."""
    published = post_checkpoints.POST[f"generator_bias_{bias:g}".replace("e-05", "e-5")]

    def show(plan: Plan, runs: list[dict]) -> Outcome:
        final = final_auc(runs)
        like = int(np.argmin(np.abs(np.array(final) - published["final_auc"])))
        figure = wide()
        draw_runs(runs, f"The port's settings, generator bias {bias:g}", figure.subplots(), like)
        compared = [
            verdicts.one_run("final AUC", final, published["final_auc"], 0.00005, len(final)),
        ]
        for column in ("generator_loss", "discriminator_loss"):
            compared += [
                figure_value(runs, column, int(u), v) for u, v in published[column].items()
            ]
        data = load("onecluster", home_of(plan))
        checkpoint = published["checkpoint"]
        ends = pd.DataFrame([post_checkpoints.describe(run["weights"], data) for run in runs])
        compared += [
            verdicts.one_run(f"{what}, at the end", ends[what], value, 0.00005, len(runs))
            for what, value in checkpoint["ends"].items()
        ]
        notes = [
            "The post shows one run. Drawn is our run that ends nearest to it; the others are in"
            " the table.",
            f"AUC below 0.5 at the end: {sum(a < 0.5 for a in final)} of {len(final)} runs.",
            f"Its networks are published too (run {checkpoint['run']} in the folder chkpt of its"
            " repository): where they ended lies in the distribution of ours as the table says.",
        ]
        figures = {f"Figure {number} of the post": figure}
        found = post_checkpoints.find(plan, number)
        if found is not None:
            weights = {
                "the published run": post_checkpoints.load(found),
                f"ours, seed {runs[like]['seed']}": runs[like]["weights"],
            }
            figures[f"The networks behind figure {number}, and ours"] = draw_networks(weights, data)
        return Outcome(
            judged(plan, [], compared),
            figures,
            {
                "By seed": by_seed(runs),
                "The published networks among ours": among(ends, published),
            },
            notes,
            [describe("onecluster", home_of(plan))],
            stand_in(plan),
        )

    return show


def among(ends: pd.DataFrame, published: dict) -> pd.DataFrame:
    """Lay out where the published run ended, and how many of ours ended below it."""
    theirs = {"final_auc": published["final_auc"], **published["checkpoint"]["ends"]}
    rows = [
        {
            "measure": "AUC" if name == "final_auc" else name,
            "the published run": value,
            "ours, lowest": ends[name].min(),
            "median": ends[name].median(),
            "highest": ends[name].max(),
            "ours below it": f"{(ends[name] < value).sum()} of {len(ends)}",
        }
        for name, value in theirs.items()
    ]
    return pd.DataFrame(rows)


def draw_networks(weights: dict[str, dict], data) -> Figure:
    """Draw D over the plane and what G makes, a panel a run."""
    from gaal import plots

    z = np.random.default_rng(0).random((300, 2))
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    for ax, (name, networks) in zip(figure.subplots(1, len(weights), sharey=True), weights.items()):
        made = post_checkpoints.generated(networks, z)
        auc = post_checkpoints.describe(networks, data)["final_auc"]
        plots.plot_division(
            lambda X, networks=networks: post_checkpoints.scores(networks, X),
            data.data,
            made,
            data.target,
            ax,
        )
        ax.set_title(f"{name}: AUC {auc:.4f}", fontsize="medium")
    return figure
