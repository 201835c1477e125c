"""The networks of GAAL: generator, stacked sub-generators, discriminator, combined model.

Layer sizes, initial weights and optimisers are those of the published programs
(Liu et al., 2019, sections 4.1 and 4.2). Nothing here knows how they are trained.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gaal_alocc import distribution, programs
from gaal_alocc.optimizers import SGD, InverseTimeDecay
from gaal_alocc.precision import computing_in
from gaal_alocc.programs import Program

SCORE_BLOCK = 8192  # rows that D scores at a time: bounds the memory of its hidden layer
DTYPE = "float32"  # of the published programs, whatever Keras's default is set to
DISCRIMINATOR_INITS = ("published", "lecun_normal", "glorot_normal", "glorot_uniform")


@keras.saving.register_keras_serializable(package="gaal")
def clipped_binary_crossentropy(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of a probability, as Keras 2 computed it.

    The clip hides the logits from Keras 3, which would otherwise go back to them: where D(x)
    saturates no gradient flows.
    """
    eps = keras.config.epsilon()
    return keras.losses.binary_crossentropy(y_true, ops.clip(y_pred, eps, 1 - eps))


@keras.saving.register_keras_serializable(package="gaal")
class SummedSubGeneratorLoss(keras.losses.Loss):
    """Sum over the sub-generators of each one's mean cross-entropy.

    As no weight is shared between sub-generators, each gets the gradient of its own mean
    alone: one step on the sum is k published steps.
    """

    def __init__(self, name: str = "summed_sub_generator_loss", **kwargs) -> None:
        kwargs["reduction"] = "sum"
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        losses = ops.mean(clipped_binary_crossentropy(y_true, y_pred), axis=1)
        # Keras does it to losses that are means only: the replicas' gradients are added up.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return losses if replicas == 1 else losses / replicas


@keras.saving.register_keras_serializable(package="gaal")
class SubGeneratorLoss(keras.metrics.Metric):
    """The k losses of the last batch, which the sum in the loss hides."""

    def __init__(self, k: int, name: str = "sub_generator_loss", **kwargs) -> None:
        super().__init__(name=name, **kwargs)
        self.k = k
        self.last = self.add_variable(shape=(k,), initializer="zeros", dtype=DTYPE, name="last")

    def update_state(self, y_true, y_pred, sample_weight=None):
        losses = ops.mean(clipped_binary_crossentropy(y_true, y_pred), axis=1)
        if sample_weight is not None:
            losses = losses * sample_weight
        self.last.assign(ops.cast(losses, DTYPE))

    def result(self):
        return self.last

    def get_config(self):
        return {**super().get_config(), "k": self.k}


@keras.saving.register_keras_serializable(package="gaal")
class CombineModel(keras.Model):
    """z -> D(G(z)), in which only G learns.

    The published program froze D by ``discriminator.trainable = False`` after compiling it.
    In Keras 3 that flag would stop D's own training too, so here the combined model names
    what it trains, and D keeps its flag.
    """

    @property
    def batch_axis(self) -> int:
        """Along which axis the input is a batch: 1 behind stacked sub-generators, else 0."""
        return self.input_shape.index(None)

    @property
    def trainable_weights(self):
        return self.layers[1].trainable_weights

    @property
    def non_trainable_weights(self):
        trained = {id(w) for w in self.trainable_weights}
        return [w for w in self.weights if id(w) not in trained]

    @property
    def trainable_variables(self):
        return self.trainable_weights

    @property
    def non_trainable_variables(self):
        return self.non_trainable_weights


@dataclass(frozen=True)
class GAN:
    """The Keras models of one run, sharing weights: ``combine_model`` is D after G."""

    generator: keras.Model
    discriminator: keras.Model
    combine_model: CombineModel

    @property
    def k(self) -> int | None:
        """How many sub-generators there are; None for one generator that is no stack."""
        return self.generator.input_shape[0]

    @property
    def parts(self) -> tuple[keras.Model, keras.Model]:
        """G and D."""
        return self.generator, self.discriminator

    def discriminator_weights(self) -> list[np.ndarray]:
        """D's kernels and biases of now."""
        return self.discriminator.get_weights()

    def variables(self, program: Program | None = None) -> list:
        """All that training changes, and the learning rates: in the same order for all GANs."""
        models = (self.discriminator, self.combine_model)
        return [
            *self.discriminator.weights,
            *self.generator.weights,
            *(v for model in models for v in model.optimizer.variables),
            *(v for model in models for v in model.metrics_variables),
            *(rates for model in models for rates in model.optimizer.rates),
        ]


