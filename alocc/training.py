"""Training of ALOCC: the published updates, and the loop around them.

An update, the port's or the authors', is written once, in terms of functions that take a
compiled Keras model and a batch. It enters by one of two doors: by ``train_on_batch``, as in
the published port, or traced into a graph that runs many updates a call with the same models'
``train_step``.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from alocc.networks import Networks
from gaal_alocc import distribution, programs
from gaal_alocc.callbacks import leave_models_alone
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.loop import Loop
from gaal_alocc.progress import Progbar, tell
from gaal_alocc.steps import test_on_batch, test_step, traced_once, train_on_batch, train_step

LOSSES = ["d_loss_real", "d_loss_fake", "g_loss", "g_loss_reconstruction", "g_loss_validity"]
FIRST = ["g_loss_first", "g_loss_reconstruction_first", "g_loss_validity_first"]
PRINTED = ["d_loss_real_printed", "d_loss_fake_printed", "g_loss_printed"]
EXECUTION_BYTES = 16 * 2**20  # of images handed to one execution of the graph by "auto"


class Door(NamedTuple):
    """How an update has its models step: each takes (model, x, y) and returns Keras's logs."""

    train: Callable[[keras.Model, object, object], dict]
    test: Callable[[keras.Model, object, object], dict]


class Algorithm(NamedTuple):
    """An update, and the names of the losses that it returns."""

    update: Callable[[Networks, Door, tf.Tensor, tf.Tensor], tuple]
    losses: list[str]


def published_update(networks: Networks, door: Door, x: tf.Tensor, z: tf.Tensor) -> tuple:
    """One update of R and D (Sabokrou et al., 2018, equations 1 to 4), as in the Keras port.

    D takes a step on the batch and another on R's output; then R takes two through the
    frozen D, for its reconstruction and for D's approval.

    Parameters
    ----------
    networks : Networks
        Compiled models.
    door : Door
        How they step.
    x : Tensor of shape (B, height, width, channels)
        The batch.
    z : Tensor of the same shape
        Its noisy copy.

    Returns
    -------
    tuple of scalars
        In the order of ``LOSSES``; those of R are of its second step.
    """
    ones, zeros = tf.ones((x.shape[0], 1), x.dtype), tf.zeros((x.shape[0], 1), x.dtype)
    fake = distribution.by_rows(lambda z: networks.generator(z, training=False), z)
    d_loss_real = door.train(networks.discriminator, x, ones)["loss"]
    d_loss_fake = door.train(networks.discriminator, fake, zeros)["loss"]
    door.train(networks.adversarial_model, z, [x, ones])
    g_loss = door.train(networks.adversarial_model, z, [x, ones])
    return (d_loss_real, d_loss_fake, *_of_generator(g_loss))


def authors_update(networks: Networks, door: Door, x: tf.Tensor, z: tf.Tensor) -> tuple:
    """One update of R and D, as in the authors' own program.

    D takes one step on the batch and on R's output together. R takes two, for D's approval
    and for a reconstruction of the noisy image itself. Then the losses are computed once more
    to be printed, which moves the statistics of all normalisation.

    Parameters
    ----------
    networks, door, x, z
        See :func:`published_update`.

    Returns
    -------
    tuple of scalars
        In the order of ``LOSSES``, those of R of its second step; then those of its first,
        in the order of ``FIRST``, and those of ``PRINTED``.
    """
    ones, zeros = tf.ones((x.shape[0], 1), x.dtype), tf.zeros((x.shape[0], 1), x.dtype)
    d_loss = door.train(networks.discriminator_model, [x, z], [ones, zeros])
    first = door.train(networks.adversarial_model, z, [z, ones])
    g_loss = door.train(networks.adversarial_model, z, [z, ones])
    d_printed = door.test(networks.discriminator_model, [x, z], [ones, zeros])
    g_printed = door.test(networks.adversarial_model, z, [z, ones])
    return (
        d_loss["real_loss"],
        d_loss["fake_loss"],
        *_of_generator(g_loss),
        *_of_generator(first),
        d_printed["real_loss"],
        d_printed["fake_loss"],
        g_printed["loss"],
    )


def _of_generator(logs: dict) -> tuple:
    return logs["loss"], logs["reconstruction_loss"], logs["validity_loss"]


PUBLISHED = Algorithm(published_update, LOSSES)
ALGORITHMS = {
    "published": PUBLISHED,
    "corrected": PUBLISHED,
    "authors": Algorithm(authors_update, [*LOSSES, *FIRST, *PRINTED]),
}


def by_batch(
    networks: Networks, algorithm: Algorithm = PUBLISHED, share_as: Hashable = None
) -> Callable:
    """Open the first door: every step goes through ``train_on_batch``; see :func:`fused`."""
    door = Door(train_on_batch, test_on_batch)
    models = (networks.discriminator, networks.discriminator_model, networks.adversarial_model)
    steps = programs.SharedSteps(share_as, models, networks.variables())

    def execute(x, z):
        pairs = zip(tf.convert_to_tensor(x), tf.convert_to_tensor(z))
        with steps:
            return np.array([algorithm.update(networks, door, *pair) for pair in pairs])

    return execute


