"""GAAL's figures and tables: Liu et al. (2019), the authors' repository, and the post.

"The post" is "Generative Adversarial Networks For Outlier Detection" with its PyTorch port,
qarchli/pytorch-gan-for-outlier-detection.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.target import Outcome, Plan, Target, sha256

if TYPE_CHECKING:
    import keras

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())["gaal"]
REPOSITORY = PUBLISHED["figures"]["repository_readme_onecluster"]
POST = PUBLISHED["figures"]["blog_pytorch_port_onecluster"]
RERUNS = PUBLISHED["published_script_reruns"]
ALGORITHMS = ("SO-GAAL", "MO-GAAL")
COMMON = (
    "lr_d 0.01, lr_g 0.0001, decay 1e-6, momentum 0.9, batches of min(500, n) rows in a fixed"
    " order, 3 x stop_epochs epochs; labels only for the AUC, which is of the training data"
)
KERNELS = (
    "the figure's values with kernels as Keras 2.0.2 draws them, the reruns' bands with those of"
    " Keras 2.2.4, 14% wider"
)
# "Xavier" there is PyTorch's xavier_uniform_; its dampening of 1e-6 leaves the decay at nothing.
POST_SETTINGS = {
    "stop_epochs": 1000,
    "decay": 0,
    "shuffle": True,
    "discriminator_init": "glorot_uniform",
    "discriminator_bias": 0.05,
}
SMOOTHED = 41  # updates of the centred mean that the published bands were taken after


def load(name: str, home: str | None):
    """Load a published set; onecluster is a synthetic look-alike where there is no file."""
    from gaal import datasets

    if name in PLANES:
        return make_clusters(*PLANES[name])
    if name == "onecluster" and home is None:
        return datasets.make_onecluster(random_state=0)
    return datasets.load_dataset(name, data_home=home, download=False)


def describe(name: str, home: str | None) -> dict[str, str]:
    """Name a data set, its source and its SHA-256 for the report."""
    data = load(name, home)
    if data.filename is not None:
        return {"name": name, "source": "the published file", "sha256": sha256(data.filename)}
    return {"name": name, "source": " ".join(data.source.split()), "sha256": sha256(data.data)}


def look_alike(plan: Plan) -> str:
    """Say what the curves are of where onecluster's file is not at hand."""
    return "" if plan.gaal_home is not None else "on synthetic points like the published ones"


def home_of(plan: Plan) -> str | None:
    """Give the folder of the published files as a string, which travels to other processes."""
    return None if plan.gaal_home is None else str(plan.gaal_home)


def detector(algorithm: str, parameters: dict, seed: int):
    """Build one detector of either algorithm."""
    from gaal import MOGAAL, SOGAAL

    kind = {"SO-GAAL": SOGAAL, "MO-GAAL": MOGAAL}[algorithm]
    return kind(**parameters, random_state=seed)


def published_parameters(algorithm: str, name: str) -> dict:
    """Give the published stop_epochs (and k) of a data set."""
    from gaal.datasets import PUBLISHED as SETS

    if algorithm == "SO-GAAL":
        return {"stop_epochs": SETS[name].so_stop_epochs}
    return {"stop_epochs": SETS[name].mo_stop_epochs, "k": SETS[name].k}


def stop_node(fitted, n: int) -> int:
    """Count the updates in which the generator learned."""
    from gaal import training

    kind = {"SOGAAL": training.SO_GAAL, "MOGAAL": training.MO_GAAL}[type(fitted).__name__]
    batches = n // min(fitted.batch_size, n)
    epochs = len(fitted.history_) // batches
    return kind.active_updates(fitted.stop_epochs, batches, epochs, fitted.whether_stop)


def train(algorithm: str, name: str, parameters: dict, seed: int, home: str | None) -> dict:
    """Train one detector, keep its curves."""
    data = load(name, home)
    start = time.perf_counter()
    fitted = detector(algorithm, parameters, seed).fit(data.data, data.target)
    return {
        "algorithm": algorithm,
        "name": name,
        "seed": seed,
        "parameters": parameters,
        "history": fitted.history_.astype(np.float32),
        "stop": stop_node(fitted, len(data.data)),
        "seconds": time.perf_counter() - start,
    }


def curves(run: dict) -> pd.DataFrame:
    """Smooth the losses of a run as the published bands were; the AUC stays as it is."""
    smooth = run["history"].rolling(SMOOTHED, center=True, min_periods=1).mean()
    return smooth.assign(auc=run["history"]["auc"])


def at(runs: list[dict], column: str, update: int) -> list[float]:
    """Values of a curve at an update, one a run."""
    return [float(curves(run)[column].iloc[min(update, len(run["history"]) - 1)]) for run in runs]


def final_auc(runs: Iterable[dict]) -> list[float]:
    """AUC after the last epoch, one a run."""
    return [float(run["history"]["auc"].iloc[-1]) for run in runs]


