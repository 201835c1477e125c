"""Scores by the weights of several epochs: which they are, and that scoring changes nothing."""

import copy
import threading

import keras
import numpy as np
import pytest

from alocc import ALOCC
from alocc.scoring import SCORES

X = np.random.default_rng(0).random((20, 16, 16), np.float32)
PARAMS = {"epochs": 3, "batch_size": 8, "gf_dim": 2, "df_dim": 2, "random_state": 0}


@pytest.fixture(scope="module")
def mean():
    return ALOCC(**PARAMS, select_epoch="mean", first_epoch=1).fit(X)


def last_digits(mean, score):
    """Of float32, by the deviations that the score is measured in."""
    deviation = min(c["deviation"][score] for c in mean.calibrations_)
    assert deviation > 1e-5  # of less they would be more than the scores themselves
    return 1e-6 / deviation


@pytest.mark.parametrize(
    "statistics",
    ["moving", *(pytest.param(s, marks=pytest.mark.slow) for s in ("train_batch", "batch"))],
)
def test_mean_is_that_of_the_epochs_scores_as_they_are_calibrated(mean, statistics):
    mean = copy.deepcopy(mean).set_params(statistics=statistics)
    single = copy.deepcopy(mean)
    for score in SCORES:
        expected = 0.0
        for calibration in mean.calibrations_:
            for name, model in single._models.items():
                model.set_weights(mean.epoch_weights_[calibration["epoch"]][name])
            single.calibrations_ = [calibration]
            scores = single.score_samples(X, score) - calibration["mean"][score]
            expected = expected + scores / calibration["deviation"][score] / 2
        found = mean.score_samples(X, score)
        np.testing.assert_allclose(found, expected, rtol=0, atol=last_digits(mean, score))


@pytest.mark.parametrize(
    "statistics", ["moving", pytest.param("train_batch", marks=pytest.mark.slow)]
)
def test_an_image_scores_alone_as_among_others(mean, statistics):
    mean = copy.deepcopy(mean).set_params(statistics=statistics)
    for score in SCORES:
        alone = [mean.score_samples(X[i : i + 1], score)[0] for i in range(3)]
        np.testing.assert_allclose(alone, mean.score_samples(X, score)[:3], rtol=0, atol=1e-6)


def test_threads_that_score_one_detector_get_the_serial_scores(mean):
    expected, shown = {s: mean.score_samples(X, s) for s in SCORES}, mean.reconstruct(X)
    wrong = []

    def score(name):
        for _ in range(3):
            wrong.extend(np.flatnonzero(mean.score_samples(X, name) != expected[name]))
            wrong.extend(np.flatnonzero(mean.reconstruct(X) != shown))

    threads = [threading.Thread(target=score, args=(SCORES[i % 3],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_scoring_sets_no_weight(mean, monkeypatch):
    before = [w for model in mean._models.values() for w in model.get_weights()]
    monkeypatch.setattr(keras.Model, "set_weights", None)
    monkeypatch.setattr(keras.Variable, "assign", None)
    for score in SCORES:
        mean.score_samples(X, score)
    after = [w for model in mean._models.values() for w in model.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_altered_network_scores_as_it_is_in_every_epoch(mean):
    altered = copy.deepcopy(mean)
    before = altered.score_samples(X, "d_x")
    altered.discriminator_.layers[-1].activation = lambda logit: keras.ops.sigmoid(-logit)
    centres = np.mean(
        [(1 - 2 * c["mean"]["d_x"]) / c["deviation"]["d_x"] for c in mean.calibrations_]
    )
    scores = altered.score_samples(X, "d_x")
    atol = last_digits(mean, "d_x")
    np.testing.assert_allclose(scores, centres - before, rtol=0, atol=atol)


def test_weights_that_no_epoch_had_are_refused_by_name(mean):
    altered = copy.deepcopy(mean)
    altered.generator_.layers[1].enable_lora(2)
    assert altered.score_samples(X, "d_x").shape == (20,)
    with pytest.raises(ValueError, match=r"R has weights of the shapes .*enable_lora.*use_epoch"):
        altered.score_samples(X)
