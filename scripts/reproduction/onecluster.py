"""Trainings on onecluster: the repository's figures, and the post's of the same program."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.gaal_data import described, home_of
from reproduction.gaal_runs import (
    COMMON,
    PUBLISHED,
    SMOOTHED,
    by_seed,
    draw_runs,
    near,
    numbers,
    published_parameters,
    train,
    wide,
)
from reproduction.target import Outcome, Plan, Target
from reproduction.verdicts import Comparison

REPOSITORY = PUBLISHED["figures"]["repository_readme_onecluster"]
SCRIPT = PUBLISHED["published_script_reruns"]
RERUNS = PUBLISHED["reruns"]["points"]
LOWEST = "update_of_lowest_discriminator_loss_before_1900"
PUBLISHED_POINTS = "the published onecluster"

# The figure was made under Keras 2.0.2, whose kernels the detectors draw as published; reruns
# there are of these and of those of 2.2.4, 14% wider.
UNDER_224 = {"discriminator_init": "lecun_normal"}
KERNELS = (
    "kernels as Keras 2.0.2 draws them, in --full also as Keras 2.2.4 does, 14% wider, each held"
    " against reruns with the same"
)
WHOLE = described(lambda plan: ["onecluster"])


def onecluster_pieces(plan: Plan, algorithm: str, parameters: dict) -> list[dict]:
    """Ask for a training on onecluster a seed."""
    piece = {"algorithm": algorithm, "name": "onecluster", "parameters": parameters}
    return [{**piece, "seed": seed, "home": home_of(plan)} for seed in plan.all_seeds]


def published_pieces(algorithm: str, wider: bool = True) -> Callable[[Plan], list[dict]]:
    """Make the pieces of a target that trains as published.

    A full plan also has those with the kernels of Keras 2.2.4, if ``wider``: the reruns of the
    published script itself are of those, on the published points.
    """
    return lambda plan: [
        piece
        for variant in (({}, UNDER_224) if plan.full and wider else ({},))
        for piece in onecluster_pieces(
            plan, algorithm, {**published_parameters(algorithm, "onecluster"), **variant}
        )
    ]


def points_of(runs: list[dict]) -> str:
    """Name onecluster's points, told by their SHA-256: those published or those made."""
    found = runs[0]["points"]
    named = (name for name, reruns in RERUNS.items() if reruns["sha256"] == found)
    return next(named, f"other points (SHA-256 {found})")


def data_of(part: pd.DataFrame) -> str:
    """Name the data of the runs of one set: its name, of onecluster which points."""
    first = part.iloc[0]
    return points_of([first]) if first["name"] == "onecluster" else first["name"]


def judge_reruns(runs: list[dict], kernels: str) -> list[Comparison]:
    """Hold the curves against reruns on the same points with the same kernels, if there are any."""
    reruns = RERUNS.get(points_of(runs), {}).get(runs[0]["algorithm"], {}).get(kernels)
    if reruns is None:
        return []
    tail = f", kernels of Keras {kernels.removeprefix('keras')}"
    best, n = reruns["best_auc"], reruns["seeds"]
    return [
        verdicts.same_distribution(f"final AUC{tail}", each(runs, "end"), reruns["final_auc"]),
        verdicts.in_band(
            f"best AUC on the way{tail}",
            each(runs, "best"),
            (min(best), float(np.median(best)), max(best)),
            n,
        ),
        verdicts.same_distribution(
            f"update of the lowest discriminator loss before 1900{tail}",
            each(runs, "lowest_at"),
            reruns[LOWEST],
        ),
        *(
            verdicts.in_band(
                f"{words(column)} at update {update}{tail}", at(runs, column, int(update)), band, n
            )
            for column, by_update in reruns["band"].items()
            for update, band in by_update.items()
        ),
    ]


def judge_script(runs: list[dict]) -> list[Comparison]:
    """Hold runs with the wider kernels against those of the published script itself."""
    tail = ", the published script"
    return [
        verdicts.same_distribution(f"final AUC{tail}", each(runs, "end"), SCRIPT["final_auc"]),
        verdicts.same_distribution(
            f"update of the lowest discriminator loss before 1900{tail}",
            each(runs, "lowest_at"),
            SCRIPT[LOWEST],
        ),
    ]


def judge_figure(runs: list[dict]) -> list[Comparison]:
    """Hold the curves against the values read off the repository's figure."""
    return [
        figure_value(runs, column, int(update), value)
        for column in ("generator_loss", "discriminator_loss", "auc")
        for update, value in REPOSITORY[runs[0]["algorithm"]][column].items()
    ]