def fused(
    networks: Networks,
    batch_size: int,
    algorithm: Algorithm = PUBLISHED,
    share_as: Hashable = None,
) -> Callable:
    """Open the second door: a graph that runs the same update many times a call; see :func:`train`.

    It takes x and z, batches of images and their noisy copies, (M, B, height, width, channels), and
    returns the losses of the M updates, (M, len(algorithm.losses)).
    """
    door = Door(traced_once(train_step), traced_once(test_step))
    dtype = networks.generator.inputs[0].dtype
    shape = (None, batch_size, *networks.generator.input_shape[1:])
    signature = [tf.TensorSpec(shape, dtype)] * 2

    # Plain graph: XLA's convolutions are slower than TensorFlow's own.
    @tf.function(input_signature=signature)
    def run(x, z):
        n_updates = tf.shape(x)[0]
        losses = tf.TensorArray(dtype, n_updates, element_shape=(len(algorithm.losses),))
        for i in tf.range(n_updates):
            losses = losses.write(i, tf.stack(algorithm.update(networks, door, x[i], z[i])))
        return losses.stack()

    key = share_as and (share_as, "fused", algorithm.update, *signature)
    graph = programs.shared(key, lambda: programs.Program(run, networks.variables()))
    variables = networks.variables()
    return lambda x, z: graph(variables, x, z)


def updates_per_execution(
    steps_per_execution: int | str, batches_per_epoch: int, bytes_per_update: int
) -> int:
    """How many updates one call of a door may run: at most an epoch.

    "auto" takes as many as have their images in 16 MiB: the call's own cost has long vanished by
    then, and the device need not hold all.
    """
    if steps_per_execution == "auto":
        steps_per_execution = EXECUTION_BYTES // bytes_per_update
    return max(1, min(steps_per_execution, batches_per_epoch))


def train(
    networks: Networks,
    x: np.ndarray,
    z: np.ndarray,
    *,
    algorithm: Algorithm = PUBLISHED,
    batch_size: int,
    n_epochs: int,
    steps_per_execution: int | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_epoch: Callable[[int, dict], None] | None = None,
    checkpoints: Checkpoints | None = None,
    share_as: Hashable = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Train R and D update by update, by either door.

    Batches are taken in order and never reshuffled; the last is dropped where it is not full.

    Parameters
    ----------
    networks : Networks
        Compiled models; trained in place.
    x, z : ndarray of shape (n, height, width, channels), of the networks' float type
        Images, and their noisy copies, in [0, 1].
    algorithm : Algorithm, default=PUBLISHED
        Whose update to make.
    batch_size : int
        B, at most n.
    n_epochs : int
        Epochs to train.
    steps_per_execution : int or "auto"
        1 enters by ``train_on_batch``, anything else by the graph.
    callbacks : sequence of keras.callbacks.Callback
        Called as Keras does, at the end of every epoch with the means of its losses. They see
        the adversarial model, and may set its ``stop_training``. What they change of the models
        counts from their first update on, or never.
    on_epoch : callable, optional
        Given the epoch's number, from 0, and the means of its losses, before the callbacks.
    checkpoints : Checkpoints, optional
        Where to go on from, and to write snapshots to.
    share_as : hashable, optional
        All that a graph depends on which the other parameters here do not tell. Runs that are
        alike in it share traced programs; by default a run has its own.
    verbose : {0, 1}, default=0
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row an update: the algorithm's losses, and epoch, from 0.
    """
    m = len(x) // batch_size
    x = x[: m * batch_size].reshape(m, batch_size, *x.shape[1:])
    z = z[: m * batch_size].reshape(x.shape)
    model = networks.adversarial_model
    loop = Loop(
        n_epochs,
        m,
        algorithm.losses,
        "g_loss",
        batches=updates_per_execution(steps_per_execution, m, x[:1].nbytes + z[:1].nbytes),
        model=model,
        callbacks=callbacks,
        checkpoints=checkpoints,
        kind=share_as and (share_as, algorithm.update, x.shape[1:]),
        show=_bars(n_epochs, m, algorithm.losses, verbose) if verbose else None,
    )
    # One optimizer for both; the moving statistics and their count t are weights of R and D.
    loop.restore(
        [
            *networks.generator.weights,
            *networks.discriminator.weights,
            *model.optimizer.variables,
            *getattr(model.optimizer, "rates", []),
        ]
    )
    execute = None
    for _ in loop.epochs():
        if execute is None:  # a graph is of what callbacks have made of the models until now
            share_as = share_as if leave_models_alone(callbacks) else None
            if steps_per_execution == 1:
                execute = by_batch(networks, algorithm, share_as)
            else:
                execute = fused(networks, batch_size, algorithm, share_as)
        for part in loop.calls():
            loop.record(np.asarray(execute(x[part], z[part])))
        if on_epoch is not None:
            on_epoch(loop.epoch, loop.logs())
    history = loop.history()
    return history.assign(epoch=np.arange(len(history)) // m)


def _bars(
    n_epochs: int, n_batches: int, losses: Sequence[str], verbose: int
) -> Callable[[int, dict, bool], None]:
    bar = None

    def show(done: int, logs: dict[str, float], last: bool) -> None:
        nonlocal bar
        epoch, batch = divmod(done, n_batches)
        if not logs:
            tell(f"Epoch {epoch + 1}/{n_epochs}")
            bar = Progbar(n_batches, verbose=verbose, stateful_metrics=losses)
        else:
            bar.update(batch or n_batches, list(logs.items()))

    return show
