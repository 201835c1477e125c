"""Training of GAAL: one published update for each algorithm, and the loop around it.

An update is written once, in terms of two functions that take a compiled Keras model and a
batch. It enters by one of two doors: by ``train_on_batch``, as in the published programs, or
traced into a graph that runs many updates a call with the same models' ``train_step``.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from gaal.networks import GAN, Deferred
from gaal_alocc import distribution, programs
from gaal_alocc.callbacks import leave_models_alone
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.loop import Loop
from gaal_alocc.progress import Progbar
from gaal_alocc.steps import test_on_batch, test_step, train_on_batch, train_step

Step = Callable[[keras.Model, tf.Tensor, tf.Tensor], dict]
Update = Callable[..., tuple]

SCORE_BLOCK = 8192  # rows that D scores at a time: bounds the memory of its hidden layer
NOISE_BYTES = 32 * 2**20  # of noise drawn ahead for one execution of the graph
PROGRESS = ["discriminator_loss", "generator_loss", "auc"]  # shown on the progress bar
# XLA costs a second or two, once for all runs of a shape, and saves up to half a millisecond an
# update; on more numbers than these its matrix products are slower than the plain graph's.
XLA_UPDATES = 1000
XLA_NUMBERS = 2**14


def discriminate(discriminator: keras.Model, X: tf.Tensor) -> tf.Tensor:
    """D(x) of all rows, shape (n,): every replica a share of them, a block at a time."""
    return distribution.by_rows(functools.partial(_discriminate, discriminator), X)


def _discriminate(discriminator: keras.Model, X: tf.Tensor) -> tf.Tensor:
    n = X.shape[0]
    if n <= SCORE_BLOCK:
        return tf.reshape(discriminator(X), (-1,))
    whole = n - n % SCORE_BLOCK
    scores = tf.map_fn(
        lambda block: tf.reshape(discriminator(block), (SCORE_BLOCK,)),
        tf.reshape(X[:whole], (-1, SCORE_BLOCK, X.shape[1])),
        parallel_iterations=1,
    )
    rest = tf.reshape(discriminator(X[whole:]), (-1,))
    return tf.concat([tf.reshape(scores, (-1,)), rest], 0)


def train_discriminator(gan: GAN, train: Step, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """One step of D on [real, fake] with labels 1 and 0; the mean loss over all 2B rows."""
    labels = tf.concat([tf.ones((real.shape[0], 1)), tf.zeros((fake.shape[0], 1))], 0)
    return train(gan.discriminator, tf.concat([real, fake], 0), labels)["loss"]


def _train_or_test(active, train: Step, test: Step, *batch) -> dict:
    if isinstance(active, bool):  # no branch in the graph, which costs XLA copies of all weights
        return train(*batch) if active else test(*batch)
    return tf.cond(active, lambda: train(*batch), lambda: test(*batch))


@tf.autograph.experimental.do_not_convert  # nothing to convert: tf.cond is in its place
def so_gaal_update(
    gan: GAN, train: Step, test: Step, X: tf.Tensor, real: tf.Tensor, noise: tf.Tensor, active
) -> tuple[tf.Tensor, tf.Tensor]:
    """One update of SO-GAAL (Liu et al., 2019, algorithm 1).

    Parameters
    ----------
    gan : GAN
        Compiled models.
    train, test : callable
        Take (model, x, y) and return Keras's logs, with or without a step of the optimiser.
    X : Tensor of shape (n, d)
        All rows; SO-GAAL does not look at them.
    real : Tensor of shape (B, d)
        This update's batch.
    noise : Tensor of shape (1, B, d)
        z, uniform in [0, 1).
    active : bool or scalar Tensor
        Whether the generator still trains. Its loss is evaluated all the same.

    Returns
    -------
    discriminator_loss : scalar
    generator_loss : of shape (1,)
    """
    z = noise[0]
    discriminator_loss = train_discriminator(gan, train, real, gan.generator(z))
    trick = tf.ones((z.shape[0], 1))
    logs = _train_or_test(active, train, test, gan.combine_model, z, trick)
    return discriminator_loss, tf.reshape(logs["loss"], (1,))


def noise_rows(batch_size: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Share the rows of noise out among the sub-generators, the more the lower its rank.

    Parameters
    ----------
    batch_size : int
        B, the rows of noise.
    k : int
        Number of sub-generators.

    Returns
    -------
    rows : ndarray of int, shape (k, P)
        The rows of noise of each sub-generator, padded with row 0 to the largest share P.
    used : ndarray of int, shape (B,)
        Where in the flattened (k * P,) padded outputs the B rows lie, in order.

    Raises
    ------
    ValueError
        If the batch is too small to give every sub-generator a row.
    """
    block = k * (k + 1) // 2
    q = batch_size // block
    if q == 0:
        raise ValueError(
            f"k={k} sub-generators share a batch of {batch_size} rows, but need at least"
            f" k(k+1)/2 = {block}: use a smaller k, or more rows."
        )
    starts = [int((k + (k - i + 1)) * i / 2 * q) for i in range(k)]
    shares = np.diff([*starts, batch_size])
    inside = np.arange(shares.max()) < shares[:, None]
    rows = np.zeros(inside.shape, np.int32)
    rows[inside] = np.arange(batch_size)
    return rows, np.flatnonzero(inside).astype(np.int32)