def best_auc(runs: Iterable[dict]) -> list[float]:
    """Highest AUC on the way, one a run."""
    return [float(run["history"]["auc"].max()) for run in runs]


def draw_runs(runs: list[dict], title: str, ax: Axes, which: int = 0) -> None:
    """Draw one run as published, and the AUC of the others behind it."""
    from gaal import plots

    for run in runs:
        if run is not runs[which]:
            ax.plot(run["history"]["auc"], color=plots.AUC, linewidth=0.6, alpha=0.35)
    plots.plot_training(runs[which]["history"], ax, stop=runs[which]["stop"])
    seed = f"seed {runs[which]['seed']}"
    behind = f"; pale: the AUC of {len(runs) - 1} other seeds" if len(runs) > 1 else ""
    ax.set_title(f"{title}, {seed}{behind}", fontsize="medium")


def wide() -> Figure:
    """Make a figure as wide as a page."""
    return Figure(figsize=(7, 4), layout="constrained")


# --- The repository's figure: training on onecluster -------------------------------------------


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


def words(column: str) -> str:
    """Write the name of a column in words."""
    return "AUC" if column == "auc" else column.replace("_", " ")


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


def show_so_onecluster(plan: Plan, runs: list[dict]) -> Outcome:
    """Show SO-GAAL's training on onecluster."""
    ours, under_224 = by_variant(runs)
    figure = wide()
    draw_runs(ours, "SO-GAAL on onecluster", figure.subplots())
    lowest = [float(curves(run)["discriminator_loss"][:1900].idxmin()) for run in under_224]
    published = RERUNS["SO-GAAL_onecluster_final_auc"]
    compared = [
        verdicts.at_least(
            "best AUC on the way", best_auc(runs), 0.9998, RERUNS["SO-GAAL_onecluster_best_auc"]
        ),
        verdicts.same_distribution("final AUC", final_auc(under_224), published),
        verdicts.same_distribution(
            "update of the lowest discriminator loss before 1900",
            lowest,
            RERUNS["SO-GAAL_onecluster_update_of_lowest_discriminator_loss_before_1900"],
        ),
        *judge_bands("SO-GAAL", under_224, verdicts.median_in_band),
        *judge_figure("SO-GAAL", ours),
    ]
    notes = [
        "SO-GAAL passes through its best AUC before the stop node and then keeps or loses it,"
        " depending on the seed: judge it by several."
    ]
    return Outcome(
        compared,
        {"Training of SO-GAAL on onecluster": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        look_alike(plan),
    )


def by_seed(runs: list[dict]) -> pd.DataFrame:
    """Lay out the AUC of every run."""
    auc = [run["history"]["auc"] for run in runs]
    return pd.DataFrame(
        {
            "seed": [run["seed"] for run in runs],
            "kernels": [run["parameters"].get("discriminator_init", "published") for run in runs],
            "AUC at the stop node": [float(a.iloc[run["stop"] - 1]) for a, run in zip(auc, runs)],
            "AUC at the end": [float(a.iloc[-1]) for a in auc],
            "best AUC": [float(a.max()) for a in auc],
            "best at update": [int(a.idxmax()) for a in auc],
            "seconds": [run["seconds"] for run in runs],
        }
    )


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


# --- The post ----------------------------------------------------------------------------------


def nothing(plan: Plan) -> list[dict]:
    """Give the pieces of a target that trains nothing."""
    return []


def never(**_) -> dict:
    """Stand for the run of a target without pieces."""
    raise AssertionError("a target without pieces was run")


def show_post_logarithms(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the two logarithms of figure 2: why the generator maximises log D(G(z))."""
    x = np.linspace(0.001, 0.999, 999)
    curve = {"log(x)": np.log(x), "log(1-x)": np.log(1 - x)}
    figure = Figure(figsize=(5, 4), layout="constrained")
    ax = figure.subplots()
    for (name, values), colour in zip(curve.items(), ("tab:blue", "tab:red")):
        ax.plot(x, values, color=colour, label=name)
    ax.set(xlabel="x", ylabel="value", ylim=(-5, 0.2), title="The two logarithms on (0, 1)")
    ax.legend()
    slopes = {name: np.gradient(values, x) for name, values in curve.items()}
    crossing = float(x[np.abs(curve["log(x)"] - curve["log(1-x)"]).argmin()])
    flat = abs(float(slopes["log(1-x)"][0]))
    compared = [
        verdicts.within("where the two curves cross", crossing, 0.5, 0.001),
        verdicts.holds(
            "slopes near 0",
            slopes["log(x)"][0] > 100 * flat,
            f"log(x) {slopes['log(x)'][0]:.0f}, log(1-x) -{flat:.1f}",
            "log(1-x) is flat where the generator starts, log(x) steep",
            "at x = 0.001 the one is over 100 times as steep as the other",
        ),
    ]
    return Outcome(compared, {"Figure 2 of the post": figure})


def show_post_scatter(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the points of onecluster, figure 3."""
    from gaal import plots

    data = load("onecluster", home_of(plan))
    figure = Figure(figsize=(5, 5), layout="constrained")
    plots.plot_scatter(data.data, data.target, figure.subplots()).set_title("onecluster")
    centre = data.data[data.target == 0].mean(axis=0)
    home = home_of(plan)
    sources = [describe("onecluster", home)]
    if home is None:
        counted = f"{len(data.data)} points, {data.target.sum()} of them outliers"
        return Outcome(
            [verdicts.cannot("the points", counted, "a synthetic look-alike, made to be like it")],
            {"Figure 3 of the post": figure},
            data=sources,
        )
    compared = [
        verdicts.within("points", len(data.data), 1000, 0),
        verdicts.within("outliers", int(data.target.sum()), 20, 0),
        verdicts.within("centre of the cluster, x1", float(centre[0]), 0.5, 0.02),
        verdicts.within("centre of the cluster, x2", float(centre[1]), 0.5, 0.02),
    ]
    return Outcome(compared, {"Figure 3 of the post": figure}, data=sources)


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
            for seed in range(plan.seeds)
        ]

    return pieces


def _ending(final: list[float], published: float) -> verdicts.Comparison:
    """Judge whether some run ends as the post's single one does: below chance, or near 1."""
    below = published < 0.5
    alike = sum(auc < 0.5 if below else auc >= 0.96 for auc in final)
    where = "below 0.5" if below else "at 0.96 or more"
    return verdicts.holds(
        f"runs that end {where}",
        alike > 0,
        f"{alike} of {len(final)}, {min(final):.4g} to {max(final):.4g}",
        f"{published:g}, one run",
        f"at least one run ends {where}",
    )


def show_post(bias: float, number: int):
    """Make the showing of figure 4 or 5 of the post, one run of the port."""
    published = POST[f"generator_bias_{bias:g}".replace("e-05", "e-5")]

    def show(plan: Plan, runs: list[dict]) -> Outcome:
        final = final_auc(runs)
        like = int(np.argmin(np.abs(np.array(final) - published["final_auc"])))
        figure = wide()
        draw_runs(runs, f"The port's settings, generator bias {bias:g}", figure.subplots(), like)
        compared = [
            verdicts.in_our_range("final AUC", final, published["final_auc"], 0.02),
            _ending(final, published["final_auc"]),
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
            compared,
            {f"Figure {number} of the post": figure},
            {"By seed": by_seed(runs)},
            notes,
            [describe("onecluster", home_of(plan))],
            look_alike(plan),
        )

    return show


def show_post_keras(plan: Plan, runs: list[dict]) -> Outcome:
    """Show figure 6: the curves of the original Keras code, which the repository shows too."""
    figure = wide()
    draw_runs(runs, "The original settings on onecluster", figure.subplots())
    notes = ["Held against the repository's figure of the same run, value by value."]
    return Outcome(
        judge_figure("SO-GAAL", runs),
        {"Figure 6 of the post": figure},
        {"By seed": by_seed(runs)},
        notes,
        [describe("onecluster", home_of(plan))],
        look_alike(plan),
    )


# --- The published parameters on all twelve data sets --------------------------------------------


def datasets_of(plan: Plan) -> list[str]:
    """List the twelve data sets, or the one that needs no download."""
    from gaal.datasets import PUBLISHED as SETS

    return list(SETS) if plan.full and plan.gaal_home is not None else ["WDBC"]


def datasets_pieces(plan: Plan) -> list[dict]:
    """Give every data set, algorithm and seed."""
    return [
        {
            "algorithm": algorithm,
            "name": name,
            "parameters": published_parameters(algorithm, name),
            "seed": seed,
            "home": home_of(plan),
        }
        for name in datasets_of(plan)
        for algorithm in ALGORITHMS
        for seed in range(plan.seeds if plan.full else min(plan.seeds, 2))
    ]


def summarise(**arguments) -> dict:
    """Train one detector, keep three numbers."""
    run = train(**arguments)
    auc = run["history"]["auc"]
    return {
        **{key: run[key] for key in ("algorithm", "name", "seed", "parameters", "seconds")},
        "stop": float(auc.iloc[run["stop"] - 1]),
        "end": float(auc.iloc[-1]),
        "best": float(auc.max()),
    }


def mean_spread(values: pd.Series) -> str:
    """Write a mean and the standard deviation over seeds."""
    spread = f" ± {values.std():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{spread}"


def show_datasets(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the AUC of both algorithms on every data set."""
    frame = pd.DataFrame(runs)
    frame["stop_epochs"] = [parameters["stop_epochs"] for parameters in frame.pop("parameters")]
    groups = frame.groupby(["name", "algorithm", "stop_epochs"], sort=False)
    table = groups[["stop", "end", "best"]].agg(mean_spread)
    table["seconds"] = groups["seconds"].median()
    table = table.reset_index().rename(
        columns={
            "name": "data",
            "stop": "AUC at the stop node",
            "end": "AUC at the end",
            "best": "best AUC",
        }
    )
    means = frame.groupby(["name", "algorithm"], sort=False)["end"].mean().unstack()
    better = means["MO-GAAL"] >= means["SO-GAAL"] - 0.005
    compared = [
        verdicts.holds(
            "MO-GAAL ends at least as well as SO-GAAL",
            better.mean() > 0.5,
            f"on {better.sum()} of {len(better)} sets",
            "MO-GAAL is the better of the two in the majority of cases (abstract, section 4)",
            "mean final AUC not more than 0.005 lower, on more than half of the sets",
        ),
        verdicts.cannot(
            "AUC set by set",
            f"{len(means)} sets, see the table",
            "the recorded published numbers hold the settings of the twelve sets, not the"
            " values of the paper's table",
        ),
    ]
    figure = Figure(figsize=(7, 0.42 * len(means) + 1.4), layout="constrained")
    ax = figure.subplots()
    for shift, (algorithm, colour) in zip((0.15, -0.15), zip(ALGORITHMS, ("tab:red", "tab:blue"))):
        part = frame[frame["algorithm"] == algorithm]
        rows = part["name"].map({name: len(means) - i for i, name in enumerate(means.index)})
        ax.plot(part["end"], rows + shift, "o", color=colour, alpha=0.45, ms=4, label=algorithm)
        ax.plot(part["best"], rows + shift, "|", color=colour, ms=9)
    ax.set_yticks(range(len(means), 0, -1), means.index)
    ax.set(xlabel="AUC: points at the end, strokes at its best; one a seed")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize="small")
    home = home_of(plan)
    return Outcome(
        compared,
        {"AUC with the published parameters": figure},
        {"Mean and standard deviation over seeds": table},
        ["The AUC is of the training data, as published; labels are used for nothing else."],
        [describe(name, home) for name in means.index],
    )


# --- Potential outliers and the division of the plane --------------------------------------------

# Standard deviations of the clusters, and the seed of the points.
PLANES = {
    "four clusters": ((0.04, 0.04, 0.04, 0.04), 1),
    "clusters of different density": ((0.015, 0.03, 0.06, 0.09), 2),
}
CENTRES = np.array([[0.25, 0.25], [0.75, 0.3], [0.3, 0.75], [0.72, 0.72]])


def make_clusters(spreads: tuple[float, ...], seed: int, n: int = 1000, n_outliers: int = 40):
    """Make Gaussian clusters in the unit square, and uniform outliers away from all of them."""
    from sklearn.datasets import make_blobs
    from sklearn.utils import Bunch

    rng = np.random.default_rng(seed)
    points, _ = make_blobs(
        [(n - n_outliers) // len(spreads)] * len(spreads),
        2,
        centers=CENTRES[: len(spreads)],
        cluster_std=list(spreads),
        random_state=seed,
    )
    points = np.clip(points, 0, 1)
    outliers = np.empty((0, 2))
    while len(outliers) < n_outliers:
        new = rng.random((n_outliers, 2))
        away = np.linalg.norm(new[:, None] - CENTRES[None, : len(spreads)], axis=2)
        outliers = np.vstack([outliers, new[(away > 3.5 * np.array(spreads)).all(axis=1)]])
    return Bunch(
        data=np.vstack([points, outliers[:n_outliers]]),
        target=np.repeat([0, 1], [len(points), n_outliers]),
        filename=None,
        source=f"Gaussian clusters of standard deviations {', '.join(map(str, spreads))},"
        f" {n_outliers} uniform outliers more than 3.5 of them away; seed {seed}",
    )


GRID = 80
MOMENTS = (0.05, 0.15, 1 / 3, 1.0)  # of the whole training; the generator stops at a third


def moments(algorithm: str, name: str, parameters: dict, seed: int, home: str | None) -> dict:
    """Train one detector, keep D over the plane and the potential outliers at some moments."""
    import keras

    data = load(name, home)
    noise = np.random.default_rng(seed).random((300, 2), dtype=np.float32)
    side = np.linspace(0, 1, GRID, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    epochs = 3 * parameters["stop_epochs"]
    wanted = {max(1, round(share * epochs)) - 1 for share in MOMENTS}
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict) -> None:
            if epoch in wanted:
                generator, d = self.model.layers[1], discriminator_of(self.model)
                seen.append(
                    {
                        "epoch": epoch + 1,
                        "auc": logs["auc"],
                        "plane": d(plane).numpy().reshape(GRID, GRID),
                        "generated": generate(generator, noise),
                    }
                )

    start = time.perf_counter()
    fitted = detector(algorithm, parameters, seed)
    fitted.fit(data.data, data.target, callbacks=[Look()])
    return {
        "algorithm": algorithm,
        "name": name,
        "seed": seed,
        "moments": seen,
        "end": float(fitted.history_["auc"].iloc[-1]),
        "seconds": time.perf_counter() - start,
    }


def discriminator_of(combine_model: keras.Model) -> keras.Model:
    """Find D in the combined model."""
    return next(layer for layer in combine_model.layers if layer.name == "discriminator")


def generate(generator: keras.Model, noise: np.ndarray) -> np.ndarray:
    """Make potential outliers, by all sub-generators in turn where there are several."""
    k = generator.input_shape[0]
    if k is None:
        return generator(noise).numpy()
    noise = noise[: len(noise) // k * k].reshape(k, -1, 2)
    return generator(noise).numpy().reshape(-1, 2)


def moments_pieces(plan: Plan) -> list[dict]:
    """Give every plane and algorithm, and some seeds."""
    planes = ["onecluster", *PLANES] if plan.full else ["onecluster"]
    stop = {"SO-GAAL": 1000, "MO-GAAL": 1500} if plan.full else {"SO-GAAL": 300, "MO-GAAL": 300}
    return [
        {
            "algorithm": algorithm,
            "name": name,
            "parameters": {"stop_epochs": stop[algorithm]},
            "seed": seed,
            "home": home_of(plan),
        }
        for name in planes
        for algorithm in ALGORITHMS
        for seed in range(min(plan.seeds, 5) if plan.full else 1)
    ]


def coverage(generated: np.ndarray, cells: int = 10) -> float:
    """Share of the cells of the unit square in which a potential outlier lies."""
    inside = generated[((generated >= 0) & (generated < 1)).all(axis=1)]
    return len(np.unique((inside * cells).astype(int), axis=0)) / cells**2


def show_moments(plan: Plan, runs: list[dict]) -> Outcome:
    """Show what the generators make and how D divides the plane, SO against MO."""
    home = home_of(plan)
    figures, rows = {}, []
    for name in dict.fromkeys(run["name"] for run in runs):
        data = load(name, home)
        first = [
            next(r for r in runs if r["name"] == name and r["algorithm"] == algorithm)
            for algorithm in ALGORITHMS
        ]
        figure = Figure(figsize=(7, 14 / len(MOMENTS) + 0.4), layout="constrained")
        axes = figure.subplots(2, len(MOMENTS), sharex=True, sharey=True)
        for line, run in zip(axes, first):
            for ax, moment in zip(line, run["moments"]):
                draw_moment(ax, data, moment)
            line[0].set_ylabel(run["algorithm"])
        figure.suptitle(
            f"{name}: black, potential outliers; line, D(x) = 0.5; the generator stops at the"
            " third picture",
            fontsize="small",
        )
        figures[f"Division of the plane: {name}"] = figure
        for run in runs:
            if run["name"] == name:
                rows.append(
                    {
                        "data": name,
                        "algorithm": run["algorithm"],
                        "end": run["end"],
                        "coverage": coverage(run["moments"][-1]["generated"]),
                        "seconds": run["seconds"],
                    }
                )
    frame = pd.DataFrame(rows)
    groups = frame.groupby(["data", "algorithm"], sort=False)
    table = pd.DataFrame(
        {
            "AUC at the end": groups["end"].agg(mean_spread),
            "cells with a potential outlier": groups["coverage"].agg(mean_spread),
            "seconds": groups["seconds"].median(),
        }
    ).reset_index()
    compared = []
    for name, part in frame.groupby("data", sort=False):
        end = part.groupby("algorithm")["end"].median()
        compared.append(
            verdicts.holds(
                f"{name}: MO-GAAL divides the plane better",
                end["MO-GAAL"] >= end["SO-GAAL"],
                f"median AUC at the end {end['MO-GAAL']:.3f} against {end['SO-GAAL']:.3f}",
                "several generators keep the whole boundary (section 3.3), one collapses",
                "median final AUC of MO-GAAL not lower",
            )
        )
    return Outcome(
        compared,
        figures,
        {"Mean and standard deviation over seeds": table},
        [
            "The pictures are at 5, 15, 33 and 100 % of the training, seed 0. A potential outlier"
            " outside the unit square is not drawn."
        ],
        [describe(name, home) for name in frame["data"].unique()],
    )


def draw_moment(ax: Axes, data, moment: dict) -> None:
    """Draw D over the plane, the data and the potential outliers."""
    side = np.linspace(0, 1, GRID)
    ax.contourf(side, side, moment["plane"], levels=12, cmap="YlGn", alpha=0.6)
    if moment["plane"].min() < 0.5 < moment["plane"].max():
        ax.contour(side, side, moment["plane"], levels=[0.5], colors="black", linewidths=1)
    outlier = data.target == 1
    ax.scatter(*data.data[~outlier].T, s=1.5, color="tab:blue", alpha=0.6, linewidths=0)
    ax.scatter(*data.data[outlier].T, s=9, color="tab:red", marker="x", linewidths=0.8)
    ax.scatter(*moment["generated"].T, s=5, color="black", marker="+", linewidths=0.5)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[0, 1], yticks=[0, 1])
    ax.set_title(f"epoch {moment['epoch']}\nAUC {moment['auc']:.3f}", fontsize="small")


# --- stop_epochs read from the generator loss ----------------------------------------------------


def stopping_pieces(plan: Plan) -> list[dict]:
    """Give the data sets and algorithms, trained without stopping."""
    few = 3 if plan.full else 1
    return [piece for piece in datasets_pieces(plan) if piece["seed"] < few]


def unstopped(parameters: dict, **arguments) -> dict:
    """Train without stopping, suggest stop_epochs from the generator loss.

    As long as ``stop_epochs="auto"`` does, whatever was published: ever twice as long, until the
    loss has risen again, or slowed by half of the record.
    """
    from gaal import stopping
    from gaal.detectors import PROBE_UPDATES

    n = len(load(arguments["name"], arguments["home"]).data)
    updates, longest = PROBE_UPDATES
    while True:
        epochs = math.ceil(updates / (n // min(500, n)))
        run = train(parameters={**parameters, "whether_stop": False, "epochs": epochs}, **arguments)
        loss = run["history"]["generator_loss"].to_numpy()
        trend = stopping.find_trend(loss)
        slowed = trend is not None and (trend.over or 2 * trend.slows <= len(loss))
        if slowed or updates >= longest:
            break
        updates *= 2
    return {
        **{key: run[key] for key in ("algorithm", "name", "seed", "seconds")},
        "parameters": parameters,
        "loss": loss,
        "update": math.nan if trend is None else trend.slows,
        "suggested": math.nan if trend is None else stopping.suggest_stop_epochs(loss, n),
    }


def show_stopping(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the losses without stopping, the update found, and stop_epochs beside the published."""
    cases = list(dict.fromkeys((run["name"], run["algorithm"]) for run in runs))
    columns = 4 if len(cases) > 4 else 2
    lines = -(-len(cases) // columns)
    figure = Figure(figsize=(7, 1.5 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    rows = []
    for ax, (name, algorithm) in zip(axes, cases):
        part = [run for run in runs if (run["name"], run["algorithm"]) == (name, algorithm)]
        loss = pd.Series(part[0]["loss"]).rolling(SMOOTHED, center=True, min_periods=1).mean()
        ax.plot(loss, color="tab:red", linewidth=1)
        if not math.isnan(part[0]["update"]):
            ax.axvline(part[0]["update"], color="0.2", linestyle="--", linewidth=1)
        ax.set_title(f"{name}, {algorithm}", fontsize="x-small")
        ax.tick_params(labelsize="x-small")
        suggested = [run["suggested"] for run in part]
        found = [value for value in suggested if not math.isnan(value)]
        most = 2 * len(found) > len(suggested)
        rows.append(
            {
                "data": name,
                "algorithm": algorithm,
                "suggested (median)": float(np.median(found)) if most else math.nan,
                "suggested by seed": ", ".join(
                    "none" if math.isnan(value) else f"{value:.0f}" for value in suggested
                ),
                "published": part[0]["parameters"]["stop_epochs"],
            }
        )
    for ax in axes[len(cases) :]:
        ax.remove()
    figure.suptitle("Generator loss without stopping; dashed: where its fall slows", fontsize=9)
    table = pd.DataFrame(rows)
    table["ratio"] = table["suggested (median)"] / table["published"]
    compared = [
        verdicts.holds(
            f"stop_epochs of {row['algorithm']} on {row['data']}",
            0.5 <= row["ratio"] <= 2,
            "none: the loss does not rise and fall"
            if math.isnan(row["ratio"])
            else f"{row['suggested (median)']:.0f}",
            str(row["published"]),
            "the median suggestion between half and twice the published one",
        )
        for row in table.to_dict("records")
    ]
    home = home_of(plan)
    return Outcome(
        compared,
        {"Generator loss without stopping": figure},
        {"stop_epochs suggested and published": table},
        [
            "The repository's rule of thumb: train without stopping, read off the update I at"
            " which the fall of the generator loss slows, and stop after I / m epochs, rounded up."
            " The update is found without looking at a label. m is n // 500 here, the updates that"
            " an epoch has; the repository writes ceil(n / 500), which also counts the rows left"
            " over, on which it never trains."
        ],
        [describe(name, home) for name in table["data"].unique()],
    )


# --- AUC by the number of sub-generators, and by irrelevant variables ----------------------------


def k_pieces(plan: Plan) -> list[dict]:
    """Give the numbers of sub-generators on a round cluster and on several."""
    ks = (1, 2, 5, 10, 20, 30) if plan.full else (1, 3, 10)
    names = ("onecluster", *PLANES) if plan.full else ("onecluster",)
    return [
        {
            "algorithm": "MO-GAAL",
            "name": name,
            "parameters": {"k": k, "stop_epochs": 1000 if plan.full else 300},
            "seed": seed,
            "home": home_of(plan),
        }
        for name in names
        for k in ks
        for seed in range(min(plan.seeds, 3 if plan.full else 2))
    ]


def show_k(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the final AUC by the number of sub-generators."""
    frame = pd.DataFrame(runs)
    frame["k"] = [parameters["k"] for parameters in frame.pop("parameters")]
    figure = wide()
    ax = figure.subplots()
    compared = []
    for colour, (name, part) in zip(
        ("tab:blue", "tab:orange", "tab:green"), frame.groupby("name", sort=False)
    ):
        ax.plot(part["k"], part["end"], "o", color=colour, alpha=0.3, ms=4)
        median = part.groupby("k")["end"].median()
        ax.plot(median, color=colour, marker="o", label=f"{name} (line: median)")
        several = float(median[median.index >= 10].max())
        compared.append(
            verdicts.holds(
                f"{name}: ten or more sub-generators against one",
                several >= median[1] - 0.005,
                f"median final AUC {several:.3f} against {median[1]:.3f}",
                "more sub-generators describe the data better, up to a point (section 4)",
                "best median with k of 10 or more not lower than with k = 1, give or take 0.005",
            )
        )
    ax.set(xlabel="k, number of sub-generators", ylabel="AUC at the end", xscale="log")
    ax.set_xticks(sorted(frame["k"].unique()), [str(k) for k in sorted(frame["k"].unique())])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    table = frame.pivot_table("end", "k", "name", mean_spread, sort=False).reset_index()
    home = home_of(plan)
    return Outcome(
        compared,
        {"AUC by the number of sub-generators": figure},
        {"Mean and standard deviation over seeds": table},
        ["k(k + 1) / 2 must not exceed the batch of 500 rows: k is at most 31."],
        [describe(name, home) for name in frame["name"].unique()],
    )


SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
RELEVANT = 4  # variables that tell outliers from inliers


def irrelevant_data(share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make two clusters in four variables, and uniform noise as the other variables."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.35] * RELEVANT, [0.65] * RELEVANT])
    inliers = np.vstack([rng.normal(c, 0.05, (475, RELEVANT)) for c in centres])
    outliers = np.empty((0, RELEVANT))
    while len(outliers) < 50:
        new = rng.random((50, RELEVANT))
        away = np.linalg.norm(new[:, None] - centres[None], axis=2).min(axis=1)
        outliers = np.vstack([outliers, new[away > 0.25]])
    n_noise = round(RELEVANT * share / (1 - share))
    X = np.vstack([inliers, outliers[:50]])
    X = np.hstack([np.clip(X, 0, 1), rng.random((len(X), n_noise))])
    return X, np.repeat([0, 1], [len(inliers), 50])


def irrelevant_pieces(plan: Plan) -> list[dict]:
    """Give the shares of irrelevant variables and the detectors."""
    shares = SHARES if plan.full else (SHARES[0], SHARES[-1])
    return [
        {"method": method, "share": share, "seed": seed, "stop_epochs": 500 if plan.full else 200}
        for share in shares
        for method in (*ALGORITHMS, "LOF", "kNN", "IsolationForest")
        for seed in range(min(plan.seeds, 5 if plan.full else 2))
    ]


def irrelevant(method: str, share: float, seed: int, stop_epochs: int) -> dict:
    """Score the data with a share of irrelevant variables by one method."""
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score
    from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

    X, y = irrelevant_data(share, seed)
    start = time.perf_counter()
    if method == "LOF":
        score = LocalOutlierFactor(20).fit(X).negative_outlier_factor_
    elif method == "kNN":
        score = -NearestNeighbors(n_neighbors=5).fit(X).kneighbors()[0][:, -1]
    elif method == "IsolationForest":
        score = IsolationForest(random_state=seed).fit(X).score_samples(X)
    else:
        score = detector(method, {"stop_epochs": stop_epochs}, seed).fit(X).score_samples(X)
    return {
        "method": method,
        "share": share,
        "seed": seed,
        "auc": float(roc_auc_score(y, -score)),
        "seconds": time.perf_counter() - start,
    }


def show_irrelevant(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the AUC by the share of irrelevant variables, with other detectors beside."""
    frame = pd.DataFrame(runs)
    figure = wide()
    ax = figure.subplots()
    for method, part in frame.groupby("method", sort=False):
        ours = method in ALGORITHMS
        ax.plot(
            part.groupby("share")["auc"].mean(),
            marker="o",
            linewidth=2 if ours else 1,
            linestyle="-" if ours else "--",
            label=method,
        )
    ax.set(xlabel="share of irrelevant variables", ylabel="AUC, mean over seeds")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    mean = frame.pivot_table("auc", "share", "method", "mean", sort=False)
    most = float(mean.index.max())
    loss = (mean.loc[0.0] - mean.loc[most]).to_dict()
    others = {name: value for name, value in loss.items() if name not in ALGORITHMS}
    compared = [
        verdicts.holds(
            f"MO-GAAL's AUC suffers least from {most:.0%} irrelevant variables",
            loss["MO-GAAL"] < min(others["LOF"], others["kNN"]),
            f"loses {loss['MO-GAAL']:.3f}; LOF {others['LOF']:.3f}, kNN {others['kNN']:.3f}",
            "MO-GAAL leads on data with a high ratio of irrelevant variables (abstract)",
            "loses less than LOF and than kNN",
        )
    ]
    table = frame.pivot_table("auc", "share", "method", mean_spread, sort=False).reset_index()
    X, _ = irrelevant_data(0.0, 0)
    return Outcome(
        compared,
        {"AUC by the share of irrelevant variables": figure},
        {"Mean and standard deviation over seeds": table},
        data=[
            {
                "name": "two clusters with irrelevant variables",
                "source": "two Gaussian clusters in four variables, 50 uniform outliers of 1000"
                " rows; uniform variables added. A set a seed; the sum is of seed 0 without them",
                "sha256": sha256(X),
            }
        ],
    )


TARGETS = [
    Target(
        "so-onecluster",
        "Training of SO-GAAL on onecluster",
        "The repository's figure, SO-GAAL; reruns of the published program under Keras 2.2.4",
        f"stop_epochs 1000; {KERNELS}; {COMMON}",
        onecluster_pieces("SO-GAAL", {}, UNDER_224),
        train,
        show_so_onecluster,
    ),
    Target(
        "mo-onecluster",
        "Training of MO-GAAL on onecluster",
        "The repository's figure, MO-GAAL; reruns of the published program under Keras 2.2.4",
        f"stop_epochs 1500, k 10; {KERNELS}; {COMMON}",
        onecluster_pieces("MO-GAAL", {}, UNDER_224),
        train,
        show_mo_onecluster,
    ),
    Target(
        "post-figure2",
        "The two logarithms",
        "The post, figure 2",
        "x on (0, 1)",
        nothing,
        never,
        show_post_logarithms,
    ),
    Target(
        "post-figure3",
        "The points of onecluster",
        "The post, figure 3",
        "all points",
        nothing,
        never,
        show_post_scatter,
    ),
    Target(
        "post-figure4",
        "The port with generator bias 1",
        "The post, figure 4",
        "stop_epochs 1000, lr_d 0.01, lr_g 0.0001, momentum 0.9, no decay, Xavier discriminator"
        " with bias 0.05, generator bias 1, batches of 500 reshuffled every epoch",
        post_pieces(1.0),
        train,
        show_post(1.0, 4),
    ),
    Target(
        "post-figure5",
        "The port with generator bias 1e-5",
        "The post, figure 5",
        "as post-figure4, with generator bias 1e-5",
        post_pieces(1e-5),
        train,
        show_post(1e-5, 5),
    ),
    Target(
        "post-figure6",
        "The original Keras code, as the post shows it",
        "The post, figure 6",
        f"stop_epochs 1000; {COMMON}",
        onecluster_pieces("SO-GAAL", {}),
        train,
        show_post_keras,
    ),
    Target(
        "datasets",
        "Published parameters on the published data sets",
        "Liu et al. (2019), section 4: real-world data; stop_epochs of the repository",
        f"stop_epochs and k as published for each set; {COMMON}",
        datasets_pieces,
        summarise,
        show_datasets,
    ),
    Target(
        "division",
        "Potential outliers and the division of the plane",
        "Liu et al. (2019), section 3 and the experiments on two-dimensional data",
        f"stop_epochs 1000 (SO-GAAL) and 1500 (MO-GAAL, k 10), in --quick 300; {COMMON}",
        moments_pieces,
        moments,
        show_moments,
    ),
    Target(
        "stop-epochs",
        "stop_epochs read from the generator loss",
        "The repository's README: how to choose stop_epochs",
        "the published settings with whether_stop 0, over 512 updates and ever twice as many until"
        f" the fall has slowed; {COMMON}",
        stopping_pieces,
        unstopped,
        show_stopping,
    ),
    Target(
        "sub-generators",
        "AUC by the number of sub-generators",
        "Liu et al. (2019), section 4: the number of sub-generators k",
        f"stop_epochs 1000, in --quick 300; {COMMON}",
        k_pieces,
        summarise,
        show_k,
    ),
    Target(
        "irrelevant-variables",
        "AUC by the share of irrelevant variables",
        "Liu et al. (2019), section 4: synthetic data with irrelevant variables",
        f"stop_epochs 500, in --quick 200; k 10; LOF with 20, kNN with 5 neighbours; {COMMON}",
        irrelevant_pieces,
        irrelevant,
        show_irrelevant,
    ),
]
