"""The networks of ALOCC: R, which reconstructs, D, which judges, and the adversarial model.

Layers, initial weights and optimisers are those of the published programs (Sabokrou et al.,
2018, section 3): the Keras port's, and its authors' own. Nothing here knows how they are
trained.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from alocc import keras2, tensorflow1
from gaal_alocc import distribution, optimizers

DATA_FORMAT = "channels_last"  # of X, whatever Keras's default is set to
DECODERS = ("upsampling", "transpose")
PARTS = ("generator", "discriminator")
MIN_SIZE = 16  # below it D's and R's strides leave nothing to convolve


@dataclass(frozen=True)
class Ingredients:
    """What the programs do not have in common, but for the order of their steps."""

    #: Makes the initial kernels of convolutions; takes ``seed``.
    kernel_initializer: Callable[..., keras.initializers.Initializer]
    #: The same for transposed convolutions and D's last layer.
    output_initializer: Callable[..., keras.initializers.Initializer]
    #: Makes LeakyReLU layers; takes ``name``.
    leaky_relu: Callable[..., keras.layers.Layer]
    #: Make R's and D's batch normalisation layers; take ``name``.
    generator_normalization: Callable[..., keras.layers.Layer]
    discriminator_normalization: Callable[..., keras.layers.Layer]
    #: "sigmoid" or "tanh": of R's output, which D sees as it is.
    reconstruction_activation: str
    #: "sigmoid" or "linear": D's output is a probability, or its logit.
    validity_activation: str
    #: Makes an optimizer; takes a learning rate (schedule) and ``clipvalue``.
    optimizer: Callable[..., keras.optimizers.Optimizer]
    #: Make the cross-entropies of R's and of D's output.
    reconstruction_loss: Callable[[], keras.losses.Loss]
    validity_loss: Callable[[], keras.losses.Loss]
    #: What the frozen D normalises with in the adversarial model: by "batch" each batch's own
    #: statistics, by "moving" those that it scores with later.
    frozen_statistics: str
    #: Whether losses that are only printed are computed as in training.
    one_phase: bool

    def as_images(self, reconstructions):
        """R's output in [0, 1], as the authors show it: tanh as (R + 1) / 2."""
        if self.reconstruction_activation == "tanh":
            return (reconstructions + 1) / 2
        return reconstructions


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Keras's own; where a batch is divided over replicas, with the statistics of the whole."""
    return keras.layers.BatchNormalization(synchronized=tf.distribute.has_strategy(), name=name)


FIDELITIES = {
    "published": Ingredients(
        kernel_initializer=keras.initializers.GlorotUniform,
        output_initializer=keras.initializers.GlorotUniform,
        leaky_relu=functools.partial(keras.layers.LeakyReLU, 0.3),
        generator_normalization=keras2.BatchNormalization,
        discriminator_normalization=functools.partial(
            keras2.BatchNormalization, track_statistics=False
        ),
        reconstruction_activation="sigmoid",
        validity_activation="sigmoid",
        optimizer=keras2.RMSprop,
        reconstruction_loss=keras2.BinaryCrossentropy,
        validity_loss=keras2.BinaryCrossentropy,
        frozen_statistics="batch",
        one_phase=False,
    ),
    "corrected": Ingredients(
        kernel_initializer=keras.initializers.GlorotUniform,
        output_initializer=keras.initializers.GlorotUniform,
        leaky_relu=functools.partial(keras.layers.LeakyReLU, 0.3),
        generator_normalization=batch_normalization,
        discriminator_normalization=batch_normalization,
        reconstruction_activation="sigmoid",
        validity_activation="sigmoid",
        optimizer=optimizers.RMSprop,
        reconstruction_loss=keras.losses.BinaryCrossentropy,
        validity_loss=keras.losses.BinaryCrossentropy,
        frozen_statistics="moving",
        one_phase=False,
    ),
    "authors": Ingredients(
        kernel_initializer=functools.partial(keras.initializers.TruncatedNormal, stddev=0.02),
        output_initializer=functools.partial(keras.initializers.RandomNormal, stddev=0.02),
        leaky_relu=tensorflow1.LeakyReLU,
        generator_normalization=tensorflow1.BatchNormalization,
        discriminator_normalization=tensorflow1.BatchNormalization,
        reconstruction_activation="tanh",
        validity_activation="linear",
        optimizer=tensorflow1.RMSProp,
        reconstruction_loss=tensorflow1.SigmoidCrossEntropy,
        validity_loss=tensorflow1.SigmoidCrossEntropy,
        frozen_statistics="batch",
        one_phase=True,
    ),
}


