"""Figures of ALOCC, each a function that takes and returns a matplotlib Axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from alocc.pixels import to_unit
from alocc.protocols import everything_inlier_f1
from gaal_alocc.files import write_aside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Figure 8 of Sabokrou et al., CVPR 2018, read off to 0.01: F1 on MNIST by percentage of
# outliers, mean over the ten digits as target class.
#: Shares of outliers in figure 8 of the ALOCC paper.
PAPER_OUTLIER_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
#: F1 in that figure by method, one for each share.
PAPER_F1 = {
    "D(R(X))": (0.97, 0.92, 0.92, 0.91, 0.88),
    "D(X)": (0.93, 0.90, 0.87, 0.84, 0.82),
    "LOF": (0.92, 0.83, 0.72, 0.65, 0.55),
    "DRAE": (0.95, 0.91, 0.88, 0.82, 0.73),
}

SCORE_LABELS = {"reconstruction": "reconstruction error", "d_x": "D(x)", "d_rx": "D(R(x))"}
COLORS = {"reconstruction": "C0", "d_x": "C1", "d_rx": "C2", "LOF": "C3", "DRAE": "C4"}
_PAPER_COLORS = {"D(R(X))": "C2", "D(X)": "C1", "LOF": "C3", "DRAE": "C4"}
_BORDER = 1.0  # white, between images
_OVERLAY = 0.55  # how much of a map hides its frame


def _axes(ax: Axes | None, figsize: tuple[float, float] = (6.4, 4.4)) -> Axes:
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def plot_reconstruction_loss(
    history: pd.DataFrame, epoch: int | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the reconstruction loss of every update over epochs, and each epoch's mean.

    It is the curve by which the tutorial chooses the epoch to use.

    Parameters
    ----------
    history : DataFrame
        ``history_`` of a fitted ALOCC: a row an update, with g_loss_reconstruction and epoch.
    epoch : int, optional
        The epoch used, ``epoch_``, to be marked.
    ax : Axes, optional
        By default those of a new figure.
    """
    ax = _axes(ax)
    epochs = history["epoch"].to_numpy()
    loss = history["g_loss_reconstruction"].to_numpy()
    names, first, counts = np.unique(epochs, return_index=True, return_counts=True)
    # update j (from 0) of the m in epoch e ends (j + 1) / m of it
    within = np.arange(len(epochs)) - np.repeat(first, counts)
    done = np.repeat(names - names[0], counts) + (within + 1) / np.repeat(counts, counts)
    means = [loss[start : start + count].mean() for start, count in zip(first, counts)]
    starts = names - names[0]
    ax.plot(done, loss, color="C0", alpha=0.5, linewidth=1, label="every update")
    ax.plot(starts + 0.5, means, "o-", color="C3", markersize=4, label="mean of the epoch")
    if epoch is not None:
        start = starts[names == epoch]
        if not len(start):
            raise ValueError(f"epoch={epoch!r} is not in the history, {names[0]} to {names[-1]}.")
        ax.axvspan(start[0], start[0] + 1, color="0.88", label=f"epoch used: {epoch}")
    ax.set(
        title="Reconstruction loss of R in training",
        xlabel="epochs done",
        ylabel="binary cross-entropy of x and R(z)",
        xlim=(0, starts[-1] + 1),
        ylim=(0, None),
    )
    ax.legend()
    return ax


