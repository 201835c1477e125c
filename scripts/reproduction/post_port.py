"""Figures 4 and 5 of the post: its PyTorch port, whose generator bias tells the two apart.

"The post" is "Generative Adversarial Networks For Outlier Detection" with its PyTorch port,
qarchli/pytorch-gan-for-outlier-detection.
"""

from __future__ import annotations

import numpy as np

from reproduction import verdicts
from reproduction.gaal_data import describe, home_of
from reproduction.gaal_runs import PUBLISHED, by_seed, draw_runs, final_auc, wide
from reproduction.onecluster import figure_value, judged, stand_in
from reproduction.target import Outcome, Plan

POST = PUBLISHED["figures"]["blog_pytorch_port_onecluster"]

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


def show_post(bias: float, number: int):
    """Make the showing of figure 4 or 5 of the post, one run of the port."""
    published = POST[f"generator_bias_{bias:g}".replace("e-05", "e-5")]

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
        notes = [
            "The post shows one run. Drawn is our run that ends nearest to it; the others are in"
            " the table.",
            f"AUC below 0.5 at the end: {sum(a < 0.5 for a in final)} of {len(final)} runs.",
        ]
        return Outcome(
            judged(plan, [], compared),
            {f"Figure {number} of the post": figure},
            {"By seed": by_seed(runs)},
            notes,
            [describe("onecluster", home_of(plan))],
            stand_in(plan),
        )

    return show