class _RAndD(keras.Model):
    """A model of R and D, which it shares with their owner; it trains one of them.

    The published program froze D by ``discriminator.trainable = False`` after compiling it. In
    Keras 3 that flag would stop D's own training too, so here a model names what it ``trains``, and
    both keep their flags.
    """

    trains: str

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, *outputs: str, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.output_names = list(outputs)
        self.built = True  # both parts come so

    @property
    def trainable_weights(self):
        return getattr(self, self.trains).trainable_weights

    @property
    def trainable_variables(self):
        return self.trainable_weights


@keras.saving.register_keras_serializable(package="alocc")
class AdversarialModel(_RAndD):
    """z -> [R(z), D(R(z))], in which only R learns; see :class:`Ingredients`."""

    trains = "generator"

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        frozen_statistics: str = "batch",
        one_phase: bool = False,
        name: str = "adversarial_model",
        **kwargs,
    ) -> None:
        outputs = ("reconstruction", "validity")
        super().__init__(generator, discriminator, *outputs, name=name, **kwargs)
        self.frozen_statistics = frozen_statistics
        self.one_phase = one_phase

    def call(self, z, training=None):
        reconstruction = self.generator(z, training=training)
        as_in_training = bool(training) and self.frozen_statistics == "batch"
        return [reconstruction, self.discriminator(reconstruction, training=as_in_training)]

    def test_step(self, data):
        return tensorflow1.printed_step(self, data) if self.one_phase else super().test_step(data)

    def get_config(self):
        return {
            **super().get_config(),
            **{name: _uncompiled_config(getattr(self, name)) for name in PARTS},
            "frozen_statistics": self.frozen_statistics,
            "one_phase": self.one_phase,
        }

    def get_compile_config(self):
        return None  # Keras could not load an optimizer that this model shares with D

    @classmethod
    def from_config(cls, config, custom_objects=None):
        for part in PARTS:
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        return cls(**config)


def _uncompiled_config(model: keras.Model) -> dict:
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    return config


class DiscriminatorModel(_RAndD):
    """(x, z) -> [D(x), D(R(z))], in which only D learns, of both at once.

    Every pass normalises real and reconstructed images by their own batch, R's too, as it runs in
    training.
    """

    trains = "discriminator"

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        super().__init__(generator, discriminator, "real", "fake", name="discriminator_model")

    def call(self, inputs, training=None, fake_first=False):
        x, z = inputs
        fake = self.generator(z, training=training)
        if fake_first:
            d_fake = self.discriminator(fake, training=training)
            return [self.discriminator(x, training=training), d_fake]
        return [self.discriminator(part, training=training) for part in (x, fake)]

    def test_step(self, data):
        # The order in which the authors print, and D's statistics move.
        return tensorflow1.printed_step(self, data, fake_first=True)


@dataclass(frozen=True)
class Networks:
    """The Keras models of one run, sharing weights.

    ``adversarial_model`` is D after R, ``discriminator_model`` D of real images and after R.
    """

    generator: keras.Model
    discriminator: keras.Model
    adversarial_model: AdversarialModel
    discriminator_model: DiscriminatorModel

    def variables(self) -> list:
        """All that training changes, and the learning rate: in the same order for all of a kind."""
        optimizer = self.adversarial_model.optimizer
        models = (self.discriminator, self.discriminator_model, self.adversarial_model)
        return [
            *self.generator.weights,
            *self.discriminator.weights,
            *optimizer.variables,
            *(v for model in models for v in model.metrics_variables),
            *getattr(optimizer, "rates", []),
        ]


def check_image_shape(image_shape: tuple[int, int, int]) -> None:
    """Raise a ValueError unless R and D can be built for (height, width, channels)."""
    if len(image_shape) != 3 or image_shape[2] not in (1, 3):
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; expected (height, width, channels) with 1 or"
            " 3 channels."
        )
    if min(image_shape[:2]) < MIN_SIZE:
        raise ValueError(
            f"Images of height {image_shape[0]} and width {image_shape[1]} are too small for"
            f" the strides of R and D; expected at least {MIN_SIZE} x {MIN_SIZE}."
        )


def float_type() -> str:
    """In which ALOCC computes: float32, or float64 where that is Keras's default.

    Less than that cannot hold the published program's epsilons.
    """
    return "float64" if keras.config.floatx() == "float64" else "float32"


