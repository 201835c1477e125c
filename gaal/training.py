"""Training of GAAL: a published update, by one of two doors, epoch after epoch.

The updates, and the doors, lie in rooms of their own; the updates, and Keras's steps, are at hand
here.
"""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from gaal.doors import open_door, plan_execution
from gaal.networks import GAN, Deferred
from gaal.updates import (
    MO_GAAL,
    SO_GAAL,
    Algorithm,
    mo_gaal_update,
    noise_rows,
    quantiles,
    so_gaal_update,
    train_discriminator,
)
from gaal_alocc.callbacks import leave_models_alone
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.loop import Loop
from gaal_alocc.progress import shower
from gaal_alocc.steps import test_on_batch, train_on_batch

__all__ = [
    "MO_GAAL",
    "SO_GAAL",
    "Algorithm",
    "auc_by_epoch",
    "loss_columns",
    "mo_gaal_update",
    "noise_rows",
    "quantiles",
    "so_gaal_update",
    "test_on_batch",
    "train",
    "train_discriminator",
    "train_on_batch",
]

PROGRESS = ["discriminator_loss", "generator_loss", "auc"]  # shown on the progress bar


def auc_by_epoch(scores: np.ndarray, is_outlier: np.ndarray) -> np.ndarray:
    """ROC AUC of the outlier score 1 - D(x), many epochs at once.

    Parameters
    ----------
    scores : ndarray of shape (epochs, n)
        D(x).
    is_outlier : ndarray of bool, shape (n,)
        At least one of each kind.

    Returns
    -------
    ndarray of shape (epochs,)
        The share of (inlier, outlier) pairs in which the outlier has the lower D(x), ties
        counted half: equal to sklearn.metrics.roc_auc_score, which sorts one epoch a call.
        NaN where scores are.
    """
    inliers = np.sort(scores[:, ~is_outlier], axis=1)
    outliers = scores[:, is_outlier]
    above = [
        np.searchsorted(row, values, "left").mean() + np.searchsorted(row, values, "right").mean()
        for row, values in zip(inliers, outliers)
    ]
    auc = 1 - np.array(above) / (2 * inliers.shape[1])
    return np.where(np.isfinite(scores).all(axis=1), auc, np.nan)


def loss_columns(k: int | None) -> list[str]:
    """Names of the recorded losses as published; ``k`` is None for SO-GAAL."""
    sub_generators = [] if k is None else [f"sub_generator{i}_loss" for i in range(k)]
    return ["discriminator_loss", *sub_generators, "generator_loss"]


def train(
    gan: GAN | Deferred,
    algorithm: Algorithm,
    X: np.ndarray,
    *,
    orders: Iterator[np.ndarray],
    draw_noise: Callable[[int], np.ndarray],
    n_epochs: int,
    active_updates: int,
    steps_per_execution: int | str = "auto",
    is_outlier: np.ndarray | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_scores: Callable[[np.ndarray], None] | None = None,
    checkpoints: Checkpoints | None = None,
    generators: Sequence[np.random.Generator] = (),
    share_as: Hashable = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Train a GAN update by update, by either door.

    Parameters
    ----------
    gan : GAN or Deferred
        Compiled models; trained in place.
    algorithm : Algorithm
        ``SO_GAAL`` or ``MO_GAAL``.
    X : ndarray of shape (n, d), float32
        Training data, in training order.
    orders : iterator
        Yields for every epoch the row numbers of its batches, int32, shape (M, B).
    draw_noise : callable
        Takes a number of updates, returns their noise (updates, draws, B, d), float32.
    n_epochs : int
        Epochs to train.
    active_updates : int
        After so many updates the generator is frozen.
    steps_per_execution : int or "auto"
        1 enters by ``train_on_batch``, anything else by the graph.
    is_outlier : ndarray of bool, shape (n,), optional
        Known outliers, of which only each epoch's AUC is computed.
    callbacks : sequence of keras.callbacks.Callback
        Called as Keras does, at the end of every epoch with the means of its losses, and its
        AUC. What they change of the models counts from their first update on, or never.
    on_scores : callable, optional
        Given D(x) of some epochs, (epochs, n), as they come.
    checkpoints : Checkpoints, optional
        Where to go on from, and to write snapshots to.
    generators : sequence of numpy.random.Generator
        What ``orders`` and ``draw_noise`` draw from, for the snapshots.
    share_as : hashable, optional
        All that a graph depends on which neither X nor the other parameters here tell. Runs
        that are alike in it share traced programs; by default a run has its own.
    verbose : {0, 1}, default=0
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row an update: discriminator_loss, sub_generator{i}_loss (MO-GAAL), generator_loss,
        and auc, the epoch's, where ``is_outlier`` is given.
    """
    first = next(orders)
    m, batch_size = first.shape
    noise_shape = (algorithm.draws, batch_size, X.shape[1])
    scoring = is_outlier is not None or on_scores is not None
    execution = plan_execution(
        steps_per_execution, n_epochs, m, noise_shape, gan.k or 1, epoch_by_epoch=bool(callbacks)
    )
    loop = Loop(
        n_epochs,
        m,
        loss_columns(gan.k),
        "generator_loss",
        together=execution.epochs,
        batches=execution.batches,
        model=gan.combine_model if callbacks else None,  # nobody else looks at it
        callbacks=callbacks,
        checkpoints=checkpoints,
        kind=share_as and (share_as, algorithm, len(X), noise_shape, execution),
        show=shower(n_epochs, "epoch", PROGRESS, verbose=verbose, per=m) if verbose else None,
    )
    # What XLA compiles may differ in the last digit, and a longer run is the more likely to be
    # compiled.
    loop.restore(_state(gan), generators, XLA=execution.jit_compile)
    if not loop.epoch:  # else, with the generators' state restored, the right one follows
        orders = itertools.chain([first], orders)
    share_as = share_as if leave_models_alone(callbacks) else None
    settings = (batch_size, steps_per_execution, execution, m if scoring else None, share_as)
    door = None
    for n_together in loop.epochs():
        # Not before: a graph is of what callbacks have made of the models until then.
        door = door or open_door(gan, algorithm, tf.constant(X), *settings)
        order = np.stack([next(orders) for _ in range(n_together)])
        for part in loop.calls():
            batches = order[:, part]
            noise = draw_noise(batches.shape[0] * batches.shape[1])
            noise = noise.reshape(*batches.shape[:2], *noise_shape)
            *losses, scores = door(batches, noise, active_updates - loop.done, part.stop == m)
            loop.record(_columns(*losses, gan.k))
        if on_scores is not None:
            on_scores(scores)
        if is_outlier is not None:
            loop.add(auc=auc_by_epoch(scores, is_outlier))
    return loop.history()


def _state(gan: GAN | Deferred) -> Iterator:
    """All that a snapshot keeps; nothing is built where there is none to ask."""
    optimizers = (gan.discriminator.optimizer, gan.combine_model.optimizer)
    yield from (*gan.discriminator.weights, *gan.generator.weights)
    for part in ("variables", "rates"):
        yield from (v for optimizer in optimizers for v in getattr(optimizer, part))


def _columns(discriminator: np.ndarray, generators: np.ndarray, k: int | None) -> np.ndarray:
    """Losses in the order of :func:`loss_columns`, (updates, columns)."""
    generators = generators.astype(np.float64)
    each = [generators] if k else []
    return np.hstack([discriminator[:, None], *each, generators.mean(axis=1, keepdims=True)])