class Deferred:
    """A :class:`GAN` whose Keras models are built when they are looked at.

    To build them takes longer than a short training. Until then the weights, which start as those
    given, D's and then G's, and what the optimizers and metrics hold, which starts at 0, are in
    bare variables. ``build`` returns generator and discriminator; for the rest see
    :func:`compile_models`.
    """

    def __init__(
        self,
        build: Callable[[], tuple[keras.Model, keras.Model]],
        weights: Sequence[np.ndarray],
        k: int | None,
        lr_d: float,
        lr_g: float,
        decay: float,
        momentum: float,
    ) -> None:
        self.k = k
        self._build = build
        self._weights = weights
        self._settings = (lr_d, lr_g, decay, momentum)
        self._held: list[tf.Variable] = []

    @functools.cached_property
    def parts(self) -> tuple[keras.Model, keras.Model]:
        """G and D, compiled or not."""
        with computing_in(DTYPE):  # also where Keras's settings have changed since the fit
            generator, discriminator = self._build()
        for variable, held in zip([*discriminator.weights, *generator.weights], self._held):
            variable.assign(held)
        return generator, discriminator

    @functools.cached_property
    def _gan(self) -> GAN:
        with computing_in(DTYPE):
            gan = combine(*self.parts)
            compile_models(gan, *self._settings)
        n = len(self._weights)
        for variable, held in zip(gan.variables()[n:], self._held[n:]):
            variable.assign(held)
        return gan

    @property
    def generator(self) -> keras.Model:
        """G."""
        return self.parts[0]

    @property
    def discriminator(self) -> keras.Model:
        """D, compiled."""
        return self._gan.discriminator

    @property
    def combine_model(self) -> CombineModel:
        """D after G, compiled."""
        return self._gan.combine_model

    def discriminator_weights(self) -> list[np.ndarray]:
        """See :meth:`GAN.discriminator_weights`; without building the model."""
        built = "parts" in vars(self)
        return [np.array(w) for w in (self.parts[1].weights if built else self._held)[:4]]

    def variables(self, program: Program | None = None) -> list:
        """See :meth:`GAN.variables`; bare ones where a program alone is to use them."""
        if program is None or "parts" in vars(self):
            return self._gan.variables()
        if not self._held:
            *rates, decay, _ = self._settings
            self._held = [
                *(tf.Variable(w, dtype=DTYPE) for w in self._weights),
                *(tf.Variable(tf.zeros(*v)) for v in program.forms[len(self._weights) : -2]),
                *(tf.Variable([rate, decay], dtype=DTYPE) for rate in rates),
            ]
        return self._held


def build_generator(n_features: int, bias: float = 0.0) -> keras.Model:
    """Build G: two dense relu layers as wide as the data that start as the identity.

    Parameters
    ----------
    n_features : int
        d, the number of features.
    bias : float, default=0.0
        Initial bias of both layers (0 as published).

    Returns
    -------
    keras.Model
        (batch, d) in, (batch, d) out, float32.
    """
    z = keras.Input((n_features,), name="z", dtype=DTYPE)
    x = z
    for i in range(2):
        x = keras.layers.Dense(
            n_features,
            activation="relu",
            kernel_initializer="identity",
            bias_initializer=keras.initializers.Constant(bias),
            name=f"dense_{i}",
            dtype=DTYPE,
        )(x)
    return keras.Model(z, x, name="generator")


@keras.saving.register_keras_serializable(package="gaal")
class StackedIdentity(keras.initializers.Initializer):
    """k identity matrices, shape (k, d, d)."""

    def __call__(self, shape, dtype=None):
        return ops.broadcast_to(ops.eye(shape[-1], dtype=dtype), shape)


def build_sub_generators(n_features: int, k: int, bias: float = 0.0) -> keras.Model:
    """Build the k sub-generators of MO-GAAL as one batched model.

    Parameters
    ----------
    n_features : int
        d, the number of features.
    k : int
        Number of sub-generators.
    bias : float, default=0.0
        Initial bias of both layers (0 as published).

    Returns
    -------
    keras.Model
        (k, batch, d) in, (k, batch, d) out: row i passes through sub-generator i alone.
    """
    z = keras.Input(batch_shape=(k, None, n_features), name="z", dtype=DTYPE)
    x = z
    for i in range(2):
        x = keras.layers.EinsumDense(
            "kbd,kde->kbe",
            output_shape=(None, n_features),
            bias_axes="ke",
            activation="relu",
            kernel_initializer=StackedIdentity(),
            bias_initializer=keras.initializers.Constant(bias),
            name=f"dense_{i}",
            dtype=DTYPE,
        )(x)
    return keras.Model(z, x, name="sub_generators")