def layer_seeds(seed: int | None, count: int) -> list[int]:
    """Give every layer a seed of its own."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]


def fit_to(x, height: int, width: int, name: str):
    """Crop or zero-pad maps to (height, width), from all sides alike.

    Where an odd number of rows or columns is to go or to come, it is one more at the end.
    Maps that fit already get no layer; the others' are called after ``name``.
    """
    surplus = [have - want for have, want in zip(x.shape[1:3], (height, width))]
    for layer, what, sign in (
        (keras.layers.Cropping2D, "crop", 1),
        (keras.layers.ZeroPadding2D, "pad", -1),
    ):
        amounts = [max(0, sign * s) for s in surplus]
        if any(amounts):
            amounts = [(n // 2, n - n // 2) for n in amounts]
            x = layer(amounts, data_format=DATA_FORMAT, name=f"{name}_{what}")(x)
    return x


def half(size: int) -> int:
    """Size of a map after a convolution of stride 2 with same padding."""
    return -(-size // 2)


@keras.saving.register_keras_serializable(package="alocc")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras's, with the size of its maps in its config: before Keras 3.15 a copy had another."""

    def get_config(self):
        return {**super().get_config(), "output_padding": self.output_padding}


def build_generator(
    image_shape: tuple[int, int, int] = (28, 28, 1),
    gf_dim: int = 16,
    df_dim: int = 16,
    decoder: str = "upsampling",
    ingredients: Ingredients = FIDELITIES["published"],
    seed: int | None = None,
) -> keras.Model:
    """R, the encoder and decoder that reconstructs an image (section 3.1, figure 3).

    The encoder halves the image three times, rounding up. The decoder doubles it three times,
    and one rule makes it end at the size of the input whatever that is: before each of its
    last two convolutions the maps are cropped or zero-padded to the size from which the
    convolution arrives at half the image's size, rounded up, and at the image's size. For
    28 x 28 there is nothing to crop or pad, and R is the published
    28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28. A transposed decoder goes the way of the encoder
    back: 28 -> 14 -> 7 -> 4 -> 7 -> 14 -> 28.

    Parameters
    ----------
    image_shape : (height, width, channels), default=(28, 28, 1)
        Height and width from 16; 1 or 3 channels.
    gf_dim, df_dim : int, default=16
        Filters of the decoder (1, 1, 2 x gf_dim) and encoder (2, 4, 8 x df_dim).
    decoder : {"upsampling", "transpose"}, default="upsampling"
        Upsampling followed by convolution, as in the published port, or the transposed
        convolutions of the paper and its authors' program: 5 x 5, stride 2, with 2 x gf_dim,
        gf_dim and ``channels`` filters, batch normalisation after all but the last, and each
        the gradient of a convolution of the size of the encoder's map that it mirrors.
    ingredients : Ingredients, default=FIDELITIES["published"]
        Where initial kernels, LeakyReLU, normalisation and the last activation come from.
    seed : int, optional
        Seed of the initial kernels.

    Returns
    -------
    keras.Model
        (batch, height, width, channels) in and out, the latter in (0, 1), or (-1, 1) by tanh.

    Raises
    ------
    ValueError
        If there are no such networks for ``image_shape`` or ``decoder``.
    """
    check_image_shape(image_shape)
    if decoder not in DECODERS:
        raise ValueError(f"decoder is {decoder!r}; expected one of {DECODERS}.")
    height, width, channels = image_shape
    seeds = iter(layer_seeds(seed, 7))

    def conv(filters: int, size: int, **kwargs):
        kernel_initializer = ingredients.kernel_initializer(seed=next(seeds))
        kwargs = {"padding": "same", "kernel_initializer": kernel_initializer, **kwargs}
        return keras.layers.Conv2D(filters, size, data_format=DATA_FORMAT, **kwargs)

    def normalization(name: str):
        return ingredients.generator_normalization(name=name)

    z = keras.Input(image_shape, name="z")
    x = z
    for i, multiple in enumerate((2, 4, 8)):
        x = conv(multiple * df_dim, 5, strides=2, name=f"g_encoder_h{i}_conv")(x)
        x = normalization(f"g_encoder_h{i}_bn")(x)
        x = ingredients.leaky_relu(name=f"g_encoder_h{i}_lrelu")(x)

    activation = ingredients.reconstruction_activation
    if decoder == "upsampling":
        x = conv(gf_dim, 5, activation="relu", name="g_decoder_h0_conv")(x)
        x = keras.layers.UpSampling2D(2, data_format=DATA_FORMAT, name="g_decoder_h0_up")(x)
        x = conv(gf_dim, 5, activation="relu", name="g_decoder_h1_conv")(x)
        x = keras.layers.UpSampling2D(2, data_format=DATA_FORMAT, name="g_decoder_h1_up")(x)
        x = fit_to(x, half(height) + 2, half(width) + 2, "g_decoder_h1")
        x = conv(2 * gf_dim, 3, padding="valid", activation="relu", name="g_decoder_h2_conv")(x)
        x = keras.layers.UpSampling2D(2, data_format=DATA_FORMAT, name="g_decoder_h2_up")(x)
        x = fit_to(x, height, width, "g_decoder_h2")
        x = conv(channels, 5, activation=activation, name="g_decoder_h3_conv")(x)
    else:

        def deconv(x, filters: int, size: tuple[int, int], **kwargs):
            kernel_initializer = ingredients.output_initializer(seed=next(seeds))
            # Two maps are halved to one: which of them this one is doubled to, tells the padding.
            return Conv2DTranspose(
                filters,
                5,
                strides=2,
                padding="same",
                data_format=DATA_FORMAT,
                output_padding=tuple(new - (2 * old - 1) for new, old in zip(size, x.shape[1:3])),
                kernel_initializer=kernel_initializer,
                **kwargs,
            )(x)

        halves = (half(height), half(width))
        quarters = (half(halves[0]), half(halves[1]))
        for i, (multiple, size) in enumerate(((2, quarters), (1, halves))):
            x = deconv(x, multiple * gf_dim, size, name=f"g_decoder_h{i}_deconv")
            x = normalization(f"g_decoder_h{i}_bn")(x)
            x = keras.layers.ReLU(name=f"g_decoder_h{i}_relu")(x)
        size = (height, width)
        x = deconv(x, channels, size, activation=activation, name="g_decoder_h2_deconv")
    return keras.Model(z, x, name="R")


