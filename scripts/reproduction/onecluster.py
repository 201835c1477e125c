"""What the trainings on onecluster share: their pieces, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reproduction import verdicts
from reproduction.gaal_data import home_of, load
from reproduction.gaal_runs import (
    PUBLISHED,
    SMOOTHED,
    at,
    best_auc,
    curves,
    final_auc,
    published_parameters,
)
from reproduction.target import Plan, sha256
from reproduction.verdicts import Comparison

REPOSITORY = PUBLISHED["figures"]["repository_readme_onecluster"]
SCRIPT = PUBLISHED["published_script_reruns"]
RERUNS = PUBLISHED["reruns"]["points"]

# The figure was made under Keras 2.0.2, whose kernels the detectors draw as published; reruns
# there are of these and of those of 2.2.4, 14% wider.
UNDER_224 = {"discriminator_init": "lecun_normal"}
KERNELS = (
    "kernels as Keras 2.0.2 draws them, in --full also as Keras 2.2.4 does, 14% wider, each held"
    " against reruns with the same"
)


def onecluster_pieces(algorithm: str, wider: bool = True) -> Callable[[Plan], list[dict]]:
    """Make the pieces of a target that trains on onecluster, one a seed.

    A full plan also has those with the kernels of Keras 2.2.4, if ``wider``: the reruns of the
    published script itself are of those, on the published points.
    """

    def pieces(plan: Plan) -> list[dict]:
        return [
            {
                "algorithm": algorithm,
                "name": "onecluster",
                "parameters": {**published_parameters(algorithm, "onecluster"), **variant},
                "seed": seed,
                "home": home_of(plan),
            }
            for variant in (({}, UNDER_224) if plan.full and wider else ({},))
            for seed in plan.all_seeds
        ]

    return pieces


def by_variant(runs: list[dict]) -> tuple[list[dict], list[dict]]:
    """Tell the runs with the figure's kernels from those with the wider ones."""
    wide = ["discriminator_init" in run["parameters"] for run in runs]
    return (
        [run for run, is_wide in zip(runs, wide) if not is_wide],
        [run for run, is_wide in zip(runs, wide) if is_wide],
    )


def points_of(plan: Plan) -> str:
    """Name onecluster's points, told by their SHA-256: those published or those made."""
    found = sha256(load("onecluster", home_of(plan)).data)
    named = (name for name, reruns in RERUNS.items() if reruns["sha256"] == found)
    return next(named, f"other points (SHA-256 {found})")


def is_published(plan: Plan) -> bool:
    """Tell whether onecluster is the published one."""
    return points_of(plan) == "the published onecluster"


def stand_in(plan: Plan) -> str:
    """Say what stands in for onecluster; nothing where it is the published one."""
    return "" if is_published(plan) else f"{points_of(plan)} for the published onecluster"


def lowest_update(runs: list[dict]) -> list[float]:
    """Update of the lowest discriminator loss before 1900, one a run."""
    return [float(curves(run)["discriminator_loss"][:1900].idxmin()) for run in runs]


def judge_reruns(plan: Plan, algorithm: str, runs: list[dict], kernels: str) -> list[Comparison]:
    """Hold the curves against reruns on the same points with the same kernels, if there are any."""
    reruns = RERUNS.get(points_of(plan), {}).get(algorithm, {}).get(kernels)
    if not runs or reruns is None:
        return []
    tail = f", kernels of Keras {kernels.removeprefix('keras')}"
    best, n = reruns["best_auc"], reruns["seeds"]
    return [
        verdicts.same_distribution(f"final AUC{tail}", final_auc(runs), reruns["final_auc"]),
        verdicts.in_band(
            f"best AUC on the way{tail}",
            best_auc(runs),
            (min(best), float(np.median(best)), max(best)),
            n,
        ),
        verdicts.same_distribution(
            f"update of the lowest discriminator loss before 1900{tail}",
            lowest_update(runs),
            reruns["update_of_lowest_discriminator_loss_before_1900"],
        ),
        *(
            verdicts.in_band(f"{words(column)} at update {u}{tail}", at(runs, column, int(u)), b, n)
            for column, by_update in reruns["band"].items()
            for u, b in by_update.items()
        ),
    ]


def judge_figure(algorithm: str, runs: list[dict]) -> list[Comparison]:
    """Hold the curves against the values read off the repository's figure."""
    return [
        figure_value(runs, column, int(update), value)
        for column in ("generator_loss", "discriminator_loss", "auc")
        for update, value in REPOSITORY[algorithm][column].items()
    ]


def judged(
    plan: Plan, of_reruns: list[Comparison], of_figure: list[Comparison]
) -> list[Comparison]:
    """Put comparisons together: what the figure shows is of the published points alone."""
    if not is_published(plan):
        of_figure = verdicts.as_stand_in(of_figure)
    return verdicts.of(points_of(plan), verdicts.together([*of_reruns, *of_figure]))


def words(column: str) -> str:
    """Write the name of a column in words."""
    return "AUC" if column == "auc" else column.replace("_", " ")


def figure_value(runs: list[dict], column: str, update: int, published: float) -> Comparison:
    """Hold a value read off a figure, to 0.02 and to 100 updates, against our runs."""
    values = []
    for run in runs:
        curve = curves(run)[column]
        near = min(update, len(curve) - 1)
        values.append(curve.iloc[max(0, near - 100) : near + 101].to_numpy())
    smooth = "" if column == "auc" else f", smoothed over {SMOOTHED}"
    return verdicts.one_run(
        f"the figure's {words(column)} at update {update}",
        np.concatenate(values),
        published,
        0.02,
        len(runs),
        f" within 100 updates{smooth}",
    )