def quantiles(scores: tf.Tensor, shares: np.ndarray) -> tf.Tensor:
    """Quantiles of scores, linear between two of them, as NumPy's and Keras's.

    Keras's own hold a NaN, to choose it where scores are NaN: tf.debugging's check finds it.

    Parameters
    ----------
    scores : Tensor of shape (n,)
    shares : ndarray of shape (k,), float64
        In [0, 1].

    Returns
    -------
    Tensor of shape (k,)
        NaN, all of them, where a score is.
    """
    position = (scores.shape[0] - 1) * shares
    low = np.maximum(np.ceil(position).astype(np.int32) - 1, 0)
    high = np.minimum(low + 1, scores.shape[0] - 1)
    weight = tf.constant(high - position, scores.dtype)
    ranked = tf.sort(scores)
    between = tf.gather(ranked, high) * (1 - weight) + tf.gather(ranked, low) * weight
    return between + 0 * tf.reduce_sum(scores)  # where a NaN is ranked is left open


@tf.autograph.experimental.do_not_convert
def mo_gaal_update(
    gan: GAN, train: Step, test: Step, X: tf.Tensor, real: tf.Tensor, noise: tf.Tensor, active
) -> tuple[tf.Tensor, tf.Tensor]:
    """One update of MO-GAAL (Liu et al., 2019, algorithm 2).

    The target of sub-generator i is the quantile i/k of D(x) over the rows X, so that each is
    drawn to a part of the data of its own.

    Parameters
    ----------
    gan : GAN
        Compiled models, the generator a stack of k sub-generators.
    train, test : callable
        Take (model, x, y) and return Keras's logs, with or without a step of the optimiser.
    X : Tensor of shape (n, d)
        All rows, as published, or some of them.
    real : Tensor of shape (B, d)
        This update's batch.
    noise : Tensor of shape (2, B, d)
        z for the potential outliers, then a fresh z for the sub-generators' step.
    active : bool or scalar Tensor
        Whether the sub-generators still train. Their losses are evaluated all the same.

    Returns
    -------
    discriminator_loss : scalar
    sub_generator_losses : of shape (k,)
    """
    k, _, n_features = gan.generator.input_shape
    batch_size = real.shape[0]
    rows, used = noise_rows(batch_size, k)
    made = tf.reshape(gan.generator(tf.gather(noise[0], rows)), (-1, n_features))
    discriminator_loss = train_discriminator(gan, train, real, tf.gather(made, used))

    scores = discriminate(gan.discriminator, X)
    # Shares of float32's precision, as the published program's.
    targets = quantiles(scores, (np.arange(k, dtype=np.float32) / k).astype(np.float64))
    trick = tf.broadcast_to(targets[:, None, None], (k, batch_size, 1))
    z = tf.broadcast_to(noise[1], (k, batch_size, n_features))
    logs = _train_or_test(active, train, test, gan.combine_model, z, trick)
    return discriminator_loss, tf.convert_to_tensor(logs["sub_generator_loss"])


@dataclass(frozen=True)
class Algorithm:
    """What tells SO-GAAL and MO-GAAL apart: update, draws of noise, and the stop check.

    An update looks at the first ``sample_size`` rows of X, as good as drawn: rows are
    shuffled. As published at all. Where nothing ``stops`` the generator, a graph has no branch
    for it.
    """

    update: Update
    draws: int
    checks_stop_after_every_batch: bool
    sample_size: int | None = None
    stops: bool = True

    def active_updates(
        self, stop_epochs: int, batches_per_epoch: int, n_epochs: int, whether_stop: bool
    ) -> int:
        """Count the updates in which the generator trains.

        SO-GAAL's program looks whether to stop after the epochs beyond ``stop_epochs``,
        MO-GAAL's after every batch in them.
        """
        if not whether_stop:
            return n_epochs * batches_per_epoch
        if self.checks_stop_after_every_batch:
            return stop_epochs * batches_per_epoch + 1
        return (stop_epochs + 1) * batches_per_epoch


SO_GAAL = Algorithm(so_gaal_update, draws=1, checks_stop_after_every_batch=False)
MO_GAAL = Algorithm(mo_gaal_update, draws=2, checks_stop_after_every_batch=True)