def plot_reconstructions(
    X: np.ndarray,
    noisy: np.ndarray | None,
    reconstructions: np.ndarray,
    labels: Sequence | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show images in a row, their noisy copies below, and what R makes of them below that.

    Parameters
    ----------
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images, uint8 or in [0, 1].
    noisy : array of the same shape, or None
        What R was given; None where it was given X itself.
    reconstructions : array of the same shape
        R's output.
    labels : sequence of n, optional
        Written above the columns.
    ax : Axes, optional
        By default those of a new figure.
    """
    rows = {
        "x": X,
        "x + noise": noisy,
        "R(x)" if noisy is None else "R(x + noise)": reconstructions,
    }
    rows = {name: _pictures(images) for name, images in rows.items() if images is not None}
    n = len(X)
    for name, images in rows.items():
        if images.shape != next(iter(rows.values())).shape:
            raise ValueError(
                f"{name} has shape {images.shape}, expected that of x,"
                f" {next(iter(rows.values())).shape}."
            )
    ax = _axes(ax, (max(3.2, 0.75 * n), 0.8 * len(rows) + 0.7))
    height, width = _show_grid(ax, np.concatenate(list(rows.values())), n)
    ax.set_yticks((np.arange(len(rows)) + 0.5) * height - 0.5, list(rows))
    ax.tick_params(length=0)
    if labels is not None:
        ax.xaxis.tick_top()
        ax.set_xticks((np.arange(n) + 0.5) * width - 0.5, [str(label) for label in labels])
        ax.tick_params(length=0)
    ax.set_title("Input and reconstruction")
    return ax


def plot_montage(
    images: np.ndarray,
    n_columns: int | None = None,
    title: str = "Images",
    ax: Axes | None = None,
) -> Axes:
    """Show images in a grid, row by row: the tutorial's montage.

    Parameters
    ----------
    images : array of shape (n, height, width) or (n, height, width, channels)
        uint8 or in [0, 1].
    n_columns : int, optional
        By default such that the grid is about square.
    title : str, default="Images"
    ax : Axes, optional
        By default those of a new figure.
    """
    images = _pictures(images)
    n_columns = n_columns or int(np.ceil(np.sqrt(len(images))))
    ax = _axes(ax, (5, 5))
    _show_grid(ax, images, n_columns)
    ax.set_title(f"{title} ({len(images)})")
    return ax


def _pictures(images: np.ndarray) -> np.ndarray:
    """Images as (n, height, width, 1 or 3) float in [0, 1], for imshow."""
    images = to_unit(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            f"images have shape {images.shape}, expected (n, height, width), or with 1 or 3"
            " channels, n from 1 up."
        )
    return images


def _show_grid(ax: Axes, images: np.ndarray, n_columns: int) -> tuple[int, int]:
    """Show images side by side with a thin border; height and width of a cell in pixels."""
    n, height, width, channels = images.shape
    edge = max(1, min(height, width) // 14)
    cell = np.full((-(-n // n_columns) * n_columns, height + edge, width + edge, channels), _BORDER)
    cell[:n, :height, :width] = images
    grid = cell.reshape(-1, n_columns, *cell.shape[1:]).swapaxes(1, 2)
    grid = grid.reshape(-1, n_columns * (width + edge), channels)[:-edge, :-edge]
    if channels == 1:
        grid = grid[..., 0]
    ax.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return height + edge, width + edge


def plot_discriminator_scores(
    d_x: np.ndarray, d_rx: np.ndarray, is_outlier: np.ndarray, ax: Axes | None = None
) -> Axes:
    """Plot D(x) beside D(R(x)) for inliers and outliers (paper, figure 7).

    The paper's claim is that R mends inliers and breaks outliers, so that D(R(x)) keeps the two
    further apart than D(x).

    Parameters
    ----------
    d_x, d_rx : arrays of shape (n,)
        Probabilities, or logits as the authors' D gives them.
    is_outlier : array of bool, shape (n,)
    ax : Axes, optional
        By default those of a new figure.

    Returns
    -------
    Axes
        Every score is a point, spread sideways; boxes hold the middle half, with the median.
    """
    ax = _axes(ax)
    is_outlier = np.asarray(is_outlier, bool)
    spread = np.random.default_rng(0)
    for kind, rows, color, side in (
        ("inliers", ~is_outlier, "C0", -0.19),
        ("outliers", is_outlier, "C3", 0.19),
    ):
        scores = [np.asarray(values)[rows] for values in (d_x, d_rx)]
        for place, values in enumerate(scores):
            ax.scatter(
                place + side + spread.uniform(-0.14, 0.14, len(values)),
                values,
                s=6,
                alpha=float(np.clip(100 / max(len(values), 1), 0.08, 0.6)),
                color=color,
                linewidths=0,
                rasterized=True,
            )
        boxes = ax.boxplot(
            scores,
            positions=np.arange(2) + side,
            widths=0.3,
            manage_ticks=False,
            showfliers=False,
            medianprops={"color": "black", "linewidth": 2},
        )
        boxes["boxes"][0].set_label(f"_{kind}")
        ax.scatter([], [], s=30, color=color, label=f"{kind} ({rows.sum()})")
    ax.set(
        title="The discriminator on images and on their reconstructions",
        xticks=[0, 1],
        xticklabels=["D(x)", "D(R(x))"],
        xlabel="what is scored",
        ylabel="discriminator output",
        xlim=(-0.5, 1.5),
    )
    shown = np.concatenate([d_x, d_rx])
    if np.min(shown) >= 0 and np.max(shown) <= 1:
        ax.set_ylim(-0.03, 1.03)
    ax.legend()
    return ax


def plot_flips(
    auc: np.ndarray, centers: np.ndarray, mean_auc: float | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the AUC of D epoch by epoch, as it comes and with the sign of training images.

    Parameters
    ----------
    auc : array of shape (n_epochs,)
        Of inliers over outliers, by D's logit as it is.
    centers : array of shape (n_epochs,)
        Mean of the logits of training images. Where it is negative, D's sign has flipped.
    mean_auc : float, optional
        AUC of the mean of epochs, drawn as a line across.
    ax : Axes, optional
        By default those of a new figure.

    Returns
    -------
    Axes
        Epochs count from 0. Those that have flipped are shaded.
    """
    ax = _axes(ax)
    auc, flipped = np.asarray(auc), np.asarray(centers) < 0
    if auc.shape != flipped.shape:
        raise ValueError(f"auc has shape {auc.shape} and centers {flipped.shape}; expected one.")
    label = "training images' mean logit below 0"
    for epoch in np.flatnonzero(flipped):
        ax.axvspan(epoch - 0.5, epoch + 0.5, color="0.9", linewidth=0, label=label)
        label = None
    ax.axhline(0.5, color="0.5", linestyle=":", linewidth=1)
    # Open and large: it shows where the other covers it.
    open_circle = {"markersize": 8, "markerfacecolor": "none"}
    ax.plot(auc, "o--", color="C3", linewidth=1, label="raw, as published", **open_circle)
    oriented = np.where(flipped, 1 - auc, auc)
    ax.plot(oriented, "s-", color="C0", markersize=4, label="oriented by training images")
    if mean_auc is not None:
        ax.axhline(mean_auc, color="C2", label="mean of the oriented epochs")
    ax.set(
        title="D as a detector, epoch by epoch",
        xlabel="epoch",
        ylabel="AUC of inliers over outliers",
        xlim=(-0.5, len(auc) - 0.5),
        ylim=(-0.02, 1.02),
    )
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize="small")
    return ax


