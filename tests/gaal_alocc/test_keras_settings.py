"""Keras's settings change no number: both packages say themselves what they compute in."""

import functools
import itertools

import keras
import numpy as np
import pytest
from sklearn.base import clone

from alocc import ALOCC, networks
from gaal import MOGAAL, SOGAAL
from gaal_alocc.precision import computing_in

ROWS = np.random.default_rng(0).random((40, 3))
IMAGES = np.random.default_rng(0).random((8, 17, 18))  # odd, so that maps are cropped
SMALL = {"epochs": 1, "batch_size": 4, "gf_dim": 2, "df_dim": 2, "random_state": 0}
CASES = {
    "SOGAAL": (SOGAAL(stop_epochs=1, random_state=0), ROWS),
    "MOGAAL": (MOGAAL(k=3, stop_epochs=1, steps_per_execution=1, random_state=0), ROWS),
    "published": (ALOCC(**SMALL), IMAGES),
    "corrected": (ALOCC(**SMALL, fidelity="corrected", steps_per_execution=1), IMAGES),
    "authors": (ALOCC(**SMALL, fidelity="authors"), IMAGES),
}


def set_floats(name):
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)


SETTINGS = {
    "float16": lambda: set_floats("float16"),
    "bfloat16": lambda: set_floats("bfloat16"),
    "mixed": lambda: keras.config.set_dtype_policy("mixed_float16"),
    "channels first": lambda: keras.config.set_image_data_format("channels_first"),
}


@pytest.fixture
def keras_settings():
    yield
    set_floats("float32")
    keras.config.set_image_data_format("channels_last")


def numbers(detector, X):
    images = [detector.reconstruct(X).ravel()] if isinstance(detector, ALOCC) else []
    return np.concatenate(
        [detector.history_.to_numpy().ravel(), detector.score_samples(X), *images]
    )


@functools.cache
def expected(case):
    detector, X = CASES[case]
    return numbers(clone(detector).fit(X), X)


TOLD_BY_FLOAT16 = {("bfloat16", "corrected"), ("bfloat16", "authors")}
TOLD_BY_PUBLISHED = {("mixed", "corrected"), ("channels first", "corrected")}
FAST = {("float16", "SOGAAL"), ("mixed", "MOGAAL")}


@pytest.mark.filterwarnings("ignore:The training will make")
@pytest.mark.parametrize(
    ("setting", "case"),
    [
        pytest.param(*pair, marks=() if pair in FAST else pytest.mark.slow)
        for pair in itertools.product(SETTINGS, CASES)
        if pair not in TOLD_BY_FLOAT16 | TOLD_BY_PUBLISHED
    ],
)
def test_no_setting_changes_a_number(setting, case, keras_settings, tmp_path):
    detector, X = CASES[case]
    under_the_defaults = expected(case)
    SETTINGS[setting]()
    before = keras.config.floatx(), keras.config.dtype_policy().name
    fitted = clone(detector).fit(X)
    np.testing.assert_array_equal(numbers(fitted, X), under_the_defaults)
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == before
    fitted.save(tmp_path / "detector.zip")
    loaded = type(fitted).load(tmp_path / "detector.zip")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))
    keras.config.set_image_data_format("channels_last")
    set_floats("float32")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


@pytest.mark.parametrize("decoder", networks.DECODERS)
def test_the_layers_have_their_channels_last(decoder, keras_settings):
    keras.config.set_image_data_format("channels_first")
    R = networks.build_generator((17, 18, 3), 2, 2, decoder)
    D = networks.build_discriminator((17, 18, 3), 2)
    assert R.output_shape == (None, 17, 18, 3)
    formats = [getattr(layer, "data_format", "channels_last") for layer in R.layers + D.layers]
    assert set(formats) == {"channels_last"}


def test_trainings_beside_each_other_put_the_setting_back_once(keras_settings):
    set_floats("float16")
    first, second = computing_in("float32"), computing_in("float32")
    with first:
        second.__enter__()
    assert keras.config.floatx() == "float32"  # the second still trains
    second.__exit__(None, None, None)
    assert keras.config.floatx() == "float16"
