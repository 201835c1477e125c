"""The loop around the update: both doors, freezing, epochs' AUC, plans."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gaal import MOGAAL, SOGAAL, doors, networks, training


def data(n=60, d=3, seed=0):
    X = np.random.default_rng(seed).random((n, d), dtype=np.float32)
    return X, (np.arange(n) < n // 10).astype(int)


def detectors(**kwargs):
    kwargs = {"stop_epochs": 2, "random_state": 0, "batch_size": 20, **kwargs}
    return [SOGAAL(**kwargs), MOGAAL(k=3, **kwargs)]


@given(batch_size=st.integers(1, 600), k=st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_noise_is_shared_out_by_rank_as_published(batch_size, k):
    assume(batch_size >= k * (k + 1) // 2)
    rows, used = training.noise_rows(batch_size, k)
    noise = np.arange(batch_size)
    block = ((1 + k) * k) // 2
    published = []
    for i in range(k):
        start = int((((k + (k - i + 1)) * i) / 2) * (batch_size // block))
        end = int((((k + (k - i)) * (i + 1)) / 2) * (batch_size // block))
        published.append(noise[start:] if i == k - 1 else noise[start:end])
    np.testing.assert_array_equal(rows.ravel()[used], np.concatenate(published))
    owner = used // rows.shape[1]
    np.testing.assert_array_equal(owner, np.repeat(np.arange(k), [len(p) for p in published]))


def test_k_larger_than_the_batch_allows_is_refused_by_name():
    with pytest.raises(ValueError, match=r"k=10 .* 54 rows.* 55"):
        training.noise_rows(54, 10)


@pytest.mark.parametrize("index", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_both_doors_and_any_length_of_execution_give_the_same_run(index, shuffle):
    X, y = data()
    runs = {
        steps: detectors(steps_per_execution=steps, shuffle=shuffle)[index].fit(X, y)
        for steps in (1, 2, 7, "auto")
    }
    for steps in (2, 7, "auto"):
        pd.testing.assert_frame_equal(
            runs[1].history_, runs[steps].history_, rtol=1e-4, atol=1e-5, check_exact=False
        )
        for one, other in zip(
            runs[1].combine_model_.get_weights(), runs[steps].combine_model_.get_weights()
        ):
            np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("index", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_xla_gives_the_same_run_as_the_plain_graph(index, monkeypatch):
    X, y = data()
    plain = detectors(steps_per_execution="auto", epochs=7)[index].fit(X, y)
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    monkeypatch.setattr(doors, "NOISE_BYTES", 12 * 4 * 20 * (2 * 3 + 1))
    compiled = detectors(steps_per_execution="auto", epochs=7)[index].fit(X, y)
    pd.testing.assert_frame_equal(plain.history_, compiled.history_, rtol=1e-4, atol=1e-5)


@pytest.fixture
def check_numerics():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


@pytest.mark.parametrize(
    ("steps", "index", "xla_updates"),
    [
        ("auto", 0, 1000),
        *(
            pytest.param(*run, marks=pytest.mark.slow)
            for run in [
                ("auto", 1, 1000),
                ("auto", 0, 1),
                ("auto", 1, 1),
                (1, 0, 1000),
                (1, 1, 1000),
            ]
        ),
    ],
)
def test_a_sound_run_makes_no_number_that_is_not_finite(
    steps, index, xla_updates, check_numerics, monkeypatch
):
    monkeypatch.setattr(doors, "XLA_UPDATES", xla_updates)  # XLA knows no check
    X, y = data()
    detector = detectors(steps_per_execution=steps, epochs=4)[index].fit(X, y)
    assert np.isfinite(detector.score_samples(X)).all()


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_quantiles_are_numpy_s(n, k, seed):
    scores = np.random.default_rng(seed).random(n, np.float32)
    shares = np.arange(k) / k
    found = training.quantiles(tf.constant(scores), shares)
    np.testing.assert_allclose(found, np.quantile(scores, shares), rtol=1e-6)


def test_a_score_that_is_not_a_number_has_no_quantiles():
    scores = tf.constant([0.2, np.nan, 0.4, 0.1])
    assert np.isnan(training.quantiles(scores, np.array([0, 0.5]))).all()


@pytest.mark.slow
def test_xla_scores_more_rows_than_one_block(monkeypatch):
    X, y = data()
    plain = SOGAAL(stop_epochs=1, random_state=0, batch_size=20).fit(X, y)
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    monkeypatch.setattr(networks, "SCORE_BLOCK", 16)
    compiled = SOGAAL(stop_epochs=1, random_state=0, batch_size=20).fit(X, y)
    pd.testing.assert_frame_equal(plain.history_, compiled.history_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("algorithm", "updates"), [("SO_GAAL", 3 * 3), ("MO_GAAL", 2 * 3 + 1)])
def test_generators_freeze_when_the_published_program_looks(algorithm, updates):
    kind = getattr(training, algorithm)
    assert kind.active_updates(2, batches_per_epoch=3, n_epochs=6, whether_stop=True) == updates
    assert kind.active_updates(2, batches_per_epoch=3, n_epochs=6, whether_stop=False) == 18


@pytest.mark.parametrize("steps", [1, pytest.param(4, marks=pytest.mark.slow), "auto"])
@pytest.mark.parametrize("index", [0, 1])
def test_generator_moves_until_the_stop_and_not_after(index, steps):
    X, _ = data()
    moved = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.before = self.model.layers[1].get_weights()

        def on_epoch_end(self, epoch, logs=None):
            after = self.model.layers[1].get_weights()
            moved.append(any(np.any(b != a) for b, a in zip(self.before, after)))

    detectors(steps_per_execution=steps, lr_g=0.1)[index].fit(X, callbacks=[Watch()])
    assert moved == [True] * 3 + [False] * 3


def test_whether_stop_false_never_freezes():
    X, _ = data()
    short = SOGAAL(stop_epochs=2, whether_stop=True, lr_g=0.1, random_state=0).fit(X)
    never = SOGAAL(stop_epochs=2, whether_stop=False, lr_g=0.1, random_state=0).fit(X)
    assert np.abs(short.generator_.get_weights()[0] - never.generator_.get_weights()[0]).max() > 0


def test_the_rows_left_over_after_whole_batches_are_never_trained_on():
    X, _ = data(n=50)
    order = np.random.default_rng(
        np.random.RandomState(3).randint(2**31)
    ).spawn(3)[1].permutation(50)  # fmt: skip
    changed = X.copy()
    changed[order[40:]] = 0.5
    one, other = (
        SOGAAL(stop_epochs=2, batch_size=20, random_state=3).fit(Z).discriminator_.get_weights()
        for Z in (X, changed)
    )
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a, b)


@given(
    scores=st.lists(st.lists(st.integers(0, 5), min_size=8, max_size=8), min_size=1, max_size=4),
    outliers=st.integers(1, 7),
)
@settings(max_examples=50, deadline=None)
def test_bulk_auc_equals_scikit_learn_s_ties_included(scores, outliers):
    scores = np.array(scores, np.float32) / 5
    is_outlier = np.arange(8) < outliers
    expected = [roc_auc_score(is_outlier, 1 - row) for row in scores]
    np.testing.assert_allclose(training.auc_by_epoch(scores, is_outlier), expected, atol=1e-12)


@pytest.mark.parametrize("n", [5, 16, 17, 40])
def test_scores_in_blocks_equal_scores_at_once(n, monkeypatch):
    model = networks.build_discriminator(3, 50, seed=0)
    X = tf.constant(data(n)[0])
    monkeypatch.setattr(networks, "SCORE_BLOCK", 16)
    np.testing.assert_allclose(networks.discriminate(model, X), model(X).numpy().ravel(), rtol=1e-5)


@given(
    steps=st.one_of(st.just("auto"), st.integers(1, 5000)),
    n_epochs=st.integers(1, 4000),
    batches=st.integers(1, 3000),
    d=st.integers(1, 300),
    epoch_by_epoch=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_a_plan_never_exceeds_the_memory_and_never_straddles_an_epoch(
    steps, n_epochs, batches, d, epoch_by_epoch
):
    plan = doors.plan_execution(steps, n_epochs, batches, (2, 500, d), 10, epoch_by_epoch)
    together = plan.epochs * plan.batches
    assert together >= 1
    assert plan.batches == batches or (plan.epochs == 1 and plan.batches < batches)
    assert together == 1 or together * 4 * 500 * (2 * d + 1) <= doors.NOISE_BYTES
    assert not epoch_by_epoch or plan.epochs == 1
    if steps != "auto":
        assert together <= max(steps, 1)
        assert not plan.jit_compile


def test_short_fits_are_not_compiled_and_long_small_ones_are():
    assert not doors.plan_execution("auto", 60, 1, (1, 367, 30), 1, False).jit_compile
    assert doors.plan_execution("auto", 3000, 2, (1, 500, 2), 1, False).jit_compile
    assert doors.plan_execution("auto", 4500, 2, (2, 500, 2), 10, False).jit_compile
