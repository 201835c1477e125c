"""The networks start and are connected as published."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from gaal import networks, training


def test_generator_starts_as_the_identity_on_the_noise():
    z = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    np.testing.assert_allclose(networks.build_generator(3)(z), z, rtol=1e-6)


def test_generator_bias_moves_both_layers():
    z = np.zeros((1, 3), np.float32)
    np.testing.assert_allclose(networks.build_generator(3, bias=0.25)(z), 0.5 * np.ones((1, 3)))


@pytest.mark.parametrize(("n_samples", "hidden"), [(100, 10), (101, 11), (1000, 32)])
def test_discriminator_has_root_n_hidden_units_rounded_up(n_samples, hidden):
    weights = networks.build_discriminator(4, n_samples, seed=0).get_weights()
    assert [w.shape for w in weights] == [(4, hidden), (hidden,), (hidden, 1), (1,)]


def test_published_kernels_are_truncated_without_the_correction_of_later_keras():
    kernel = networks.build_discriminator(400, 10_000, seed=0).get_weights()[0]
    stddev = np.sqrt(1 / 400)
    assert np.abs(kernel).max() <= 2 * stddev
    # Truncation at two deviations leaves 0.8796 of the deviation; VarianceScaling restores it.
    assert np.std(kernel) == pytest.approx(0.8796 * stddev, rel=0.01)


def test_other_kernels_and_biases_are_drawn_as_asked():
    weights = networks.build_discriminator(
        400, 10_000, init="glorot_uniform", bias=0.05, seed=0
    ).get_weights()
    assert np.abs(weights[0]).max() <= np.sqrt(6 / 500) + 1e-6
    np.testing.assert_allclose(weights[1], 0.05)
    np.testing.assert_allclose(weights[3], 0.05)


def test_the_seed_decides_the_discriminator():
    first, again, other = (
        networks.build_discriminator(3, 50, seed=seed).get_weights()[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@given(k=st.integers(1, 6), n_features=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_stacked_sub_generators_equal_single_ones(k, n_features, seed):
    rng = np.random.default_rng(seed)
    stacked = networks.build_sub_generators(n_features, k)
    stacked.set_weights([rng.normal(size=w.shape) for w in stacked.get_weights()])
    singles = networks.unstack(stacked)
    z = rng.random((k, 7, n_features), dtype=np.float32)
    for i, single in enumerate(singles):
        np.testing.assert_allclose(stacked(z)[i], single(z[i]), rtol=1e-5, atol=1e-6)
    for ours, back in zip(
        stacked.get_weights(), networks.stack([single.get_weights() for single in singles])
    ):
        np.testing.assert_array_equal(ours, back)


def compiled(generator, lr_d=0.1, lr_g=0.1):
    gan = networks.combine(generator, networks.build_discriminator(2, 30, seed=0))
    networks.compile_models(gan, lr_d=lr_d, lr_g=lr_g, decay=0.0, momentum=0.9)
    return gan


def test_each_model_trains_its_own_player_alone():
    gan = compiled(networks.build_generator(2))
    z = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    d_before, g_before = gan.discriminator.get_weights(), gan.generator.get_weights()
    gan.combine_model.train_on_batch(z, np.ones((20, 1)))
    for before, after in zip(d_before, gan.discriminator.get_weights()):
        np.testing.assert_array_equal(before, after)
    assert any(np.any(b != a) for b, a in zip(g_before, gan.generator.get_weights()))
    g_before = gan.generator.get_weights()
    gan.discriminator.train_on_batch(z, np.ones((20, 1)))
    for before, after in zip(g_before, gan.generator.get_weights()):
        np.testing.assert_array_equal(before, after)
    assert any(np.any(b != a) for b, a in zip(d_before, gan.discriminator.get_weights()))


def test_one_step_of_k_stacked_sub_generators_is_k_single_steps():
    k, rng = 3, np.random.default_rng(0)
    stacked = networks.build_sub_generators(2, k)
    stacked.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in stacked.get_weights()])
    singles = networks.unstack(stacked)
    gan = compiled(stacked)
    z = rng.random((25, 2), dtype=np.float32)
    targets = np.array([0.1, 0.5, 0.9], np.float32)
    for _ in range(3):
        logs = training.train_on_batch(
            gan.combine_model,
            np.broadcast_to(z, (k, 25, 2)),
            np.broadcast_to(targets[:, None, None], (k, 25, 1)),
        )
    for i, single in enumerate(singles):
        alone = compiled(single)
        for _ in range(3):
            single_logs = training.train_on_batch(
                alone.combine_model, z, np.full((25, 1), targets[i])
            )
        assert logs["sub_generator_loss"][i] == pytest.approx(single_logs["loss"], rel=1e-5)
        for ours, theirs in zip(networks.unstack(stacked)[i].get_weights(), single.get_weights()):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_no_gradient_flows_where_the_discriminator_saturates():
    logit = tf.Variable([[-30.0], [0.3]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            networks.clipped_binary_crossentropy(tf.ones((2, 1)), tf.sigmoid(logit))
        )
    gradient = tape.gradient(loss, logit).numpy().ravel()
    assert gradient[0] == 0
    assert gradient[1] == pytest.approx(1 / (1 + np.exp(-0.3)) - 1, rel=1e-5)


def test_learning_rates_decay_with_each_model_s_own_updates():
    gan = networks.combine(networks.build_generator(2), networks.build_discriminator(2, 30))
    networks.compile_models(gan, lr_d=0.01, lr_g=0.0001, decay=0.5, momentum=0.9)
    x = np.random.default_rng(0).random((10, 2), dtype=np.float32)
    for _ in range(3):
        gan.discriminator.train_on_batch(x, np.ones((10, 1)))
    assert float(gan.discriminator.optimizer.learning_rate) == pytest.approx(0.01 / 2.5)
    assert float(gan.combine_model.optimizer.learning_rate) == pytest.approx(0.0001)


def test_double_precision_copy_scores_alike_and_leaves_the_model_alone():
    model = networks.build_discriminator(3, 50, seed=0)
    x = np.random.default_rng(0).random((9, 3))
    copy = networks.in_double_precision(model)
    assert copy(x).dtype == tf.float64
    assert model(x).dtype == tf.float32
    np.testing.assert_allclose(copy(x), model(x), atol=1e-6)


def test_the_models_are_keras_models_that_print_and_survive_saving(tmp_path, capsys):
    gan = compiled(networks.build_sub_generators(2, 3))
    gan.combine_model.summary()
    out = capsys.readouterr().out
    assert "sub_generators" in out
    # 3 x 2 x (4 + 2) of the sub-generators train; 2 x 6 + 6 + 6 + 1 of D do not.
    assert "Trainable params: 36 " in out
    assert "Non-trainable params: 25 " in out
    keras.saving.save_model(gan.generator, tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    z = np.random.default_rng(0).random((3, 4, 2), dtype=np.float32)
    np.testing.assert_array_equal(loaded(z), gan.generator(z))


@pytest.mark.parametrize("n", [5, 16, 17, 40])
def test_scores_in_blocks_equal_scores_at_once(n, monkeypatch):
    model = networks.build_discriminator(3, 50, seed=0)
    X = tf.constant(np.random.default_rng(0).random((n, 3), np.float32))
    monkeypatch.setattr(networks, "SCORE_BLOCK", 16)
    np.testing.assert_allclose(networks.discriminate(model, X), model(X).numpy().ravel(), rtol=1e-5)
