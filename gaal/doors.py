"""The two doors by which an update of GAAL enters, and how many of them go through at a call.

By the first every update goes through ``train_on_batch``, as in the published programs. By the
second a graph runs many of them, with the same models' ``train_step``.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gaal import networks
from gaal.networks import GAN, Deferred
from gaal.updates import Algorithm
from gaal_alocc import programs
from gaal_alocc.steps import test_on_batch, test_step, train_on_batch, train_step

NOISE_BYTES = 32 * 2**20  # of noise drawn ahead for one execution of the graph
# XLA costs a second or two, once for all runs of a shape, and saves up to half a millisecond an
# update; on more numbers than these its matrix products are slower than the plain graph's.
XLA_UPDATES = 1000
XLA_NUMBERS = 2**14


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
    """Choose what one call of a door runs, of so many epochs of so many batches.

    ``steps_per_execution`` is rounded down to whole epochs where it holds one or more. "auto" takes
    1000, and XLA where the run is long enough to pay back its compilation and its arrays are so
    small that the overhead of single operations is what costs. ``noise_shape`` is of the noise of
    one update, (draws, B, d), which is made ahead, and k the number of generators; with
    ``epoch_by_epoch`` somebody looks at the models after every epoch.
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


def by_batch(
    gan: GAN,
    algorithm: Algorithm,
    X: tf.Tensor,
    score_epochs: bool,
    share_as: Hashable = None,
) -> Callable:
    """Open the first door: every update goes through ``train_on_batch``; see :func:`open_door`."""
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
                    scores.append(networks.discriminate(gan.discriminator, X))
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

    See :func:`open_door`. With ``room``, (epochs, batches), XLA compiles the graph, anew for every
    shape: arrays are padded to it.
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
                    lambda: networks.discriminate(gan.discriminator, X),
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
    graph = tf.function(
        lambda X: networks.discriminate(gan.discriminator, X), input_signature=[rows]
    )
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
    """Open the door that ``steps_per_execution`` asks for: 1 the first, anything else the second.

    ``execution`` is the most that a call is to run, ``scores_of`` after how many batches, those of
    an epoch, D(x) of all rows X, (n, d), is wanted; for the rest see :func:`gaal.training.train`.

    The door takes order (E, M, B), the row numbers of each batch; noise (E, M, draws, B, d), or
    more; active_updates, after how many of them the generator stops; and whether D(x) is wanted
    this time. It returns D's losses (E * M,), the generators' (E * M, k), and D(x) after each
    epoch, (E, n), from the same call where that can hold an epoch.
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
