"""The two doors of GAAL's training: the same run by both, and how much goes through at a call."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from gaal import MOGAAL, SOGAAL, doors, networks


def data(n=60, d=3, seed=0):
    X = np.random.default_rng(seed).random((n, d), dtype=np.float32)
    return X, (np.arange(n) < n // 10).astype(int)


def detectors(**kwargs):
    kwargs = {"stop_epochs": 2, "random_state": 0, "batch_size": 20, **kwargs}
    return [SOGAAL(**kwargs), MOGAAL(k=3, **kwargs)]


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
            for run in [("auto", 1, 1000), ("auto", 0, 1), (1, 0, 1000), (1, 1, 1000)]
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


@pytest.mark.slow
def test_xla_scores_more_rows_than_one_block(monkeypatch):
    X, y = data()
    plain = SOGAAL(stop_epochs=1, random_state=0, batch_size=20).fit(X, y)
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    monkeypatch.setattr(networks, "SCORE_BLOCK", 16)
    compiled = SOGAAL(stop_epochs=1, random_state=0, batch_size=20).fit(X, y)
    pd.testing.assert_frame_equal(plain.history_, compiled.history_, rtol=1e-4, atol=1e-5)


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
