"""The updates of algorithms 1 and 2: shares of noise, targets, when the generators stop."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gaal import updates


@given(batch_size=st.integers(1, 600), k=st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_noise_is_shared_out_by_rank_as_published(batch_size, k):
    assume(batch_size >= k * (k + 1) // 2)
    rows, used = updates.noise_rows(batch_size, k)
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
        updates.noise_rows(54, 10)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_quantiles_are_numpy_s(n, k, seed):
    scores = np.random.default_rng(seed).random(n, np.float32)
    shares = np.arange(k) / k
    found = updates.quantiles(tf.constant(scores), shares)
    np.testing.assert_allclose(found, np.quantile(scores, shares), rtol=1e-6)


def test_a_score_that_is_not_a_number_has_no_quantiles():
    scores = tf.constant([0.2, np.nan, 0.4, 0.1])
    assert np.isnan(updates.quantiles(scores, np.array([0, 0.5]))).all()


@pytest.mark.parametrize(("algorithm", "count"), [("SO_GAAL", 3 * 3), ("MO_GAAL", 2 * 3 + 1)])
def test_generators_freeze_when_the_published_program_looks(algorithm, count):
    kind = getattr(updates, algorithm)
    assert kind.active_updates(2, batches_per_epoch=3, n_epochs=6, whether_stop=True) == count
    assert kind.active_updates(2, batches_per_epoch=3, n_epochs=6, whether_stop=False) == 18