def by_batch(
    gan: GAN,
    algorithm: Algorithm,
    X: tf.Tensor,
    score_epochs: bool,
    share_as: Hashable = None,
) -> Callable:
    """Open the first door: every update goes through ``train_on_batch``; see :func:`fused`."""
    models = (gan.discriminator, gan.combine_model)
    steps = programs.SharedSteps(share_as, models, gan.variables())
    seen = X[: algorithm.sample_size]

    def execute(order, noise, active_updates, whole=True):
        losses, scores = [], []
        with steps:
            for rows, draws in zip(order, noise):
                for batch, z in zip(rows, draws):
                    real, z = tf.gather(X, batch), tf.constant(z)
                    active = len(losses) < active_updates
                    losses.append(
                        algorithm.update(gan, train_on_batch, test_on_batch, seen, real, z, active)
                    )
                if score_epochs and whole:
                    scores.append(discriminate(gan.discriminator, X))
        discriminator_losses, generator_losses = zip(*losses)
        return np.stack(discriminator_losses), np.stack(generator_losses), np.array(scores)

    return execute


def fused(
    gan: GAN | Deferred,
    algorithm: Algorithm,
    X: tf.Tensor,
    batch_size: int,
    score_epochs: bool,
    room: tuple[int, int] | None = None,
    share_as: Hashable = None,
) -> Callable:
    """Open the second door: a graph that runs the same update many times a call.

    Parameters
    ----------
    gan, algorithm, share_as
        See :func:`train`.
    X : Tensor of shape (n, d)
        All rows.
    batch_size : int
        B.
    score_epochs : bool
        Whether D(x) of all rows is wanted.
    room : (E, M), optional
        Compile the graph with XLA, for so many epochs and batches at most: it compiles anew for
        every shape, so that arrays are padded to it.

    Returns
    -------
    callable
        Takes order (E, M, B), the row numbers of each batch; noise (E, M, draws, B, d), or more;
        active_updates, after how many of them the generator stops; and whether D(x) is wanted
        this time. Returns D's losses (E * M,), the generators' (E * M, k), and D(x) after each
        epoch, (E, n).
    """
    k = gan.k or 1
    n, n_features = X.shape
    dtype = X.dtype
    count = tf.TensorSpec((), tf.int32)
    jit_compile = room is not None
    signature = [
        tf.TensorSpec((n, n_features), dtype),
        tf.TensorSpec((None, None, batch_size), tf.int32),
        tf.TensorSpec((None, None, algorithm.draws, batch_size, n_features), dtype),
        count,
        count,
        count,
        tf.TensorSpec((), tf.bool),
    ]

    @tf.function(input_signature=signature, jit_compile=jit_compile)
    def run(X, order, noise, n_epochs, n_batches, active_updates, whole):
        seen = X[: algorithm.sample_size]
        slots = tf.shape(order)[0] * tf.shape(order)[1]
        discriminator_losses = tf.TensorArray(dtype, slots, element_shape=())
        generator_losses = tf.TensorArray(dtype, slots, element_shape=(k,))
        scores = tf.TensorArray(dtype, tf.shape(order)[0], element_shape=(n,))
        # Two loops, not one with a condition: XLA would copy all scores every update. Counted
        # by hand: the length of a tf.range would make XLA compile anew for every n_epochs.
        i = epoch = tf.constant(0)
        while epoch < n_epochs:
            batch = tf.constant(0)
            while batch < n_batches:
                real, z = tf.gather(X, order[epoch, batch]), noise[epoch, batch]
                active = i < active_updates if algorithm.stops else True
                discriminator_loss, generator_loss = algorithm.update(
                    gan, train_step, test_step, seen, real, z, active
                )
                # Keras's losses are of its default type, which may be another than the networks'.
                discriminator_losses = discriminator_losses.write(
                    i, tf.cast(discriminator_loss, dtype)
                )
                generator_losses = generator_losses.write(i, tf.cast(generator_loss, dtype))
                i += 1
                batch += 1
            if score_epochs:
                found = tf.cond(
                    whole,
                    lambda: discriminate(gan.discriminator, X),
                    lambda: tf.zeros((n,), dtype),
                )
                scores = scores.write(epoch, found)
            epoch += 1
        return discriminator_losses.stack(), generator_losses.stack(), scores.stack()

    key = share_as and (share_as, "fused", algorithm, *signature, score_epochs, jit_compile)
    program = programs.shared(key, lambda: programs.Program(run, gan.variables()))

    def execute(order, noise, active_updates, whole=True):
        n_epochs, n_batches = order.shape[:2]
        if jit_compile:
            order, noise = _padded(order, *room), _padded(noise, *room)
        counts = (n_epochs, n_batches, active_updates)
        results = program(gan.variables(program), X, order, noise, *counts, whole)
        n_updates = n_epochs * n_batches
        d_losses, g_losses, scores = (result.numpy() for result in results)
        return d_losses[:n_updates], g_losses[:n_updates], scores[:n_epochs]

    return execute


