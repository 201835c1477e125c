"""The figures of GAAL, one function a figure; each draws on an Axes and returns it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from gaal.labels import read_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GENERATOR = "tab:red"
DISCRIMINATOR = "tab:blue"
SUB_GENERATOR = "tab:green"
AUC = "#d9a400"  # the published yellow, dark enough to read on white
INLIER = "tab:blue"
OUTLIER = "tab:red"
GENERATED = "black"


def plot_training(
    history: pd.DataFrame, ax: Axes | None = None, *, stop: int | None = None
) -> Axes:
    """Plot the losses and the AUC against the updates, in the published colours.

    Parameters
    ----------
    history : DataFrame
        As ``history_`` of a fitted detector: a row an update, columns ``discriminator_loss``,
        ``generator_loss``, ``sub_generator{i}_loss`` (MO-GAAL, optional) and ``auc``
        (optional).
    ax : matplotlib Axes, default=None
        Where to draw; by default on a new figure.
    stop : int, default=None
        Mark the update at which the generator stopped learning.

    Returns
    -------
    matplotlib Axes
        Generator red, discriminator blue, sub-generators green, AUC yellow.

    Raises
    ------
    ValueError
        If a loss is missing or there is no row.
    """
    missing = {"discriminator_loss", "generator_loss"} - set(history.columns)
    if missing:
        raise ValueError(
            f"history lacks {', '.join(sorted(missing))}; its columns are"
            f" {', '.join(map(str, history.columns))}."
        )
    if history.empty:
        raise ValueError("history has no rows; expected one an update.")
    ax = _axes(ax)
    sub_generators = [c for c in history if re.fullmatch(r"sub_generator\d+_loss", str(c))]
    for i, column in enumerate(sub_generators):
        label = f"sub-generator losses (k = {len(sub_generators)})" if i == 0 else None
        ax.plot(history[column], color=SUB_GENERATOR, linewidth=0.5, alpha=0.7, label=label)
    ax.plot(history["discriminator_loss"], color=DISCRIMINATOR, lw=1, label="discriminator loss")
    ax.plot(history["generator_loss"], color=GENERATOR, lw=1, label="generator loss")
    if "auc" in history:
        ax.plot(history["auc"], color=AUC, lw=1.8, label="AUC")
    if stop is not None:
        ax.axvline(stop, color="0.4", linestyle="--", linewidth=1, label="generator stops")
    ax.set(xlabel="update", ylabel="loss / AUC")
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize="small", ncols=2)
    return ax


def plot_scatter(X, y=None, ax: Axes | None = None) -> Axes:
    """Plot a two-dimensional data set.

    Parameters
    ----------
    X : array-like of shape (n, 2)
        The points.
    y : array-like of shape (n,), default=None
        1 or "out" for an outlier, 0 or "nor" for an inlier, as ``fit`` takes them.
    ax : matplotlib Axes, default=None
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib Axes
        Inliers as blue points, outliers as red crosses.

    Raises
    ------
    ValueError
        If X is not of shape (n, 2), holds NaN or infinity, or y does not fit it.
    """
    X = _points(X, "X")
    is_outlier = None if y is None else _is_outlier(y, X)
    ax = _axes(ax)
    _scatter(ax, X, is_outlier)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal" if _fits_unit_square(X) else "auto")
    ax.legend(fontsize="small")
    return ax


def plot_division(
    score: Callable,
    X,
    generated=None,
    y=None,
    ax: Axes | None = None,
    *,
    grid: int = 100,
) -> Axes:
    """Plot how D divides a two-dimensional space, with the data over it.

    Parameters
    ----------
    score : callable or detector
        Takes points of shape (m, 2), returns m scores in [0, 1]: a Keras discriminator,
        a detector's ``score_samples``, or the fitted detector.
    X : array-like of shape (n, 2)
        The data. The division covers the unit square if the data nearly do not leave it, and
        the range of the data otherwise.
    generated : array-like of shape (m, 2), default=None
        Points made by the generator.
    y : array-like of shape (n,), default=None
        1 or "out" for an outlier, 0 or "nor" for an inlier, as ``fit`` takes them.
    ax : matplotlib Axes, default=None
        Where to draw; by default on a new figure.
    grid : int, default=100
        Points of the grid on each side.

    Returns
    -------
    matplotlib Axes
        Filled contours of D(x) with a colour bar, and the line D(x) = 0.5.

    Raises
    ------
    ValueError
        If X or ``generated`` is not of shape (n, 2), ``grid`` is less than 2, or ``score`` does
        not return one finite number a point.
    TypeError
        If ``score`` can be neither called nor asked for ``score_samples``.
    """
    X = _points(X, "X")
    is_outlier = None if y is None else _is_outlier(y, X)
    generated = None if generated is None else _points(generated, "generated")
    if grid < 2:
        raise ValueError(f"grid={grid}; expected at least 2.")
    score = getattr(score, "score_samples", score)
    if not callable(score):
        raise TypeError(f"score={score!r}; expected a callable or a detector.")

    smallest, largest = X.min(axis=0), X.max(axis=0)
    if _fits_unit_square(X):  # a marker at its very edge stays whole
        low = np.where(smallest < 0, smallest - 0.02, 0)
        high = np.where(largest > 1, largest + 0.02, 1)
    else:
        margin = np.where(largest > smallest, 0.05 * (largest - smallest), 0.5)
        low, high = smallest - margin, largest + margin
    x1, x2 = np.meshgrid(*np.linspace(low, high, grid).T)
    values = np.asarray(score(np.column_stack([x1.ravel(), x2.ravel()])), np.float64)
    if values.size != x1.size or not np.isfinite(values).all():
        raise ValueError(
            f"score returned an array of shape {values.shape} for {x1.size} points; expected one"
            " finite number a point."
        )
    values = values.reshape(x1.shape)

    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    ax = _axes(ax)
    # D's own range, not [0, 1]: late in the training it is narrow.
    middle = (values.min() + values.max()) / 2
    lowest, highest = min(values.min(), middle - 0.01), max(values.max(), middle + 0.01)
    levels = MaxNLocator(20).tick_values(lowest, highest)
    # A pale map, or the points over it would not stand out.
    colours = ListedColormap(colormaps["YlGn"](np.linspace(0, 0.7, 256)))
    filled = ax.contourf(x1, x2, values, levels=levels, cmap=colours)
    beside = ax.inset_axes([1.03, 0, 0.045, 1])  # as high as ax, whatever its aspect
    bar = ax.figure.colorbar(filled, cax=beside, label="D(x)")
    if values.min() < 0.5 < values.max():
        ax.contour(x1, x2, values, levels=[0.5], colors="black", linewidths=1.2)
        bar.ax.axhline(0.5, color="black", linewidth=1.2)
        ax.plot([], [], color="black", linewidth=1.2, label="D(x) = 0.5")
    _scatter(ax, X, is_outlier)
    if generated is not None:
        ax.scatter(*generated.T, s=9, marker="+", lw=0.7, color=GENERATED, label="generated")
    ax.set(
        xlabel="$x_1$",
        ylabel="$x_2$",
        xlim=(low[0], high[0]),
        ylim=(low[1], high[1]),
        aspect="equal" if _fits_unit_square(X) else "auto",
    )
    ax.legend(fontsize="small")
    return ax


def plot_roc(y_true, outlier_scores, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Plot a ROC curve, with its area in the legend.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 or "out" for an outlier, 0 or "nor" for an inlier, as ``fit`` takes them; both must
        occur.
    outlier_scores : array-like of shape (n,)
        Higher is more outlying: the paper's OS(x), ``1 - detector.score_samples(X)``.
    ax : matplotlib Axes, default=None
        Where to draw; by default on a new figure.
    label : str, default=None
        Name of the curve in the legend.

    Returns
    -------
    matplotlib Axes
        True positive rate against false positive rate.

    Raises
    ------
    ValueError
        If y_true holds one class only, the lengths differ or a score is not finite.
    """
    scores = check_array(
        outlier_scores, ensure_2d=False, dtype=np.float64, input_name="outlier_scores"
    )
    scores = column_or_1d(scores)
    is_outlier = _is_outlier(y_true, scores, "y_true")
    if is_outlier.all() or not is_outlier.any():
        raise ValueError(
            f"y_true holds only {'outliers' if is_outlier.all() else 'inliers'}; the ROC curve"
            " needs both."
        )
    false_positives, true_positives, _ = roc_curve(is_outlier, scores)
    auc = f"AUC = {roc_auc_score(is_outlier, scores):.4f}"
    ax = _axes(ax)
    ax.plot(false_positives, true_positives, label=auc if label is None else f"{label}, {auc}")
    if not any(line.get_gid() == "chance" for line in ax.lines):
        ax.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1, gid="chance")
    ax.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    ax.legend(loc="lower right", fontsize="small")
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _points(X, name: str) -> np.ndarray:
    X = check_array(X, dtype=np.float64, input_name=name, ensure_2d=False, allow_nd=True)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"{name} has the shape {X.shape}; expected (n, 2).")
    return X


def _fits_unit_square(X: np.ndarray) -> bool:
    """Tell whether X is scaled to [0, 1], give or take a little."""
    return X.min() >= -0.05 and X.max() <= 1.05


def _is_outlier(y, X: np.ndarray, name: str = "y") -> np.ndarray:
    is_outlier, problem, remedy = read_labels(y, name)
    if is_outlier is None:
        raise ValueError(f"{problem} {remedy}".strip())
    check_consistent_length(X, is_outlier)
    return is_outlier


def _scatter(ax: Axes, X: np.ndarray, is_outlier: np.ndarray | None) -> None:
    name = "data" if is_outlier is None else "inliers"
    if is_outlier is None:
        is_outlier = np.zeros(len(X), bool)
    if not is_outlier.all():
        ax.scatter(*X[~is_outlier].T, s=10, color=INLIER, edgecolors="white", lw=0.3, label=name)
    if is_outlier.any():
        outliers = X[is_outlier].T
        ax.scatter(*outliers, s=36, color=OUTLIER, marker="x", lw=1.5, label="outliers")
