"""What the trainings on onecluster share: their pieces, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reproduction import verdicts
from reproduction.gaal_data import home_of
from reproduction.gaal_runs import PUBLISHED, SMOOTHED, at, curves, published_parameters
from reproduction.target import Plan

REPOSITORY = PUBLISHED["figures"]["repository_readme_onecluster"]
RERUNS = PUBLISHED["published_script_reruns"]

KERNELS = (
    "the figure's values with kernels as Keras 2.0.2 draws them, the reruns' bands with those of"
    " Keras 2.2.4, 14% wider"
)

# The figure was made under Keras 2.0.2, whose kernels the detectors draw as published; the reruns
# under 2.2.4, which draws them 14% wider.
UNDER_224 = {"discriminator_init": "lecun_normal"}


def onecluster_pieces(algorithm: str, *variants: dict):
    """Make the pieces of a target that trains on onecluster: for each variant, one a seed."""

    def pieces(plan: Plan) -> list[dict]:
        return [
            {
                "algorithm": algorithm,
                "name": "onecluster",
                "parameters": {**published_parameters(algorithm, "onecluster"), **variant},
                "seed": seed,
                "home": home_of(plan),
            }
            for variant in variants
            for seed in range(plan.seeds)
        ]

    return pieces


def by_variant(runs: list[dict]) -> tuple[list[dict], list[dict]]:
    """Tell the runs with the figure's kernels from those with the reruns'."""
    wide = ["discriminator_init" in run["parameters"] for run in runs]
    return (
        [run for run, is_wide in zip(runs, wide) if not is_wide],
        [run for run, is_wide in zip(runs, wide) if is_wide],
    )


def judge_bands(algorithm: str, runs: list[dict], rule: Callable) -> list[verdicts.Comparison]:
    """Hold the curves against the bands of the reruns under Keras 2.2.4."""
    return [
        rule(
            f"{words(column)} at update {u}, kernels of Keras 2.2.4",
            at(runs, column, int(u)),
            band,
        )
        for column, by_update in RERUNS[f"{algorithm}_onecluster_band"].items()
        for u, band in by_update.items()
    ]


def judge_figure(algorithm: str, runs: list[dict]) -> list[verdicts.Comparison]:
    """Hold the curves against the values read off the repository's figure."""
    return [
        figure_value(runs, column, int(update), value)
        for column in ("generator_loss", "discriminator_loss", "auc")
        for update, value in REPOSITORY[algorithm][column].items()
    ]


def figure_value(
    runs: list[dict], column: str, update: int, published: float
) -> verdicts.Comparison:
    """Hold a value read off a figure, to 0.02 and to 100 updates, against our runs."""
    values = []
    for run in runs:
        curve = curves(run)[column]
        near = min(update, len(curve) - 1)
        values.append(curve.iloc[max(0, near - 100) : near + 101].to_numpy())
    smooth = "" if column == "auc" else f", smoothed over {SMOOTHED}"
    return verdicts.in_our_range(
        f"the figure's {words(column)} at update {update}",
        np.concatenate(values),
        published,
        0.02,
        f" within 100 updates{smooth}",
    )


def words(column: str) -> str:
    """Write the name of a column in words."""
    return "AUC" if column == "auc" else column.replace("_", " ")
