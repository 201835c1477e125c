"""What the ports do otherwise than the published programs, each thing a switch of its own.

A switch is a set of constructor parameters of SOGAAL and MOGAAL, or a mixin where there is no
such parameter. Switches combine, so that a whole port can be put together from them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from gaal import MOGAAL, SOGAAL, networks, training

SO, MO = "so-gaal", "mo-gaal"
DETECTORS = {SO: SOGAAL, MO: MOGAAL}
LR_D = 0.01  # as published


def uniform_biases(model: keras.Model, seed) -> None:
    """Draw all biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as PyTorch's Linear does."""
    rng = np.random.default_rng(seed)
    weights = model.get_weights()
    for kernel, bias in zip(weights[::2], weights[1::2]):
        bound = 1 / math.sqrt(kernel.shape[-2])
        bias[...] = rng.uniform(-bound, bound, bias.shape)
    model.set_weights(weights)


class HeNormal:
    """D's kernels as PyOD draws them: N(0, 2/fan_in), then N(0, 1/fan_in), not truncated."""

    def _build_discriminator(self, n_features, n_samples, seed):
        discriminator = super()._build_discriminator(n_features, n_samples, seed)
        rng = np.random.default_rng(seed)
        weights = discriminator.get_weights()
        for kernel, gain in zip(weights[::2], (2, 1)):
            kernel[...] = rng.normal(0, math.sqrt(gain / len(kernel)), kernel.shape)
        discriminator.set_weights(weights)
        return discriminator


class DiscriminatorBiases:
    """D's biases start at random, as PyTorch's layers do where nobody sets them."""

    def _build_discriminator(self, n_features, n_samples, seed):
        discriminator = super()._build_discriminator(n_features, n_samples, seed)
        uniform_biases(discriminator, [seed, 1])
        return discriminator


class GeneratorBiases:
    """G's biases start at random, as PyTorch's layers do where nobody sets them."""

    def _build_generator(self, n_features):
        generator = super()._build_generator(n_features)
        uniform_biases(generator, self.random_state)
        return generator


class UpsideDown:
    """D(x) taken for the outlier score."""

    def fit(self, X, y=None, callbacks=()):
        super().fit(X, y, callbacks)
        if "auc" in self.history_:
            self.history_["auc"] = 1 - self.history_["auc"]
        return self

    def score_samples(self, X):
        return 1 - super().score_samples(X)


class Standardised:
    """The features to mean 0 and variance 1, the noise still in [0, 1)."""

    def fit(self, X, y=None, callbacks=()):
        self.standard_scaler_ = StandardScaler().fit(X)
        return super().fit(self.standard_scaler_.transform(X), y, callbacks)

    def score_samples(self, X):
        return super().score_samples(self.standard_scaler_.transform(X))


def generator_for(epochs: int) -> type:
    """Make a mixin by which the generator trains for the first epochs only."""

    class Algorithm(training.Algorithm):
        def active_updates(self, stop_epochs, batches_per_epoch, n_epochs, whether_stop):
            return epochs * batches_per_epoch

    class GeneratorFor:
        @property
        def _algorithm(self):
            return Algorithm(**vars(super()._algorithm))

    return GeneratorFor


@tf.autograph.experimental.do_not_convert
def own_share_update(gan, train, test, X, real, noise, active):
    """One update of MO-GAAL in which no fresh noise is drawn for the sub-generators' step.

    Each learns from its own rows of the noise that made the potential outliers, some tens of
    them, and not from a whole batch. Parameters and returns as of
    :func:`gaal.training.mo_gaal_update`, whose second draw of noise is left alone.
    """
    k, _, n_features = gan.generator.input_shape
    rows, used = training.noise_rows(real.shape[0], k)
    owner = used // rows.shape[1]
    z = tf.gather(noise[0], rows)
    made = tf.reshape(gan.generator(z), (-1, n_features))
    discriminator_loss = training.train_discriminator(gan, train, real, tf.gather(made, used))
    scores = networks.discriminate(gan.discriminator, X)
    targets = keras.ops.quantile(scores, np.arange(k, dtype=np.float32) / k)

    def losses():
        p = tf.gather(tf.reshape(gan.combine_model(z), (-1,)), used)
        p = tf.clip_by_value(p, keras.config.epsilon(), 1 - keras.config.epsilon())
        t = tf.gather(targets, owner)
        cross_entropy = -t * tf.math.log(p) - (1 - t) * tf.math.log(1 - p)
        return tf.math.segment_mean(cross_entropy, tf.constant(owner))

    def step():
        weights = gan.combine_model.trainable_weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([w.value for w in weights])
            values = losses()
            total = tf.reduce_sum(values)
        gradients = tape.gradient(total, [w.value for w in weights])
        gan.combine_model.optimizer.apply(gradients, weights)
        return values

    return discriminator_loss, tf.cond(active, step, losses)


class OwnShareOfNoise:
    """Sub-generators learn from their own share of the noise that D has just seen."""

    @property
    def _algorithm(self):
        return training.Algorithm(**{**vars(super()._algorithm), "update": own_share_update})