def build_discriminator(
    image_shape: tuple[int, int, int] = (28, 28, 1),
    df_dim: int = 16,
    ingredients: Ingredients = FIDELITIES["published"],
    seed: int | None = None,
) -> keras.Model:
    """D, the convolutional network that tells images from reconstructions (section 3.2).

    Parameters
    ----------
    image_shape : (height, width, channels), default=(28, 28, 1)
        Height and width from 16; 1 or 3 channels.
    df_dim : int, default=16
        Filters are 1, 2, 4 and 8 x df_dim.
    ingredients : Ingredients, default=FIDELITIES["published"]
        Where initial kernels, LeakyReLU, normalisation and the last activation come from.
    seed : int, optional
        Seed of the initial kernels.

    Returns
    -------
    keras.Model
        (batch, height, width, channels) in; (batch, 1), the probability that the image is
        one of the target class, or its logit, out.

    Raises
    ------
    ValueError
        If there is no such network for ``image_shape``.
    """
    check_image_shape(image_shape)
    seeds = layer_seeds(seed, 5)
    image = keras.Input(image_shape, name="d_input")
    x = image
    for i, multiple in enumerate((1, 2, 4, 8)):
        x = keras.layers.Conv2D(
            multiple * df_dim,
            5,
            strides=2,
            padding="same",
            data_format=DATA_FORMAT,
            kernel_initializer=ingredients.kernel_initializer(seed=seeds[i]),
            name=f"d_h{i}_conv",
        )(x)
        if i > 0:
            x = ingredients.discriminator_normalization(name=f"d_h{i}_bn")(x)
        x = ingredients.leaky_relu(name=f"d_h{i}_lrelu")(x)
    x = keras.layers.Flatten(DATA_FORMAT, name="d_flatten")(x)
    x = keras.layers.Dense(
        1,
        activation=ingredients.validity_activation,
        kernel_initializer=ingredients.output_initializer(seed=seeds[4]),
        name="d_h3_lin",
    )(x)
    return keras.Model(image, x, name="D")