def plot_f1_by_outlier_share(
    table: pd.DataFrame, paper: Sequence[str] = ("D(R(X))", "D(X)"), ax: Axes | None = None
) -> Axes:
    """Plot F1 by the share of outliers, with the paper's values beside (figure 8).

    Parameters
    ----------
    table : DataFrame
        From :func:`alocc.protocols.f1_auc_by_outlier_share`, with one threshold rule; the mean
        over targets and seeds is drawn.
    paper : sequence of str, default=("D(R(X))", "D(X)")
        Curves of :data:`alocc.plots.PAPER_F1` to draw dashed.
    ax : Axes, optional
        By default those of a new figure.

    Returns
    -------
    Axes
        The dotted line is the F1 of calling everything an inlier.

    Raises
    ------
    ValueError
        If the table mixes several threshold rules, or the paper has no such curve.
    """
    rules = table["threshold"].unique()
    if len(rules) != 1:
        raise ValueError(f"table holds the thresholds {list(rules)}: choose one.")
    unknown = set(paper) - set(PAPER_F1)
    if unknown:
        raise ValueError(f"paper holds {sorted(unknown)}, expected any of {list(PAPER_F1)}.")
    ax = _axes(ax)
    means = table.groupby(["score", "outlier_share"])["f1"].mean()
    order = [*SCORE_LABELS, *sorted(set(table["score"]) - set(SCORE_LABELS))]
    for i, score in enumerate(s for s in order if s in means.index.get_level_values("score")):
        curve = means[score]
        ax.plot(
            100 * curve.index,
            curve,
            "o-",
            color=COLORS.get(score, f"C{5 + i}"),
            label=SCORE_LABELS.get(score, score),
        )
    for name in paper:
        ax.plot(
            100 * np.array(PAPER_OUTLIER_SHARES),
            PAPER_F1[name],
            "s--",
            color=_PAPER_COLORS[name],
            alpha=0.55,
            markersize=4,
            label=f"{name.replace('X', 'x')}, paper",
        )
    shares = np.linspace(*np.percentile([*PAPER_OUTLIER_SHARES, *table["outlier_share"]], [0, 100]))
    ax.plot(100 * shares, everything_inlier_f1(shares), ":", color="0.3", label="everything inlier")
    ax.set(
        title=f"F1 by share of outliers (threshold: {rules[0]})",
        xlabel="outliers in the test [%]",
        ylabel="F1, inliers positive",
    )
    ax.set_ylim(top=1.01)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def plot_anomaly_map(
    frame: np.ndarray,
    anomaly: np.ndarray,
    vmin: float | None = None,
    vmax: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lay an anomaly map over its frame.

    Parameters
    ----------
    frame : array of shape (height, width) or (height, width, channels)
        uint8 or in [0, 1].
    anomaly : array of shape (height, width)
        Higher is less normal, as :func:`alocc.datasets.anomaly_map` makes of minus the scores.
        NaN, where no patch lies, stays clear.
    vmin, vmax : float, optional
        Values at the ends of the colour scale, to compare frames by. By default the map's own.
    ax : Axes, optional
        By default those of a new figure.
    """
    picture = _pictures(np.asarray(frame)[None])[0]
    anomaly = np.asarray(anomaly)
    if anomaly.shape != picture.shape[:2]:
        raise ValueError(
            f"anomaly has shape {anomaly.shape}, expected that of the frame, {picture.shape[:2]}."
        )
    ax = _axes(ax)
    ax.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
    image = ax.imshow(
        np.ma.masked_invalid(anomaly), cmap="inferno", alpha=_OVERLAY, vmin=vmin, vmax=vmax
    )
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85)
    bar.set_label("anomaly")
    bar.solids.set(alpha=1)
    ax.set(title="Anomaly map over the frame", xlabel="x [pixels]", ylabel="y [pixels]")
    return ax


def film_anomaly_maps(
    frames: np.ndarray,
    maps: np.ndarray,
    file: str | Path | IO[bytes],
    vmin: float | None = None,
    vmax: float | None = None,
    fps: float = 10,
) -> None:
    """Write a film of anomaly maps over their frames, an animated GIF or WebP, by Pillow.

    Parameters
    ----------
    frames : array of shape (n, height, width) or (n, height, width, channels)
        uint8 or in [0, 1].
    maps : array of shape (n, height, width)
        Higher is less normal, as for :func:`plot_anomaly_map`. NaN stays clear.
    file : str, Path or binary file
        A path ends in .gif or .webp; an open file becomes WebP.
    vmin, vmax : float, optional
        Values at the ends of the colour scale. By default the least and the most of all maps.
    fps : float, default=10
        Frames a second, as UCSD's have.

    Raises
    ------
    ValueError
        If the shapes differ, or for another suffix.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from PIL import Image

    pictures = _pictures(frames)
    maps = np.ma.masked_invalid(maps)
    if maps.shape != pictures.shape[:3]:
        raise ValueError(
            f"maps has shape {maps.shape}, expected that of the frames, {pictures.shape[:3]}."
        )
    named = isinstance(file, str | Path)
    suffix = Path(file).suffix.lower() if named else ".webp"
    if suffix not in (".gif", ".webp"):
        raise ValueError(f"file={str(file)!r} ends in neither .gif nor .webp.")
    scale = Normalize(maps.min() if vmin is None else vmin, maps.max() if vmax is None else vmax)
    images = []
    for picture, anomaly in zip(pictures, maps):
        colours = colormaps["inferno"](scale(anomaly))
        share = _OVERLAY * colours[..., 3:]  # nothing where the map is masked
        image = (1 - share) * picture + share * colours[..., :3]
        images.append(Image.fromarray(np.rint(image * 255).astype(np.uint8)))
    settings = {"append_images": images[1:], "duration": round(1000 / fps), "loop": 0}

    def write(target: Path | IO[bytes]) -> None:
        images[0].save(target, suffix[1:], save_all=True, **settings)

    if named:
        write_aside(Path(file), write)
    else:
        write(file)