def _padded(array: np.ndarray, n_epochs: int, n_batches: int) -> np.ndarray:
    if array.shape[:2] == (n_epochs, n_batches):
        return array
    padded = np.zeros((n_epochs, n_batches, *array.shape[2:]), array.dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded


def scorer(gan: GAN | Deferred, X: tf.Tensor, share_as: Hashable = None) -> Callable:
    """Make D(x) of all rows, (n,), of what it is between two calls of a door."""
    rows = tf.TensorSpec(X.shape, X.dtype)
    graph = tf.function(lambda X: discriminate(gan.discriminator, X), input_signature=[rows])
    key = share_as and (share_as, "scores", rows)
    program = programs.shared(key, lambda: programs.Program(graph, gan.variables()))
    return lambda: program(gan.variables(program), X)


def open_door(
    gan: GAN | Deferred,
    algorithm: Algorithm,
    X: tf.Tensor,
    batch_size: int,
    steps_per_execution: int | str,
    execution: Execution,
    scores_of: int | None,
    share_as: Hashable,
) -> Callable:
    """Open the door that ``steps_per_execution`` asks for, see :func:`train`.

    Parameters
    ----------
    gan, algorithm, X, batch_size, steps_per_execution, share_as
        See :func:`fused`.
    execution : Execution
        The most that a call is to run.
    scores_of : int, optional
        After how many batches, those of an epoch, D(x) of all rows is wanted.

    Returns
    -------
    callable
        See :func:`fused`. D(x) comes from the same call where that can hold an epoch.
    """
    inside = scores_of == execution.batches
    if steps_per_execution == 1:
        door = by_batch(gan, algorithm, X, inside, share_as)
    else:
        room = (execution.epochs, execution.batches) if execution.jit_compile else None
        door = fused(gan, algorithm, X, batch_size, inside, room, share_as)
    if inside or scores_of is None:
        return door
    score = scorer(gan, X, share_as)

    def execute(order, noise, active_updates, whole=True):
        *losses, _ = door(order, noise, active_updates, whole)
        return *losses, score().numpy()[None] if whole else None

    return execute


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


@dataclass(frozen=True)
class Execution:
    """How many updates one call of a door may run, and whether XLA compiles them.

    ``epochs`` epochs of ``batches`` batches; where ``batches`` is less than a whole epoch,
    ``epochs`` is 1.
    """

    epochs: int
    batches: int
    jit_compile: bool


def plan_execution(
    steps_per_execution: int | str,
    n_epochs: int,
    batches_per_epoch: int,
    noise_shape: tuple[int, int, int],
    k: int,
    epoch_by_epoch: bool,
) -> Execution:
    """Choose what one call of a door runs.

    Parameters
    ----------
    steps_per_execution : int or "auto"
        Updates a call, rounded down to whole epochs where it holds one or more. "auto" takes
        1000, and XLA where the run is long enough to pay back its compilation and its arrays
        are so small that the overhead of single operations is what costs.
    n_epochs, batches_per_epoch : int
        The whole run.
    noise_shape : tuple of int
        (draws, B, d): the noise of one update, which is made ahead.
    k : int
        Number of generators.
    epoch_by_epoch : bool
        Whether somebody looks at the models after every epoch.

    Returns
    -------
    Execution
    """
    total = n_epochs * batches_per_epoch
    draws, batch_size, n_features = noise_shape
    bytes_per_update = 4 * batch_size * (draws * n_features + 1)
    jit_compile = False
    steps = steps_per_execution
    if steps_per_execution == "auto":
        steps = 1000
        small = k * batch_size * n_features <= XLA_NUMBERS
        # XLA does not compile for several devices, nor what a debugger adds.
        pays = total >= XLA_UPDATES and small
        jit_compile = pays and not tf.distribute.has_strategy() and not programs.debuggers()
    steps = max(1, min(steps, NOISE_BYTES // bytes_per_update, total))
    if steps < batches_per_epoch:
        return Execution(1, steps, jit_compile)
    epochs = 1 if epoch_by_epoch else steps // batches_per_epoch
    return Execution(epochs, batches_per_epoch, jit_compile)


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
        show=_bar(n_epochs, m, verbose) if verbose else None,
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


def _bar(n_epochs: int, n_batches: int, verbose: int) -> Callable[[int, dict, bool], None]:
    bar = Progbar(n_epochs, verbose=verbose, unit_name="epoch", stateful_metrics=PROGRESS)

    def show(done: int, logs: dict[str, float], last: bool) -> None:
        shown = [(name, logs[name]) for name in PROGRESS if name in logs]
        bar.update(done / n_batches, shown, finalize=last)

    return show