def normalized_by_batch(
    model: keras.Model, x, statistics: list | None = None
) -> tuple[tf.Tensor, list]:
    """Run R or D, normalising as in training, and leave its moving statistics alone.

    It normalises by the mean and variance of x itself, (n, height, width, channels), in each
    normalisation, or by those of an earlier call; which of them it was is given back with the
    output.
    """
    x = keras.ops.convert_to_tensor(x, model.layers[0].dtype)
    given = iter(statistics or ())
    used = []
    for layer in model.layers[1:]:
        if not isinstance(layer, keras.layers.BatchNormalization):
            x = layer(x)
            continue
        wide = keras.ops.cast(x, layer.variable_dtype)
        axes = [axis for axis in range(x.ndim) if axis != layer.axis % x.ndim]
        pair = keras.ops.moments(wide, axes) if statistics is None else next(given)
        mean, variance = (keras.ops.convert_to_tensor(part, wide.dtype) for part in pair)
        used.append((mean, variance))
        wide = keras.ops.batch_normalization(
            wide, mean, variance, layer.axis, layer.beta, layer.gamma, layer.epsilon
        )
        x = keras.ops.cast(wide, layer.compute_dtype)
    return x, used


def combine(
    generator: keras.Model,
    discriminator: keras.Model,
    ingredients: Ingredients = FIDELITIES["published"],
) -> Networks:
    """Put D behind R: the ``adversarial_model`` of the published program.

    Parameters
    ----------
    generator, discriminator : keras.Model
        From :func:`build_generator` and :func:`build_discriminator`.
    ingredients : Ingredients, default=FIDELITIES["published"]
        What D normalises with while it is frozen, and whether there is one phase.

    Returns
    -------
    Networks
    """
    adversarial_model = AdversarialModel(
        generator,
        discriminator,
        ingredients.frozen_statistics,
        ingredients.one_phase,
        dtype=generator.inputs[0].dtype,
    )
    discriminator_model = DiscriminatorModel(generator, discriminator)
    return Networks(generator, discriminator, adversarial_model, discriminator_model)


def compile_models(
    networks: Networks,
    r_alpha: float = 0.2,
    learning_rate: float = 0.002,
    clipvalue: float | None = 1.0,
    decay: float = 1e-8,
    ingredients: Ingredients = FIDELITIES["published"],
) -> None:
    """Compile D and the combined models as published, with one RMSprop between them.

    Without decay it is the authors' two: every weight has a mean square of its own.

    Parameters
    ----------
    networks : Networks
        The models.
    r_alpha : float, default=0.2
        Weight of the reconstruction in the adversarial model's loss (the paper's lambda).
    learning_rate : float, default=0.002
        The rate of update t is learning_rate / (1 + decay * t); D's updates and R's are
        counted together.
    clipvalue : float or None, default=1.0
        Gradients are clipped to [-clipvalue, clipvalue], element by element.
    decay : float, default=1e-8
        Decay of the learning rate.
    ingredients : Ingredients, default=FIDELITIES["published"]
        Where optimizer and losses come from.
    """
    # In float64, also where Keras computes in float32: the published decay is 1e-8.
    schedule = optimizers.InverseTimeDecay(learning_rate, decay, dtype="float64")
    optimizer = ingredients.optimizer(schedule, clipvalue=clipvalue and float(clipvalue))
    # It must know the weights of both before either trains.
    optimizer.build(
        networks.discriminator.trainable_variables + networks.generator.trainable_variables
    )
    # jit_compile="auto" would have XLA compile the convolutions, which slows them down.
    validity_loss = ingredients.validity_loss
    networks.discriminator.compile(optimizer, loss=validity_loss(), jit_compile=False)
    networks.discriminator_model.compile(
        optimizer, loss=[validity_loss(), validity_loss()], jit_compile=False
    )
    networks.adversarial_model.compile(
        optimizer,
        loss=[ingredients.reconstruction_loss(), validity_loss()],
        loss_weights=[float(r_alpha), 1],
        jit_compile=False,
    )
    # Keras makes the trackers of two losses when it first sees them, which must not be within
    # a graph either: it would be traced twice.
    reconstruction, validity = (
        keras.ops.zeros((1, *model.output_shape[1:]))
        for model in (networks.generator, networks.discriminator)
    )
    with keras.StatelessScope():  # which keeps the value of nothing
        for model, outputs in (
            (networks.discriminator_model, [validity, validity]),
            (networks.adversarial_model, [reconstruction, validity]),
        ):
            model.compute_loss(y=outputs, y_pred=outputs)
    for model in (
        networks.discriminator,
        networks.discriminator_model,
        networks.adversarial_model,
    ):
        distribution.divide_batches(model)
