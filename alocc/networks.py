"""The networks of ALOCC: R, which reconstructs, D, which judges, and the adversarial model.

Layers, initial weights and optimisers are those of the published program (Sabokrou et al.,
2018, section 3). Nothing here knows how they are trained.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from alocc import keras2
from gaal_alocc import distribution

DECODERS = ("upsampling", "transpose")
MIN_SIZE = 16  # below it D's and R's strides leave nothing to convolve
SLOPE = 0.3  # of LeakyReLU


@dataclass(frozen=True)
class Ingredients:
    """What the published program and one in today's Keras do not have in common.

    Attributes
    ----------
    generator_normalization, discriminator_normalization : callable
        Make R's and D's batch normalisation layers; take ``name``.
    optimizer : callable
        Makes an optimizer; takes a learning rate (schedule) and ``clipvalue``.
    loss : callable
        Makes the cross-entropy.
    frozen_statistics : {"batch", "moving"}
        What the frozen D normalises with in the adversarial model: each batch's own
        statistics, or the moving ones that it scores with later.
    """

    generator_normalization: Callable[..., keras.layers.Layer]
    discriminator_normalization: Callable[..., keras.layers.Layer]
    optimizer: Callable[..., keras.optimizers.Optimizer]
    loss: Callable[[], keras.losses.Loss]
    frozen_statistics: str


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Keras's own; where a batch is divided over replicas, with the statistics of the whole."""
    return keras.layers.BatchNormalization(synchronized=tf.distribute.has_strategy(), name=name)


FIDELITIES = {
    "published": Ingredients(
        generator_normalization=keras2.BatchNormalization,
        discriminator_normalization=functools.partial(
            keras2.BatchNormalization, track_statistics=False
        ),
        optimizer=keras2.RMSprop,
        loss=keras2.BinaryCrossentropy,
        frozen_statistics="batch",
    ),
    "corrected": Ingredients(
        generator_normalization=batch_normalization,
        discriminator_normalization=batch_normalization,
        optimizer=keras.optimizers.RMSprop,
        loss=keras.losses.BinaryCrossentropy,
        frozen_statistics="moving",
    ),
}


@keras.saving.register_keras_serializable(package="alocc")
class AdversarialModel(keras.Model):
    """z -> [R(z), D(R(z))], in which only R learns.

    The published program froze D by ``discriminator.trainable = False`` after compiling it.
    In Keras 3 that flag would stop D's own training too, so here the adversarial model names
    what it trains, and D keeps its flag.

    Parameters
    ----------
    generator, discriminator : keras.Model
        R and D, shared with their owner.
    frozen_statistics : {"batch", "moving"}, default="batch"
        See :class:`Ingredients`.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        frozen_statistics: str = "batch",
        name: str = "adversarial_model",
        **kwargs,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.frozen_statistics = frozen_statistics
        self.output_names = ["reconstruction", "validity"]

    def build(self, input_shape):
        self.built = True  # both parts come built

    def call(self, z, training=None):
        reconstruction = self.generator(z, training=training)
        as_in_training = bool(training) and self.frozen_statistics == "batch"
        return [reconstruction, self.discriminator(reconstruction, training=as_in_training)]

    @property
    def trainable_weights(self):
        return self.generator.trainable_weights

    @property
    def trainable_variables(self):
        return self.trainable_weights

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "frozen_statistics": self.frozen_statistics,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        for part in ("generator", "discriminator"):
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        return cls(**config)


@dataclass(frozen=True)
class Networks:
    """The Keras models of one run, sharing weights: ``adversarial_model`` is D after R."""

    generator: keras.Model
    discriminator: keras.Model
    adversarial_model: AdversarialModel


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


def layer_seeds(seed: int | None, count: int) -> list[int]:
    """Give every layer a seed of its own."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]


