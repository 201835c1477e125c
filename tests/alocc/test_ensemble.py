"""The detector for one's own images is the authors' program by the mean of its epochs."""

import numpy as np
import pytest
from sklearn.base import clone

from alocc import ALOCC, ALOCCEnsemble

# Of the programs of tests/alocc/test_detector.py.
SMALL = {"batch_size": 16, "gf_dim": 2, "df_dim": 2, "first_epoch": 1, "random_state": 0}
SMALL["steps_per_execution"] = 1


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((48, 18, 16), np.float32)


@pytest.fixture(scope="module")
def detector(images):
    return ALOCCEnsemble(3, **SMALL).fit(images)


def test_it_is_the_authors_program_by_the_mean_of_its_epochs(detector, images):
    same = ALOCC(
        3, fidelity="authors", score="d_rx", select_epoch="mean", orientation="training", **SMALL
    ).fit(images)
    np.testing.assert_array_equal(detector.score_samples(images), same.score_samples(images))
    assert detector.history_.equals(same.history_)
    assert detector.offset_ == same.offset_


def test_it_is_cloned_saved_and_loaded(detector, images, tmp_path):
    assert clone(detector).get_params() == detector.get_params()
    detector.save(tmp_path / "own.alocc")
    loaded = ALOCCEnsemble.load(tmp_path / "own.alocc")
    np.testing.assert_array_equal(loaded.score_samples(images), detector.score_samples(images))
    with pytest.raises(ValueError, match="holds a ALOCCEnsemble"):
        ALOCC.load(tmp_path / "own.alocc")


def test_what_it_fixes_is_no_parameter():
    with pytest.raises(TypeError, match="fidelity"):
        ALOCCEnsemble(fidelity="published")
    with pytest.raises(ValueError, match="Invalid parameter 'orientation'"):
        ALOCCEnsemble().set_params(orientation="raw")
