"""The updates of GAAL: algorithms 1 and 2 of Liu et al., IEEE TKDE 2019, as in their programs.

Each is written once, in terms of two functions that take a compiled Keras model and a batch, with
which it trains or only tests. By which door they lead to Keras is none of its business.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from gaal import networks
from gaal.networks import GAN

Step = Callable[[keras.Model, tf.Tensor, tf.Tensor], dict]
Update = Callable[..., tuple]


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

    scores = networks.discriminate(gan.discriminator, X)
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
