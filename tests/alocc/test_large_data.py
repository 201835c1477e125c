"""ALOCC takes images in every container with the numbers of the plain array."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image
from sklearn.utils import check_random_state

from alocc import ALOCC, datasets, pixels
from gaal_alocc import arrays

X = (np.random.default_rng(0).random((40, 16, 16)) * 255).astype(np.uint8)
SETTINGS = {"epochs": 1, "batch_size": 8, "gf_dim": 2, "df_dim": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return ALOCC(**SETTINGS).fit(X)


def memory_map(folder):
    np.save(folder / "images.npy", X)
    return np.load(folder / "images.npy", mmap_mode="r")


class InBatches(keras.utils.PyDataset):
    """Every element is what ``of`` makes of a batch."""

    def __init__(self, of=lambda batch: batch):
        super().__init__()
        self.of = of

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.of(X[10 * i : 10 * (i + 1)])


def flow(folder, **settings):
    """Keras's iterator over the images in a folder, which begins anew after the last."""
    (folder / "images" / "one").mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(X):
        Image.fromarray(image).save(folder / "images" / "one" / f"{i:02}.png")
    settings = {"target_size": (16, 16), "color_mode": "grayscale", "batch_size": 7, **settings}
    scaling = ImageDataGenerator(preprocessing_function=lambda image: image / np.float32(255))
    return scaling.flow_from_directory(folder / "images", **settings)


def scaled():
    return (X.astype(np.float32) / 255)[..., None]


# Every container that the docs name.
KINDS = {
    "list": lambda folder: scaled().tolist(),
    "tuple of arrays": lambda folder: tuple(X),
    "list of images of Pillow": lambda folder: list(map(Image.fromarray, X)),
    "masked array without a masked value": lambda folder: np.ma.array(X, mask=False),
    "memory map": memory_map,
    "tensor of TensorFlow": lambda folder: tf.constant(X),
    "tensor of PyTorch": lambda folder: (
        pytest.importorskip("torch").tensor(scaled()).requires_grad_()
    ),
    "data set": lambda folder: tf.data.Dataset.from_tensor_slices(X).batch(7),
    "data set of floats": lambda folder: tf.data.Dataset.from_tensor_slices(scaled()).batch(7),
    "PyDataset": lambda folder: InBatches(),
    "flow_from_directory": lambda folder: flow(folder, class_mode=None, shuffle=False),
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
        (images, r"of single images, \(16, 16\); expected batches of .*: X\.batch\(n\)"),
        (tf.data.Dataset.from_tensor_slices(scaled()), r"single images, \(16, 16, 1\)"),
        (scaled()[0], r"shape \(16, 16, 1\), as a single image has; .*: give X\[None\]"),
        (InBatches(lambda x: (x, x[:, 0, 0])), "whose elements are a tuple; .*, and no labels"),
        (InBatches(lambda x: x[:, 0]), r"X\[0\] has shape \(10, 16\); expected batches of imag"),
        (images.batch(4).repeat(), "never ends"),
        (images.batch(4).take(0), "at least one image"),
        (images.filter(lambda image: False).batch(4), "at least one image"),
        (tf.data.Dataset.from_tensor_slices(X[:, :15]).batch(4), "15"),
    ]:
        for method in (ALOCC(**SETTINGS).fit, fitted.score_samples):
            with pytest.raises(ValueError, match=message):
                method(wrong)


def test_what_is_no_container_of_images_is_refused_with_what_to_do(fitted, tmp_path):
    np.savez(tmp_path / "images.npz", X=X, y=X[:, 0, 0])
    masked = np.ma.masked_equal(X, X[3, 2, 1])
    place = "".join(f"[{i}]" for i in np.argwhere(masked.mask)[0])
    with np.load(tmp_path / "images.npz") as archive:
        for wrong, error, message in [
            (
                flow(tmp_path, shuffle=False),
                ValueError,
                "DirectoryIterator .* and no labels: .*class_mode=None",
            ),
            (ImageDataGenerator(), TypeError, r"give X\.flow\(...\) or X\.flow_from_directory"),
            (iter(X), TypeError, "iterator, which is read but once and need not end"),
            ((image for image in X), TypeError, "X is of type generator"),
            ([flow(tmp_path)], TypeError, r"X\[0\] is of type .*DirectoryIterator"),
            (archive, TypeError, r"NpzFile, and holds 'X', 'y'; expected one array: give X\['X'\]"),
            ("photos", TypeError, "X is 'photos'; expected an array: read the file first"),
            (masked, ValueError, f"X{place} is masked, a missing value".replace("[", r"\[")),
        ]:
            for method in (ALOCC(**SETTINGS).fit, fitted.score_samples):
                with pytest.raises(error, match=message):
                    method(wrong)


def test_scores_in_the_order_of_a_shuffle_are_told(fitted, tmp_path):
    images = flow(tmp_path, class_mode=None, seed=3)
    with pytest.warns(UserWarning, match="X shuffles its images, and so their scores"):
        scores = fitted.score_samples(images)
    in_order = fitted.score_samples(X)
    np.testing.assert_allclose(scores, in_order[images.index_array], rtol=1e-5)
    assert not np.allclose(scores, in_order, rtol=1e-5)


@pytest.mark.parametrize("method", ["fit", "score_samples"])
def test_a_data_set_that_gives_more_than_fits_is_taken_to_be_endless(method, fitted, monkeypatch):
    monkeypatch.setattr(arrays, "memory", lambda: 16 * 3 * X.size)

    def images(times):
        form = tf.TensorSpec((None, 16, 16), tf.uint8)
        rounds = range(times) if times else itertools.count()
        return tf.data.Dataset.from_generator(lambda: (X for _ in rounds), output_signature=form)

    detector = fitted if method == "score_samples" else ALOCC(**SETTINGS)
    for endless in (images(None), images(4)):
        with pytest.raises(ValueError, match=r"has given 40960 numbers.*assert_cardinality\("):
            getattr(detector, method)(endless)
    getattr(detector, method)(images(3))
    getattr(detector, method)(images(4).apply(tf.data.experimental.assert_cardinality(4)))


def test_noise_drawn_by_blocks_is_the_noise_drawn_at_once(monkeypatch):
    monkeypatch.setattr(pixels, "NOISE_BLOCK", 333)  # odd: normal numbers come in pairs
    clean = datasets.to_unit(X)
    noise = check_random_state(5).normal(0, 0.2, X.shape)
    expected = np.clip(clean + noise, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(datasets.add_noise(X, 0.2, 5), expected)
