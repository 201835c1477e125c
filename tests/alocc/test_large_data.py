"""ALOCC takes memory maps and data sets with the numbers of the plain array."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.utils import check_random_state

from alocc import ALOCC, datasets

X = (np.random.default_rng(0).random((40, 16, 16)) * 255).astype(np.uint8)
SETTINGS = {"epochs": 1, "batch_size": 16, "gf_dim": 2, "df_dim": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return ALOCC(**SETTINGS).fit(X)


def memory_map(folder):
    np.save(folder / "images.npy", X)
    return np.load(folder / "images.npy", mmap_mode="r")


KINDS = {
    "memory map": memory_map,
    "data set": lambda folder: tf.data.Dataset.from_tensor_slices(X).batch(7),
    "data set of floats": lambda folder: tf.data.Dataset.from_tensor_slices(
        (X.astype(np.float32) / 255)[..., None]
    ).batch(7),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_images_trains_and_scores_the_same(kind, fitted, tmp_path):
    images = KINDS[kind](tmp_path)
    found = ALOCC(**SETTINGS).fit(images)
    pd.testing.assert_frame_equal(found.history_, fitted.history_)
    assert found.offsets_ == fitted.offsets_
    for score in ("reconstruction", "d_x", "d_rx"):
        scores = fitted.score_samples(images, score)
        np.testing.assert_allclose(scores, fitted.score_samples(X, score), rtol=1e-5)
    found = fitted.reconstruct(images).reshape(X.shape)
    np.testing.assert_allclose(found, fitted.reconstruct(X), atol=1e-6)


def test_data_sets_that_are_no_images_are_refused(fitted):
    images = tf.data.Dataset.from_tensor_slices(X)
    for wrong, message in [
        (tf.data.Dataset.from_tensor_slices((X, X[:, 0, 0])).batch(4), "and no labels"),
        (images, "expected batches of images"),
        (images.batch(4).repeat(), "never ends"),
        (images.batch(4).take(0), "at least one image"),
        (images.filter(lambda image: False).batch(4), "at least one image"),
        (tf.data.Dataset.from_tensor_slices(X[:, :15]).batch(4), "15"),
    ]:
        for method in (ALOCC(**SETTINGS).fit, fitted.score_samples):
            with pytest.raises(ValueError, match=message):
                method(wrong)


def test_noise_drawn_by_blocks_is_the_noise_drawn_at_once(monkeypatch):
    monkeypatch.setattr(datasets, "NOISE_BLOCK", 333)  # odd: normal numbers come in pairs
    clean = datasets.to_unit(X)
    noise = check_random_state(5).normal(0, 0.2, X.shape)
    expected = np.clip(clean + noise, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(datasets.add_noise(X, 0.2, 5), expected)
