"""The layer, the optimizer and the loss that Keras 2 had."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alocc import keras2


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    return rng.normal(3, 2, (5, 4, 6, 6, 2)).astype(np.float32)


def normalize(x, mean, variance):
    return (x - mean) / np.sqrt(variance + 0.001)


def debiased(values, momentum=0.99):
    total = 0.0
    for value in values:
        total = momentum * total + (1 - momentum) * value
    return total / (1 - momentum ** len(values))


def test_before_the_first_batch_the_moving_statistics_are_0_and_1(batches):
    layer = keras2.BatchNormalization()
    np.testing.assert_allclose(layer(batches[0]), normalize(batches[0], 0, 1), rtol=1e-5)


def test_moving_statistics_are_debiased_and_the_variance_corrected_twice(batches):
    layer = keras2.BatchNormalization()
    for x in batches:
        layer(x, training=True)
    m = 4 * 6 * 6
    correction = m / (m - 1) * m / (m - 1.001)
    means = batches.mean(axis=(1, 2, 3), dtype=np.float64)
    variances = batches.var(axis=(1, 2, 3), dtype=np.float64) * correction
    np.testing.assert_allclose(layer.moving_mean, debiased(means), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, debiased(variances), rtol=1e-5)


def test_debiasing_stays_exact_in_float32_over_thousands_of_batches():
    layer = keras2.BatchNormalization()
    x = np.full((2, 3, 3, 1), 0.7, np.float32)
    step = tf.function(lambda: layer(x, training=True))
    for _ in range(2000):
        step()
    np.testing.assert_allclose(layer.moving_mean, 0.7, rtol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_in_training_the_batch_normalises_itself_also_in_a_frozen_layer(batches, trainable):
    layer = keras2.BatchNormalization(trainable=trainable)
    x = batches[0]
    expected = normalize(x, x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)))
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_keeps_its_moving_statistics(batches):
    layer = keras2.BatchNormalization(trainable=False)
    layer(batches[0], training=True)
    np.testing.assert_array_equal(layer.moving_mean, 0)
    np.testing.assert_array_equal(layer.moving_variance, 1)


def test_without_tracking_the_moving_statistics_never_move(batches):
    layer = keras2.BatchNormalization(track_statistics=False)
    layer(batches[0], training=True)
    np.testing.assert_array_equal(layer.moving_mean, 0)
    np.testing.assert_array_equal(layer.moving_variance, 1)
    assert len(layer.weights) == 4


def test_normalises_over_another_axis(batches):
    first = keras2.BatchNormalization(axis=1)
    last = keras2.BatchNormalization()
    for x in batches:
        np.testing.assert_allclose(
            first(np.moveaxis(x, -1, 1), training=True),
            np.moveaxis(last(x, training=True), -1, 1),
            atol=1e-5,
        )
    np.testing.assert_allclose(first.moving_variance, last.moving_variance, rtol=1e-5)


def test_half_precision_is_normalised_in_single(batches):
    layer = keras2.BatchNormalization(dtype="mixed_float16")
    y = layer(batches[0], training=True)
    assert y.dtype == tf.float16
    np.testing.assert_allclose(layer.moving_mean, batches[0].mean(axis=(0, 1, 2)), rtol=1e-2)


def descend(optimizer, gradients):
    p = keras.Variable(np.zeros(len(gradients[0]), np.float32))
    optimizer.build([p])
    for g in gradients:
        optimizer.apply([tf.constant(g, tf.float32)], [p])
    return p.numpy()


def test_rmsprop_has_its_epsilon_outside_the_root():
    gradients = [[1e-7, 0.5], [2e-7, -0.25]]
    a, p = np.zeros(2), np.zeros(2)
    for g in np.array(gradients):
        a = 0.9 * a + 0.1 * g**2
        p -= 0.01 * g / (np.sqrt(a) + 1e-7)
    np.testing.assert_allclose(descend(keras2.RMSprop(0.01), gradients), p, rtol=1e-5)
    stock = descend(keras.optimizers.RMSprop(0.01), gradients)
    assert abs(stock[0]) < abs(p[0]) / 100
    np.testing.assert_allclose(stock[1], p[1], rtol=1e-4)


def test_rmsprop_clips_every_element():
    clipped = descend(keras2.RMSprop(0.01, clipvalue=1.0), [[3.0, 0.5], [0.5, 0.5]])
    expected = descend(keras2.RMSprop(0.01), [[1.0, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(clipped, expected)


@pytest.mark.parametrize("option", [{"momentum": 0.9}, {"centered": True}])
def test_rmsprop_refuses_what_keras_2_had_not(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        keras2.RMSprop(**option)


def loss_and_gradient(loss, logit):
    x = tf.Variable([[logit]])

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            value = loss(tf.ones((1, 1)), tf.sigmoid(x))
        return value, tape.gradient(value, x)

    value, gradient = run()
    return value.numpy(), gradient.numpy().item()


def test_no_gradient_flows_where_the_probability_saturates():
    value, gradient = loss_and_gradient(keras2.BinaryCrossentropy(), -20.0)
    np.testing.assert_allclose(value, -np.log(1e-7), rtol=1e-5)
    assert gradient == 0
    _, stock_gradient = loss_and_gradient(keras.losses.BinaryCrossentropy(), -20.0)
    np.testing.assert_allclose(stock_gradient, -1, rtol=1e-5)


def test_within_the_clip_the_cross_entropy_is_the_usual_one():
    ours = loss_and_gradient(keras2.BinaryCrossentropy(), -1.5)
    np.testing.assert_allclose(
        ours, loss_and_gradient(keras.losses.BinaryCrossentropy(), -1.5), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("make", "serialize", "deserialize"),
    [
        (
            lambda: keras2.BatchNormalization(momentum=0.9, track_statistics=False),
            keras.layers.serialize,
            keras.layers.deserialize,
        ),
        (
            lambda: keras2.RMSprop(0.002, clipvalue=1.0),
            keras.optimizers.serialize,
            keras.optimizers.deserialize,
        ),
        (keras2.BinaryCrossentropy, keras.losses.serialize, keras.losses.deserialize),
    ],
    ids=["layer", "optimizer", "loss"],
)
def test_serialises(make, serialize, deserialize):
    original = make()
    copy = deserialize(serialize(original))
    assert type(copy) is type(original)
    assert copy.get_config() == original.get_config()