def judge_lowest(runs: list[dict]) -> list[Comparison]:
    """Hold the lowest of the sub-generators' losses against what was read off the figure."""
    column = "lowest_sub_generator_loss"
    return [
        verdicts.one_run(
            f"the figure's lowest sub-generator loss at update {update}",
            at(runs, column, int(update)),
            value,
            0.05,
            len(runs),
        )
        for update, value in REPOSITORY["MO-GAAL"][column].items()
    ]


def judged(
    runs: list[dict],
    of_reruns: list[Comparison],
    of_figure: list[Comparison],
    tables: dict[str, pd.DataFrame],
    notes: list[str],
) -> Outcome:
    """Put comparisons together: what the figure shows is of the published points alone."""
    points, told = points_of(runs), ""
    if points != PUBLISHED_POINTS:
        of_figure = verdicts.as_stand_in(of_figure)
        told = f"{points} for {PUBLISHED_POINTS}"
    compared = verdicts.of(points, verdicts.together([*of_reruns, *of_figure]))
    return Outcome(compared, tables, notes, told)


def judge_onecluster(runs: list[dict]) -> Outcome:
    """Judge SO-GAAL's or MO-GAAL's training on onecluster."""
    ours, wider = (
        [run for run in runs if ("discriminator_init" in run["parameters"]) is wide]
        for wide in (False, True)
    )
    of_reruns = judge_reruns(ours, "keras2.0.2")
    of_figure, notes = judge_figure(ours), []
    if wider:
        of_reruns += judge_reruns(wider, "keras2.2.4")
    if runs[0]["algorithm"] == "SO-GAAL":
        if wider and points_of(runs) == PUBLISHED_POINTS:
            of_reruns += judge_script(wider)
        notes = [
            "SO-GAAL passes through its best AUC before the stop node and then keeps or loses it,"
            " depending on the seed: judge it by several."
        ]
    else:
        of_figure += judge_lowest(ours)
    return judged(runs, of_reruns, of_figure, {"By seed": by_seed(runs)}, notes)


def judge_post_keras(runs: list[dict]) -> Outcome:
    """Judge figure 6 of the post: the original Keras code, which the repository shows too."""
    notes = ["Held against the repository's figure of the same run, value by value."]
    return judged(runs, [], judge_figure(runs), {"By seed": by_seed(runs)}, notes)


def drawing(title: str, of_runs: str) -> Callable[[Plan, list[dict]], dict[str, Figure]]:
    """Make the drawing of a target: its runs with the figure's kernels."""

    def draw(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
        figure = wide()
        ours = [run for run in runs if "discriminator_init" not in run["parameters"]]
        draw_runs(ours, of_runs, figure.subplots())
        return {title: figure}

    return draw


def each(runs: list[dict], name: str) -> list[float]:
    """One number a run."""
    return [float(run[name]) for run in runs]


def at(runs: list[dict], column: str, update: int) -> list[float]:
    """Values of a curve at an update, one a run."""
    return [value for run in runs for value in near(run, column, update)]


def words(column: str) -> str:
    """Write the name of a column in words."""
    return "AUC" if column == "auc" else column.replace("_", " ")


def figure_value(runs: list[dict], column: str, update: int, published: float) -> Comparison:
    """Hold a value read off a figure, to 0.02 and to 100 updates, against our runs."""
    smooth = "" if column == "auc" else f", smoothed over {SMOOTHED}"
    return verdicts.one_run(
        f"the figure's {words(column)} at update {update}",
        [value for run in runs for value in near(run, column, update, within=100)],
        published,
        0.02,
        len(runs),
        f" within 100 updates{smooth}",
    )


REPOSITORY_TARGETS = [
    Target(
        f"{short}-onecluster",
        f"Training of {short.upper()}-GAAL on onecluster",
        f"The repository's figure, {short.upper()}-GAAL; reruns of the published program",
        f"{settings}; {KERNELS}; {COMMON}",
        published_pieces(f"{short.upper()}-GAAL"),
        train,
        numbers,
        judge_onecluster,
        drawing(
            f"Training of {short.upper()}-GAAL on onecluster", f"{short.upper()}-GAAL on onecluster"
        ),
        WHOLE,
        needs=("onecluster",),
    )
    for short, settings in (("so", "stop_epochs 1000"), ("mo", "stop_epochs 1500, k 10"))
]
POST_KERAS = Target(
    "post-figure6",
    "The original Keras code, as the post shows it",
    "The post, figure 6",
    f"stop_epochs 1000; {COMMON}",
    published_pieces("SO-GAAL", wider=False),
    train,
    numbers,
    judge_post_keras,
    drawing("Figure 6 of the post", "The original settings on onecluster"),
    WHOLE,
    needs=("onecluster",),
)
