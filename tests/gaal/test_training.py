"""The loop around the update: when generators move, which rows train, epochs' AUC."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gaal import MOGAAL, SOGAAL, training


def data(n=60, d=3, seed=0):
    X = np.random.default_rng(seed).random((n, d), dtype=np.float32)
    return X, (np.arange(n) < n // 10).astype(int)


def detectors(**kwargs):
    kwargs = {"stop_epochs": 2, "random_state": 0, "batch_size": 20, **kwargs}
    return [SOGAAL(**kwargs), MOGAAL(k=3, **kwargs)]


@pytest.mark.parametrize("steps", [1, "auto"])
@pytest.mark.parametrize("index", [0, 1])
def test_generator_moves_until_the_stop_and_not_after(index, steps):
    weights = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            weights.append(self.model.layers[1].get_weights())

        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.layers[1].get_weights())

    detectors(steps_per_execution=steps, lr_g=0.1)[index].fit(*data(), callbacks=[Watch()])
    moved = [
        any(np.any(b != a) for b, a in zip(before, after))
        for before, after in itertools.pairwise(weights)
    ]
    assert moved == [True] * 3 + [False] * 3


def test_whether_stop_false_never_freezes():
    short, never = (
        detectors(whether_stop=stop, lr_g=0.1)[0].fit(*data()) for stop in (True, False)
    )
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