def fit_to(x, height: int, width: int):
    """Crop or zero-pad maps to (height, width), from all sides alike.

    Where an odd number of rows or columns is to go or to come, it is one more at the end.
    Maps that fit already get no layer.
    """
    surplus = [have - want for have, want in zip(x.shape[1:3], (height, width))]
    for layer, sign in ((keras.layers.Cropping2D, 1), (keras.layers.ZeroPadding2D, -1)):
        amounts = [max(0, sign * s) for s in surplus]
        if any(amounts):
            x = layer([(n // 2, n - n // 2) for n in amounts])(x)
    return x


def half(size: int) -> int:
    """Size of a map after a convolution of stride 2 with same padding."""
    return -(-size // 2)


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
    28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28.

    Parameters
    ----------
    image_shape : (height, width, channels), default=(28, 28, 1)
        Height and width from 16; 1 or 3 channels.
    gf_dim, df_dim : int, default=16
        Filters of the decoder (1, 1, 2 x gf_dim) and encoder (2, 4, 8 x df_dim).
    decoder : {"upsampling", "transpose"}, default="upsampling"
        Upsampling followed by convolution, as in the published program, or the transposed
        convolutions of the paper: 5 x 5, stride 2, with 2 x gf_dim, gf_dim and ``channels``
        filters, batch normalisation after all but the last, and each cropped to the size of
        the encoder's map that it mirrors.
    ingredients : Ingredients, default=FIDELITIES["published"]
        Where the normalisation comes from.
    seed : int, optional
        Seed of the initial kernels (Glorot uniform).

    Returns
    -------
    keras.Model
        (batch, height, width, channels) in and out, the latter in (0, 1).

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

    def conv(filters: int, size: int, layer=keras.layers.Conv2D, **kwargs):
        return layer(
            filters,
            size,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            **{"padding": "same", **kwargs},
        )

    def normalization(name: str):
        return ingredients.generator_normalization(name=name)

    z = keras.Input(image_shape, name="z")
    x = z
    for i, multiple in enumerate((2, 4, 8)):
        x = conv(multiple * df_dim, 5, strides=2, name=f"g_encoder_h{i}_conv")(x)
        x = normalization(f"g_encoder_h{i}_bn")(x)
        x = keras.layers.LeakyReLU(SLOPE, name=f"g_encoder_h{i}_lrelu")(x)

    if decoder == "upsampling":
        x = conv(gf_dim, 5, activation="relu", name="g_decoder_h0_conv")(x)
        x = keras.layers.UpSampling2D(2)(x)
        x = conv(gf_dim, 5, activation="relu", name="g_decoder_h1_conv")(x)
        x = keras.layers.UpSampling2D(2)(x)
        x = fit_to(x, half(height) + 2, half(width) + 2)
        x = conv(2 * gf_dim, 3, padding="valid", activation="relu", name="g_decoder_h2_conv")(x)
        x = keras.layers.UpSampling2D(2)(x)
        x = fit_to(x, height, width)
        x = conv(channels, 5, activation="sigmoid", name="g_decoder_h3_conv")(x)
    else:
        deconv = functools.partial(conv, layer=keras.layers.Conv2DTranspose, strides=2)
        for i, multiple in enumerate((2, 1)):
            x = deconv(multiple * gf_dim, 5, name=f"g_decoder_h{i}_deconv")(x)
            mirrored = (
                (half(half(height)), half(half(width))) if i == 0 else (half(height), half(width))
            )
            x = fit_to(x, *mirrored)
            x = normalization(f"g_decoder_h{i}_bn")(x)
            x = keras.layers.ReLU(name=f"g_decoder_h{i}_relu")(x)
        x = deconv(channels, 5, activation="sigmoid", name="g_decoder_h2_deconv")(x)
        x = fit_to(x, height, width)
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
        Where the normalisation comes from.
    seed : int, optional
        Seed of the initial kernels (Glorot uniform).

    Returns
    -------
    keras.Model
        (batch, height, width, channels) in; (batch, 1), the probability that the image is
        one of the target class, out.

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
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[i]),
            name=f"d_h{i}_conv",
        )(x)
        if i > 0:
            x = ingredients.discriminator_normalization(name=f"d_h{i}_bn")(x)
        x = keras.layers.LeakyReLU(SLOPE, name=f"d_h{i}_lrelu")(x)
    x = keras.layers.Flatten(name="d_flatten")(x)
    x = keras.layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[4]),
        name="d_h3_lin",
    )(x)
    return keras.Model(image, x, name="D")


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
        What D normalises with while it is frozen.

    Returns
    -------
    Networks
    """
    adversarial_model = AdversarialModel(generator, discriminator, ingredients.frozen_statistics)
    return Networks(generator, discriminator, adversarial_model)


def compile_models(
    networks: Networks,
    r_alpha: float = 0.2,
    learning_rate: float = 0.002,
    clipvalue: float = 1.0,
    decay: float = 1e-8,
    ingredients: Ingredients = FIDELITIES["published"],
) -> None:
    """Compile D and the adversarial model as published, with one RMSprop between them.

    Parameters
    ----------
    networks : Networks
        The models.
    r_alpha : float, default=0.2
        Weight of the reconstruction in the adversarial model's loss (the paper's lambda).
    learning_rate : float, default=0.002
        The rate of update t is learning_rate / (1 + decay * t); D's updates and R's are
        counted together.
    clipvalue : float, default=1.0
        Gradients are clipped to [-clipvalue, clipvalue], element by element.
    decay : float, default=1e-8
        Decay of the learning rate.
    ingredients : Ingredients, default=FIDELITIES["published"]
        Where optimizer and loss come from.
    """
    # A Python float would become a float32 even where Keras computes in float64.
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        np.float64(learning_rate), decay_steps=1, decay_rate=decay
    )
    make_optimizer = distribution.clipping_the_sum(ingredients.optimizer)
    optimizer = make_optimizer(schedule, clipvalue=clipvalue)
    # It must know the weights of both before either trains.
    optimizer.build(
        networks.discriminator.trainable_variables + networks.generator.trainable_variables
    )
    # jit_compile="auto" would have XLA compile the convolutions, which slows them down.
    networks.discriminator.compile(optimizer, loss=ingredients.loss(), jit_compile=False)
    networks.adversarial_model.compile(
        optimizer,
        loss=[ingredients.loss(), ingredients.loss()],
        loss_weights=[r_alpha, 1],
        jit_compile=False,
    )
    # Keras makes the trackers of the two losses when it first sees them, which must not be
    # within a graph either: it would be traced twice.
    outputs = [
        keras.ops.zeros((1, *model.output_shape[1:]))
        for model in (networks.generator, networks.discriminator)
    ]
    with keras.StatelessScope():  # which keeps the value of nothing
        networks.adversarial_model.compute_loss(y=outputs, y_pred=outputs)
    for model in (networks.discriminator, networks.adversarial_model):
        distribution.divide_batches(model)
