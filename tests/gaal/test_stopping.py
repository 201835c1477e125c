"""The rule of thumb finds where a generator's downward trend slows."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from gaal import MOGAAL, SOGAAL, training
from gaal.datasets import load_dataset
from gaal.stopping import WINDOW, find_trend, suggest_stop_epochs

X = np.random.default_rng(0).random((80, 3)).astype(np.float32)


def course(*points, noise=0.0, seed=0):
    """A loss that goes straight from point to point, (update, loss) each."""
    updates, losses = zip(*points)
    loss = np.interp(np.arange(updates[-1] + 1), updates, losses)
    return loss + noise * np.random.default_rng(seed).normal(size=len(loss))


# What the authors' figure shows for onecluster, with an epoch of two updates.
SO_FIGURE = [(0, 0.69), (400, 0.93), (900, 0.86), (1300, 0.9), (2000, 0.7), (6000, 0.73)]
MO_FIGURE = [(0, 0.69), (750, 0.85), (2000, 0.68), (2800, 0.63), (9000, 0.63)]


@pytest.mark.parametrize(("figure", "published"), [(SO_FIGURE, 1000), (MO_FIGURE, 1500)])
@pytest.mark.parametrize("noise", [0, 0.02])
def test_the_authors_figure_gives_about_the_authors_setting(figure, published, noise):
    suggested = suggest_stop_epochs(course(*figure, noise=noise), n_samples=1000)
    assert published / 1.3 < suggested <= published


def test_the_trend_slows_where_a_tenth_of_the_fall_is_left():
    trend = find_trend(course((0, 1), (200, 2), (1200, 1), (3000, 1)))
    assert trend.peak == pytest.approx(200, abs=WINDOW)
    assert trend.slows == pytest.approx(1100, abs=WINDOW)
    assert trend.trough == pytest.approx(1200, abs=WINDOW)
    assert not trend.over


def test_a_pause_within_the_fall_is_not_its_end():
    pausing = course((0, 1), (200, 2), (500, 1.6), (900, 1.6), (1200, 1), (3000, 1))
    assert find_trend(pausing).slows == pytest.approx(1150, abs=WINDOW)


def test_a_fall_from_the_very_start_is_not_the_trend():
    """The discriminator unlearns its random start; the game has not begun."""
    loss = course((0, 0.9), (15, 0.6), (60, 0.9), (150, 0.7), (400, 0.7))
    assert find_trend(loss).slows == pytest.approx(140, abs=WINDOW)
    assert find_trend(course((0, 0.9), (15, 0.6), (400, 0.6))) is None


@given(tail=st.lists(st.floats(0, 100), min_size=1, max_size=300))
@settings(max_examples=50, deadline=None)
def test_what_comes_after_the_trend_is_over_changes_nothing(tail):
    loss = course((0, 1), (100, 2), (200, 1), (300, 2))
    trend = find_trend(loss)
    assert trend.over
    assert find_trend(np.concatenate([loss, tail])) == trend


@given(scale=st.floats(0.01, 100), n=st.integers(1, 5000), batch=st.integers(1, 600))
@settings(max_examples=50, deadline=None)
def test_the_unit_of_the_loss_does_not_matter_and_epochs_are_rounded_up(scale, n, batch):
    loss = course((0, 1), (100, 2), (400, 1), (600, 1))
    suggested = suggest_stop_epochs(scale * loss, n, batch)
    updates, slows = n // min(batch, n), find_trend(loss).slows
    assert (suggested - 1) * updates < slows <= suggested * updates


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_record_however_short_has_a_trend_in_order_or_none(losses):
    trend = find_trend(losses)
    if trend is not None:
        assert 0 < trend.peak < trend.slows <= trend.trough < len(losses)


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        ([], r"shape \(0,\)"),
        ([[1, 2]], r"shape \(1, 2\)"),
        ([1, 2, np.nan], "nan at update 2"),
        ([1, -1], "-1.0 at update 1"),
        (np.ones(100), "100 updates: there is no downward trend"),
        (course((0, 1), (100, 2)), "no downward trend"),
    ],
)
def test_a_loss_without_an_answer_is_refused(loss, error):
    with pytest.raises(ValueError, match=error):
        suggest_stop_epochs(loss, 1000)


@pytest.mark.parametrize(("n", "batch", "name"), [(0, 500, "n_samples"), (10, 0, "batch_size")])
def test_impossible_sizes_are_refused_by_name(n, batch, name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        suggest_stop_epochs(course(*SO_FIGURE), n, batch)


def play(monkeypatch, loss):
    """Let the training without stopping give the losses of a course; count the updates."""
    lengths = []

    def train(gan, algorithm, X, *, n_epochs, active_updates, **kwargs):
        lengths.append((n_epochs, active_updates))
        return pd.DataFrame({"generator_loss": loss[:n_epochs]}).rename_axis("update")

    monkeypatch.setattr(training, "train", train)
    return lengths


def test_auto_trains_twice_as_long_until_the_trend_has_slowed(monkeypatch):
    loss = course((0, 1), (500, 2), (900, 1), (20000, 1))
    lengths = play(monkeypatch, loss)
    detector = SOGAAL("auto", random_state=0).fit(X)
    # Of 80 rows an epoch is one update. Stopped at 860 of 1024 it might only pause.
    stop = suggest_stop_epochs(loss, 80)
    assert lengths == [(512, 512), (1024, 1024), (2048, 2048), (3 * stop, stop + 1)]
    assert detector.stop_epochs_ == stop == pytest.approx(860, abs=WINDOW)


def test_auto_that_finds_nothing_says_so_and_leaves_the_detector_unfitted(monkeypatch):
    lengths = play(monkeypatch, np.ones(20000))
    detector = SOGAAL("auto", random_state=0)
    with pytest.raises(ValueError, match="within 16384 updates the generator's loss does not rise"):
        detector.fit(X)
    assert [n for n, _ in lengths] == [512, 1024, 2048, 4096, 8192, 16384]
    assert not hasattr(detector, "stop_epochs_")


@pytest.mark.parametrize(
    "make",
    [SOGAAL, pytest.param(functools.partial(MOGAAL, k=3), marks=pytest.mark.slow)],
    ids=["SO", "MO"],
)
def test_auto_then_trains_as_with_the_number_itself(make, tmp_path):
    data, labels = load_dataset("WDBC", return_X_y=True)
    auto = make(stop_epochs="auto", epochs=20, random_state=0).fit(data, labels)
    assert 150 < auto.stop_epochs_ < 400
    number = clone(auto).set_params(stop_epochs=auto.stop_epochs_).fit(data, labels)
    assert number.stop_epochs_ == auto.stop_epochs_
    pd.testing.assert_frame_equal(auto.history_, number.history_)
    auto.save(tmp_path / "auto.zip")
    loaded = type(auto).load(tmp_path / "auto.zip")
    assert (loaded.stop_epochs, loaded.stop_epochs_) == ("auto", auto.stop_epochs_)


def test_auto_of_a_diverging_training_says_so():
    with pytest.raises(ValueError, match=r"does not stay finite.*lr_d=1e\+30"):
        SOGAAL(stop_epochs="auto", lr_d=1e30, random_state=0).fit(X)