def with_short_batch(algorithm: training.Algorithm) -> training.Algorithm:
    """After an epoch's last whole batch, make one more update on the rows left over.

    The rows are those after the last whole batch in training order, with noise of their own.
    """
    draws = algorithm.draws
    made = tf.Variable(0, trainable=False)  # updates on whole batches so far

    @tf.autograph.experimental.do_not_convert
    def update(gan, train, test, X, real, noise, active):
        losses = algorithm.update(gan, train, test, X, real, noise[:draws], active)
        batch_size = real.shape[0]
        batches, left = divmod(X.shape[0], batch_size)
        if not left:
            return losses

        def short():
            z = noise[draws:, :left]
            algorithm.update(gan, train, test, X, X[batches * batch_size :], z, active)
            return True

        tf.cond(made.assign_add(1) % batches == 0, short, lambda: False)
        return losses

    return type(algorithm)(**{**vars(algorithm), "update": update, "draws": 2 * draws})


class ShortBatch:
    """What is left over after the last whole batch makes a short one, not trained on if none."""

    @property
    def _algorithm(self):
        return with_short_batch(super()._algorithm)


@dataclass(frozen=True)
class Departure:
    """One thing that a port does otherwise.

    ``parameters`` are of both detectors; ``algorithms`` are those in which it makes sense.
    """

    what: str
    parameters: dict = field(default_factory=dict)
    mixin: type | None = None
    algorithms: tuple[str, ...] = (SO, MO)


DEPARTURES = {
    "upside_down": Departure("D(x) is the outlier score", mixin=UpsideDown),
    # SGD with momentum is linear in loss times rate: the same numbers as with the loss doubled.
    "loss_summed": Departure(
        "D's loss is the sum of its two halves, not their mean", {"lr_d": 2 * LR_D}
    ),
    "no_decay": Departure("the learning rates do not decay", {"decay": 0}),
    "he_normal": Departure("D's kernels He-normal, not truncated", mixin=HeNormal),
    "discriminator_biases": Departure(
        "D's biases start in U(-1, 1)/sqrt(fan_in)", mixin=DiscriminatorBiases
    ),
    "generator_biases": Departure(
        "G's biases start in U(-1, 1)/sqrt(fan_in)", mixin=GeneratorBiases
    ),
    "shuffle": Departure("new batches every epoch", {"shuffle": True}),
    "short_batch": Departure("the last, short batch is trained on too", mixin=ShortBatch),
    "own_share": Departure(
        "a sub-generator's step on its own share of D's noise, not on a fresh batch",
        mixin=OwnShareOfNoise,
        algorithms=(MO,),
    ),
    "one_epoch": Departure("the generator stops after one epoch", mixin=generator_for(1)),
    "frozen": Departure("the generator never trains", mixin=generator_for(0)),
    "standardised": Departure("data standardised, noise still in [0, 1)", mixin=Standardised),
    "glorot_uniform": Departure(
        "D's kernels Glorot-uniform", {"discriminator_init": "glorot_uniform"}
    ),
    "discriminator_bias": Departure("D's biases start at 0.01", {"discriminator_bias": 0.01}),
    "generator_bias_1e-5": Departure("G's biases start at 1e-5", {"generator_bias": 1e-5}),
    "generator_bias_1": Departure("G's biases start at 1", {"generator_bias": 1.0}),
}

_TORCH = ("no_decay", "he_normal", "discriminator_biases", "generator_biases", "shuffle")
_POST = ("no_decay", "glorot_uniform", "discriminator_bias", "shuffle")
PORTS = {
    "PyOD SO_GAAL": (SO, ("loss_summed", *_TORCH, "short_batch")),
    "PyOD MO_GAAL": (MO, (*_TORCH, "own_share", "short_batch")),
    "PyOD so_gaal_new": (SO, ("loss_summed", *_TORCH, "standardised", "frozen")),
    "PyTorch post, bias 1e-5": (SO, (*_POST, "generator_bias_1e-5")),
    "PyTorch post, bias 1": (SO, (*_POST, "generator_bias_1")),
}
"""The departures of each port that bear on training, score direction aside."""


def departed(algorithm: str, names: Iterable[str] = (), **parameters) -> SOGAAL | MOGAAL:
    """Make a detector that departs from the published program as named.

    ``algorithm`` is "so-gaal" or "mo-gaal", ``names`` are keys of ``DEPARTURES``; none makes the
    published detector, others one of a subclass. ``parameters`` are those of SOGAAL or MOGAAL;
    "generator_biases" needs an int as ``random_state``. Raises ValueError if there is no such
    algorithm or departure, or the two do not go together.
    """
    if algorithm not in DETECTORS:
        raise ValueError(f"algorithm={algorithm!r}; expected one of {', '.join(DETECTORS)}.")
    mixins = []
    for name in names:
        departure = DEPARTURES.get(name)
        if departure is None:
            raise ValueError(f"{name!r} is no departure; expected some of {', '.join(DEPARTURES)}.")
        if algorithm not in departure.algorithms:
            raise ValueError(f"{name!r} ({departure.what}) does not go with {algorithm}.")
        parameters = {**departure.parameters, **parameters}
        mixins += [] if departure.mixin is None else [departure.mixin]
    base = DETECTORS[algorithm]
    # The last named wraps the others: short_batch what own_share has put in its place.
    kind = type(base.__name__, (*reversed(mixins), base), {}) if mixins else base
    return kind(**parameters)