def unstack(sub_generators: keras.Model) -> list[keras.Model]:
    """Copy a batched model into k models like the published program's sub-generators.

    Parameters
    ----------
    sub_generators : keras.Model
        As built by :func:`build_sub_generators`.

    Returns
    -------
    list of keras.Model
        k models, (batch, d) in and out, with weights of their own.
    """
    weights = sub_generators.get_weights()
    k, n_features = weights[0].shape[:2]
    models = []
    for i in range(k):
        model = build_generator(n_features)
        model.name = f"sub_generator{i}"
        model.set_weights([w[i].reshape(v.shape) for w, v in zip(weights, model.weights)])
        models.append(model)
    return models


def stack(models: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Stack the weights of k single sub-generators for the batched model.

    Parameters
    ----------
    models : list of list of ndarray
        For each sub-generator kernel (d, d), bias (d,), kernel, bias.

    Returns
    -------
    list of ndarray
        Kernels (k, d, d) and biases (k, 1, d), for ``set_weights`` of the batched model.
    """
    kernels_and_biases = (np.stack(ws) for ws in zip(*models))
    return [w if w.ndim == 3 else w[:, None] for w in kernels_and_biases]


def build_discriminator(
    n_features: int,
    n_samples: int,
    init: str = "published",
    bias: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """Build D: one hidden relu layer of ceil(sqrt(n)) units, one sigmoid unit.

    Parameters
    ----------
    n_features : int
        d, the number of features.
    n_samples : int
        n, the number of training rows.
    init : {"published", "lecun_normal", "glorot_normal", "glorot_uniform"}, default="published"
        Initial kernels. As published they are drawn from a truncated normal with standard
        deviation sqrt(1 / fan_in), by Keras 2.0.2, which did not yet correct that deviation
        for the truncation. "lecun_normal" is the same with that correction, 14% wider: what
        the published program draws under later Keras.
    bias : float, default=0.0
        Initial bias of both layers.
    seed : int, optional
        Seed of the initial kernels.

    Returns
    -------
    keras.Model
        (batch, d) in; (batch, 1), the probability of being real, out.
    """
    x = keras.Input((n_features,), name="x", dtype=DTYPE)
    h = x
    for i, (units, activation) in enumerate([(hidden_units(n_samples), "relu"), (1, "sigmoid")]):
        h = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=_kernel_initializer(init, h.shape[1], seed, i),
            bias_initializer=keras.initializers.Constant(bias),
            name=f"dense_{i}",
            dtype=DTYPE,
        )(h)
    return keras.Model(x, h, name="discriminator")


def hidden_units(n_samples: int) -> int:
    """Units of D's hidden layer, ceil(sqrt(n)), for n training rows."""
    return math.ceil(math.sqrt(n_samples))


def _kernel_initializer(
    init: str, fan_in: int, seed: int | None, layer: int
) -> keras.initializers.Initializer:
    seed = int(np.random.SeedSequence(seed).generate_state(2)[layer])
    return {
        "published": functools.partial(
            keras.initializers.TruncatedNormal, stddev=math.sqrt(1 / fan_in)
        ),
        "lecun_normal": keras.initializers.LecunNormal,
        "glorot_normal": keras.initializers.GlorotNormal,
        "glorot_uniform": keras.initializers.GlorotUniform,
    }[init](seed=seed)


def initial_weights(
    n_features: int,
    n_samples: int,
    k: int | None = None,
    generator_bias: float = 0.0,
    discriminator_init: str = "published",
    discriminator_bias: float = 0.0,
    seed: int | None = None,
) -> list[np.ndarray]:
    """Weights with which the networks start, without the networks.

    Parameters
    ----------
    n_features, n_samples, generator_bias, discriminator_init, discriminator_bias, seed
        See :func:`build_discriminator` and :func:`build_generator`.
    k : int, optional
        Number of sub-generators; None for one generator.

    Returns
    -------
    list of ndarray of float32
        Those that :func:`build_discriminator` gives D, then those that
        :func:`build_generator` or :func:`build_sub_generators` gives G.
    """
    sizes = (n_features, hidden_units(n_samples), 1)
    weights = []
    for i, (fan_in, units) in enumerate(itertools.pairwise(sizes)):
        kernel = _kernel_initializer(discriminator_init, fan_in, seed, i)((fan_in, units), DTYPE)
        weights += [kernel, np.full(units, discriminator_bias, DTYPE)]
    stacked = () if k is None else (k,)
    kernel = np.broadcast_to(np.eye(n_features, dtype=DTYPE), (*stacked, n_features, n_features))
    bias = np.full((*stacked, *(1 for _ in stacked), n_features), generator_bias, DTYPE)
    return [*weights, kernel, bias, kernel, bias]


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


def in_double_precision(model: keras.Model) -> keras.Model:
    """Copy a model, weights and all, to compute in float64."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float64"})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def scorer(discriminator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Make D(x) of rows (m, d), float32, computed in float64, by the weights of when it is called.

    In float32 its last digit would depend on which rows are scored together. A discriminator of
    which :func:`gaal_alocc.programs.form` does not know all, such as one with a layer of one's own,
    computes as it is.
    """

    def make() -> Program:
        double = in_double_precision(discriminator)
        forms = [tf.TensorSpec(v.shape, v.dtype) for v in discriminator.weights]

        @tf.function(
            input_signature=[tf.TensorSpec((None, *double.input_shape[1:]), DTYPE), *forms]
        )
        def score(x, *weights):
            given = [(v, tf.cast(w, v.dtype)) for v, w in zip(double.weights, weights)]
            with keras.StatelessScope(given):
                return tf.reshape(double(x, training=False), (-1,))

        return Program(score, [])

    form = programs.form(discriminator)
    if form is None:
        return lambda x: np.ravel(discriminator(x, training=False)).astype(np.float64)
    program = programs.shared(("D(x) in float64", form), make, any_settings=True)
    return lambda x: program([], x, *(v.value.value() for v in discriminator.weights)).numpy()


def combine(generator: keras.Model, discriminator: keras.Model) -> GAN:
    """Put D behind G: the ``combine_model`` of the published programs.

    Parameters
    ----------
    generator : keras.Model
        From :func:`build_generator` or :func:`build_sub_generators`.
    discriminator : keras.Model
        From :func:`build_discriminator`.

    Returns
    -------
    GAN
    """
    z = keras.Input(batch_shape=generator.input_shape, name="z", dtype=DTYPE)
    fake = generator(z)
    if len(generator.input_shape) == 2:
        p = discriminator(fake)
    else:
        k, _, n_features = generator.input_shape
        p = ops.reshape(discriminator(ops.reshape(fake, (-1, n_features))), (k, -1, 1))
    return GAN(generator, discriminator, CombineModel(z, p, name="combine_model"))


def compile_models(gan: GAN, lr_d: float, lr_g: float, decay: float, momentum: float) -> None:
    """Compile D and the combined model as published: SGD with momentum, each with its own count.

    Parameters
    ----------
    gan : GAN
        The models.
    lr_d, lr_g : float
        Learning rates of the discriminator and of the generator(s).
    decay : float
        The learning rate of update t is lr / (1 + decay * t).
    momentum : float
        Momentum of both.
    """

    def sgd(lr: float, model: keras.Model) -> SGD:
        optimizer = SGD(InverseTimeDecay(lr, decay), momentum=float(momentum))
        # train_step enters a graph before Keras has had a chance to make the slots.
        optimizer.build(model.trainable_variables)
        return optimizer

    # jit_compile="auto" would spend a second of XLA on every train_on_batch model.
    gan.discriminator.compile(
        sgd(lr_d, gan.discriminator), loss=clipped_binary_crossentropy, jit_compile=False
    )
    optimizer = sgd(lr_g, gan.combine_model)
    if len(gan.generator.input_shape) == 2:
        gan.combine_model.compile(optimizer, loss=clipped_binary_crossentropy, jit_compile=False)
    else:
        gan.combine_model.compile(
            optimizer,
            loss=SummedSubGeneratorLoss(),
            weighted_metrics=[SubGeneratorLoss(gan.generator.input_shape[0])],
            jit_compile=False,
        )
        # Keras lists the metric's variable from when it has first seen a batch.
        k = gan.generator.input_shape[0]
        batch = ops.zeros((k, 1, 1), DTYPE)
        with keras.StatelessScope():  # which keeps the value of nothing
            gan.combine_model.compute_metrics(None, batch, batch)
    for model in (gan.discriminator, gan.combine_model):
        distribution.divide_batches(model)
