"""R, D and the adversarial model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alocc import keras2, networks

PUBLISHED = networks.FIDELITIES["published"]
DECODERS = networks.DECODERS


def build(image_shape=(28, 28, 1), dim=2, decoder="upsampling", fidelity="published", seed=0):
    ingredients = networks.FIDELITIES[fidelity]
    models = networks.combine(
        networks.build_generator(image_shape, dim, dim, decoder, ingredients, seed),
        networks.build_discriminator(image_shape, dim, ingredients, seed),
        ingredients,
    )
    networks.compile_models(models, ingredients=ingredients)
    return models


def maps(model, kind):
    return [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kind)]


def test_for_28_x_28_the_generator_is_the_published_one():
    generator = networks.build_generator((28, 28, 1), gf_dim=16, df_dim=16)
    assert (generator.name, generator.inputs[0].name) == ("R", "z")
    assert maps(generator, keras.layers.Conv2D) == [
        (14, 14, 32),
        (7, 7, 64),
        (4, 4, 128),
        (4, 4, 16),
        (8, 8, 16),
        (14, 14, 32),
        (28, 28, 1),
    ]
    assert maps(generator, keras.layers.UpSampling2D) == [(8, 8, 16), (16, 16, 16), (28, 28, 32)]
    assert not maps(generator, keras.layers.Cropping2D)
    assert not maps(generator, keras.layers.ZeroPadding2D)
    for i in range(3):
        assert generator.get_layer(f"g_encoder_h{i}_conv").kernel.shape[:2] == (5, 5)
    assert [
        layer.kernel.shape[0]
        for layer in generator.layers
        if isinstance(layer, keras.layers.Conv2D)
    ] == [5, 5, 5, 5, 5, 3, 5]


def test_for_28_x_28_the_discriminator_is_the_published_one():
    discriminator = networks.build_discriminator((28, 28, 1), df_dim=16)
    assert (discriminator.name, discriminator.inputs[0].name) == ("D", "d_input")
    assert maps(discriminator, keras.layers.Conv2D) == [
        (14, 14, 16),
        (7, 7, 32),
        (4, 4, 64),
        (2, 2, 128),
    ]
    assert len(maps(discriminator, keras2.BatchNormalization)) == 3
    assert discriminator.get_layer("d_h3_lin").kernel.shape == (512, 1)
    assert discriminator.output_shape == (None, 1)


@pytest.mark.parametrize(
    ("decoder", "sizes"),
    [
        ("upsampling", range(16, 24)),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                ("upsampling", range(24, 32)),
                ("transpose", range(16, 32)),
                # Maps are halved three times: by fives comes every remainder of 8.
                ("upsampling", range(32, 71, 5)),
                ("transpose", range(32, 71, 5)),
            ]
        ),
    ],
    ids=str,
)
def test_images_of_every_size_come_back_in_their_size(decoder, sizes):
    for size in sizes:
        other = 16 + (7 * size) % 55
        for image_shape in ((size, other, 1), (other, size, 3)):
            generator = networks.build_generator(image_shape, 1, 1, decoder)
            assert generator.output_shape == (None, *image_shape)


@pytest.mark.parametrize("image_shape", [(16, 16, 1), (17, 30, 3), (45, 19, 1)])
@pytest.mark.parametrize("decoder", DECODERS)
def test_networks_run_on_other_sizes(image_shape, decoder):
    models = build(image_shape, decoder=decoder)
    z = np.random.default_rng(0).random((2, *image_shape), np.float32)
    reconstruction, validity = models.adversarial_model(z)
    assert reconstruction.shape == z.shape
    assert validity.shape == (2, 1)
    assert 0 < np.min(reconstruction) <= np.max(reconstruction) < 1
    assert 0 < np.min(validity) <= np.max(validity) < 1


@pytest.mark.parametrize(("size", "odd"), [(28, 7), (45, 23), (45, 45), (16, 4)])
def test_transposed_convolutions_are_the_gradients_of_the_convolutions(size, odd):
    generator = networks.build_generator((size, size, 1), 1, 1, "transpose")
    layer = next(
        layer
        for layer in generator.layers
        if isinstance(layer, keras.layers.Conv2DTranspose) and layer.output.shape[1] == odd
    )
    shape = layer.input.shape[1:]
    y = np.random.default_rng(0).random((2, *shape), np.float32)
    expected = tf.nn.conv2d_transpose(
        y, layer.kernel.value, (2, *layer.output.shape[1:]), strides=2, padding="SAME"
    )
    linear = {"activation": None, "name": layer.name}
    plain = keras.layers.Conv2DTranspose.from_config({**layer.get_config(), **linear})
    plain.build((None, *shape))
    plain.kernel.assign(layer.kernel)
    np.testing.assert_allclose(plain(y), expected, atol=1e-5)


def test_the_authors_initial_weights_and_outputs():
    models = build(dim=16, fidelity="authors", decoder="transpose")
    for model in (models.generator, models.discriminator):
        for layer in model.layers:
            kernel = getattr(layer, "kernel", None)
            if kernel is None:
                continue
            assert not np.any(layer.bias)
            truncated = type(layer) is keras.layers.Conv2D
            assert (np.abs(kernel).max() <= 0.04) == truncated
            # A normal distribution cut at two deviations has 0.88 of its deviation.
            np.testing.assert_allclose(np.std(kernel), 0.0176 if truncated else 0.02, rtol=0.1)
    z = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    assert np.min(models.generator(z)) < 0
    assert np.min(models.discriminator(z)) < 0.2


def test_the_authors_mean_squares_start_at_one():
    models = build(fidelity="authors")
    for mean_square in models.discriminator.optimizer._velocities:
        np.testing.assert_array_equal(mean_square, 1)


def test_transposed_decoder_mirrors_the_encoder():
    generator = networks.build_generator((30, 27, 3), 16, 16, "transpose")
    assert maps(generator, keras.layers.ReLU) == [(8, 7, 32), (15, 14, 16)]
    assert not maps(generator, keras.layers.UpSampling2D)


@pytest.mark.parametrize(
    ("image_shape", "message"),
    [((15, 28, 1), "15"), ((28, 12, 3), "12"), ((28, 28, 2), "channels"), ((28, 28), "channels")],
)
def test_images_without_networks_are_refused(image_shape, message):
    for make in (networks.build_generator, networks.build_discriminator):
        with pytest.raises(ValueError, match=message):
            make(image_shape)


def test_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match="decoder is 'deconv'"):
        networks.build_generator(decoder="deconv")


def test_same_seed_same_weights_and_every_layer_its_own():
    first, second, other = (build(seed=seed).generator.get_weights() for seed in (0, 0, 1))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(first, other))
    kernels = [w.ravel()[:8] for w in first if w.ndim == 4]
    assert len({tuple(k / np.abs(k).max()) for k in kernels}) == len(kernels)


def eagerly(models):
    """Have steps run as they are: to trace one costs more than to take it."""
    for model in (models.adversarial_model, models.discriminator):
        model.run_eagerly = True
    return models


def test_only_r_learns_in_the_adversarial_model_and_d_keeps_learning_by_one_optimizer():
    models = eagerly(build())
    r, d = models.generator.trainable_weights, models.discriminator.trainable_weights
    assert {id(w) for w in models.adversarial_model.trainable_weights} == {id(w) for w in r}
    assert len(d) == 16
    x = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    ones = np.ones((4, 1), np.float32)
    before = [w.numpy() for w in models.discriminator.weights]
    models.adversarial_model.train_on_batch(x, [x, ones])
    for w, b in zip(models.discriminator.weights, before):
        np.testing.assert_array_equal(w, b)
    before = [w.numpy() for w in d]
    models.discriminator.train_on_batch(x, ones)
    assert all(np.any(w.numpy() != b) for w, b in zip(d[-2:], before[-2:]))
    assert models.discriminator.optimizer is models.adversarial_model.optimizer
    assert int(models.discriminator.optimizer.iterations) == 2  # those of both


def test_learning_rate_decays_by_the_update():
    models = build()
    networks.compile_models(models, learning_rate=0.5, decay=0.25)
    x = np.zeros((2, 28, 28, 1), np.float32)
    eagerly(models).discriminator.train_on_batch(x, np.ones((2, 1), np.float32))
    rate = models.discriminator.optimizer.learning_rate
    np.testing.assert_allclose(rate, 0.5 / 1.25)


def test_total_loss_weighs_the_reconstruction_by_r_alpha():
    models = build()
    networks.compile_models(models, r_alpha=0.3)
    x = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    logs = eagerly(models).adversarial_model.train_on_batch(
        x, [x, np.ones((4, 1), np.float32)], return_dict=True
    )
    total = 0.3 * logs["reconstruction_loss"] + logs["validity_loss"]
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-6)


def moving_statistics(model):
    return [w.numpy() for w in model.weights if w.name.startswith("moving")]


@pytest.mark.parametrize("fidelity", networks.FIDELITIES)
def test_d_tracks_its_statistics_only_when_corrected(fidelity):
    models = eagerly(build(fidelity=fidelity))
    x = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    before = moving_statistics(models.discriminator)
    models.discriminator.train_on_batch(x, np.ones((4, 1), np.float32))
    moved = any(np.any(b != a) for b, a in zip(before, moving_statistics(models.discriminator)))
    assert moved == (fidelity != "published")


@pytest.mark.parametrize("fidelity", networks.FIDELITIES)
def test_in_training_r_meets_d_on_batch_statistics_as_published_and_as_it_scores_when_corrected(
    fidelity,
):
    models = build(fidelity=fidelity)
    z = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    before = moving_statistics(models.discriminator)
    reconstruction, validity = models.adversarial_model(z, training=True)
    after = moving_statistics(models.discriminator)
    expected = models.discriminator(reconstruction, training=fidelity != "corrected")
    np.testing.assert_allclose(validity, expected, rtol=1e-5)
    moved = any(np.any(b != a) for b, a in zip(before, after))
    assert moved == (fidelity == "authors")


@pytest.mark.parametrize("fidelity", networks.FIDELITIES)
def test_models_survive_a_keras_file(fidelity, tmp_path):
    models = build((20, 16, 3), fidelity=fidelity)
    x = np.random.default_rng(0).random((2, 20, 16, 3), np.float32)
    models.adversarial_model(x, training=True)  # moves statistics
    copy = keras.models.clone_model(models.generator)
    copy.set_weights(models.generator.get_weights())
    copy.save(tmp_path / "r.keras")
    loaded = keras.saving.load_model(tmp_path / "r.keras")
    np.testing.assert_array_equal(loaded(x), models.generator(x))
    config = models.adversarial_model.get_config()
    again = networks.AdversarialModel.from_config(config)
    assert again.frozen_statistics == models.adversarial_model.frozen_statistics
