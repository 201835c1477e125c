"""What GAAL's targets share: the published settings, one training, its curves and numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction.gaal_data import load
from reproduction.target import sha256

if TYPE_CHECKING:
    import keras

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())["gaal"]
ALGORITHMS = ("SO-GAAL", "MO-GAAL")

COMMON = (
    "lr_d 0.01, lr_g 0.0001, decay 1e-6, momentum 0.9, batches of min(500, n) rows in a fixed"
    " order, 3 x stop_epochs epochs; labels only for the AUC, which is of the training data"
)

GRID = 80  # values of D on a side of the plane
SMOOTHED = 41  # updates of the centred mean that the published bands were taken after
EVERY = 50  # updates: the curves of onecluster among the raw numbers; all are judged at such


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


def train(
    algorithm: str,
    name: str,
    parameters: dict,
    seed: int,
    home: str | None,
    keep: Callable[[object], dict] = lambda fitted: {},
) -> dict:
    """Train one detector, keep its curves and what ``keep(fitted)`` takes of it."""
    data = load(name, home)
    start = time.perf_counter()
    fitted = detector(algorithm, parameters, seed).fit(data.data, data.target)
    return {
        "algorithm": algorithm,
        "name": name,
        "points": sha256(data.data),
        "seed": seed,
        "parameters": parameters,
        "history": fitted.history_.astype(np.float32),
        "stop": fitted._stop_node(len(data.data)),
        "seconds": time.perf_counter() - start,
        "end": float(fitted.history_["auc"].iloc[-1]),
        **(of_plane(fitted, seed) if data.data.shape[1] == 2 else {}),
        **keep(fitted),
    }


def numbers(run: dict, every: int = EVERY) -> dict:
    """Take the raw numbers of a training: AUC, and the curves at every so many updates.

    Losses are smoothed as the published bands were, and have six digits; of the sub-generators'
    there is the lowest.
    """
    smooth, auc, updates = curves(run), run["history"]["auc"], len(run["history"])
    of_generators = smooth.filter(regex=r"^sub_generator")
    kept = smooth.drop(columns=of_generators.columns)
    if not of_generators.empty:
        kept["lowest_sub_generator_loss"] = of_generators.min(axis=1)
    kept = kept.iloc[sorted({*range(0, updates, every), updates - 1})]
    return {
        **{key: run[key] for key in ("algorithm", "name", "points", "seed", "parameters")},
        "seconds": run["seconds"],
        "updates": updates,
        "every": every,
        "stop": float(auc.iloc[run["stop"] - 1]),
        "end": run["end"],
        "best": float(auc.max()),
        "best_at": int(auc.idxmax()),
        "lowest_at": int(smooth["discriminator_loss"][:1900].idxmin()),
        "curves": {c: [float(f"{value:.6g}") for value in kept[c]] for c in kept},
    }


def few_numbers(run: dict) -> dict:
    """Take the raw numbers of a training whose curves are not judged: of each a dozen."""
    return numbers(run, max(1, len(run["history"]) // 10))


def near(run: dict, column: str, update: int, within: int = 0) -> list[float]:
    """Values of a curve among the raw numbers, at an update or so near to it."""
    update = min(update, run["updates"] - 1)
    kept = sorted({*range(0, run["updates"], run["every"]), run["updates"] - 1})
    values = zip(kept, run["curves"][column], strict=True)
    return [value for at, value in values if abs(at - update) <= within]


def of_plane(fitted, seed: int) -> dict[str, np.ndarray]:
    """Keep D over the unit square and 300 potential outliers, by noise that the seed draws."""
    side = np.linspace(0, 1, GRID, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    noise = np.random.default_rng(seed).random((300, 2), dtype=np.float32)
    return {
        "plane": fitted.discriminator_(plane).numpy().reshape(GRID, GRID),
        "generated": generate(fitted.generator_, noise),
    }


def generate(generator: keras.Model, noise: np.ndarray) -> np.ndarray:
    """Make potential outliers, by all sub-generators in turn where there are several."""
    k = generator.input_shape[0]
    if k is None:
        return generator(noise).numpy()
    noise = noise[: len(noise) // k * k].reshape(k, -1, 2)
    return generator(noise).numpy().reshape(-1, 2)


def summarise(**arguments) -> dict:
    """Train one detector, keep its raw numbers alone, of each curve a dozen."""
    return few_numbers(train(**arguments))


def smoothed(losses: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    """Smooth losses as the published bands were; a trend is read from one that is smoothed less."""
    return losses.rolling(SMOOTHED, center=True, min_periods=1).mean()


def curves(run: dict) -> pd.DataFrame:
    """Smooth the losses of a run; the AUC stays as it is."""
    return smoothed(run["history"]).assign(auc=run["history"]["auc"])


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


def by_seed(runs: list[dict]) -> pd.DataFrame:
    """Lay out the AUC of every run."""
    shown = {
        "seed": "seed",
        "kernels": "kernels",
        "stop": "AUC at the stop node",
        "end": "AUC at the end",
        "best": "best AUC",
        "best_at": "best at update",
        "seconds": "seconds",
    }
    kernels = [run["parameters"].get("discriminator_init", "published") for run in runs]
    return pd.DataFrame(runs).assign(kernels=kernels)[list(shown)].rename(columns=shown)


def mean_spread(values: pd.Series) -> str:
    """Write a mean and the standard deviation over seeds."""
    spread = f" ± {values.std():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{spread}"
