"""ALOCC, killed and resumed, ends where an undisturbed run ends, bit for bit."""

import os

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from alocc import ALOCC

X = np.random.default_rng(0).random((18, 16, 16), dtype=np.float32)
DETECTOR = ALOCC(
    epochs=4, batch_size=8, gf_dim=2, df_dim=2, select_epoch="last", random_state=0
)  # fmt: skip


class Interruption(Exception):
    pass


class InterruptAt(keras.callbacks.Callback):
    """Break training off in an epoch, from 0, whose snapshot is not yet written."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch >= self.epoch:
            raise Interruption


def interrupted(detector, folder, epoch=2):
    with pytest.raises(Interruption):
        clone(detector).fit(
            X, None, [InterruptAt(epoch)], checkpoint_dir=folder, checkpoint_every=1
        )
    return clone(detector)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.history_, other.history_, check_exact=True)
    assert len(one.epoch_weights_) == len(other.epoch_weights_)
    for pair, others in zip(one.epoch_weights_, other.epoch_weights_):
        for name in "RD":
            for a, b in zip(pair[name], others[name]):
                np.testing.assert_array_equal(a, b)
    for score in ("reconstruction", "d_x", "d_rx"):
        np.testing.assert_array_equal(one.score_samples(X, score), other.score_samples(X, score))
    assert one.offsets_ == other.offsets_


@pytest.fixture(scope="module")
def whole():
    return clone(DETECTOR).fit(X)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    clone(DETECTOR).set_params(epochs=3).fit(X, checkpoint_dir=folder)
    return folder


@pytest.mark.filterwarnings("ignore:The training will make")
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    ("steps", "fidelity"),
    [
        pytest.param("auto", "corrected", marks=pytest.mark.slow),
        pytest.param(1, "published", marks=pytest.mark.slow),
        pytest.param("auto", "authors", marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_equals_one_without_checkpoints(steps, fidelity, tmp_path):
    detector = clone(DETECTOR).set_params(steps_per_execution=steps, fidelity=fidelity)
    resumed = interrupted(detector, tmp_path)
    resumed.fit(X, checkpoint_dir=tmp_path, resume=True)
    assert_same(detector.fit(X), resumed)


def test_a_finished_run_is_not_trained_again_and_more_epochs_go_on(finished, whole, tmp_path):
    for file in finished.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    short = clone(DETECTOR).set_params(epochs=3, select_epoch="min_reconstruction")
    short.fit(X, None, [InterruptAt(0)], checkpoint_dir=tmp_path, resume=True)
    assert len(short.history_) == 3 * 2
    longer = clone(DETECTOR).fit(X, checkpoint_dir=tmp_path, resume=True)
    assert_same(whole, longer)


@pytest.mark.slow
def test_weights_that_a_callback_puts_back_are_not_used_by_the_finished_run_either(tmp_path):
    # Nothing is as much better as that: the first epoch stays the best.
    stop = keras.callbacks.EarlyStopping(
        "g_loss", 9e9, patience=1, mode="min", restore_best_weights=True
    )
    first = clone(DETECTOR).fit(X, None, [stop], checkpoint_dir=tmp_path)
    again = clone(DETECTOR).fit(X, None, [stop], checkpoint_dir=tmp_path, resume=True)
    assert first.epoch_ == 1
    assert_same(first, again)


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"r_alpha": 0.4}, X, r"r_alpha was 0\.2, is 0\.4\.$"),
        ({"random_state": 1}, X, r"random_state was 0, is 1\.$"),
        ({"epochs": 2}, X, r"came to epoch 3, and epochs is 2\.$"),
        ({}, 1 - X, r": SHA-256 of X was [0-9a-f]{64}, is [0-9a-f]{64}\.$"),
    ],
)
def test_another_run_is_refused_by_name(params, data, message, finished):
    with pytest.raises(ValueError, match=message):
        clone(DETECTOR).set_params(**params).fit(data, checkpoint_dir=finished, resume=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_weights_of_an_epoch_that_are_damaged_or_missing_are_told(
    spoil, message, finished, tmp_path
):
    for file in finished.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spoil(tmp_path / "epoch_01_R.weights.h5")
    with pytest.raises(ValueError, match=rf"epoch_01_R\.weights\.h5 {message}"):
        clone(DETECTOR).fit(X, checkpoint_dir=tmp_path, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("full", ["weights", "snapshot"])
def test_a_full_disk_ends_the_run_and_leaves_what_can_be_resumed(full, tmp_path, full_disk, whole):
    detector = interrupted(DETECTOR, tmp_path)
    before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    sizes = {kind: [s for n, s in before.items() if kind in n] for kind in ("weights", "snapshot")}
    assert max(sizes["weights"]) < max(sizes["snapshot"])
    size = min(sizes["weights"]) - 1 if full == "weights" else max(sizes["snapshot"])
    name = {"weights": "epoch_02_R.weights.h5", "snapshot": "snapshot_000003"}[full]
    with full_disk(size), pytest.raises(OSError, match=f"{name}.* cannot be written: File too"):
        detector.fit(X, checkpoint_dir=tmp_path, checkpoint_every=1, resume=True)
    assert {n for n in os.listdir(tmp_path) if "snap" in n} == {n for n in before if "snap" in n}
    assert not [n for n in os.listdir(tmp_path) if n.startswith("unfinished")]
    assert_same(whole, detector.fit(X, checkpoint_dir=tmp_path, resume=True))


@pytest.mark.slow
def test_whatever_a_kill_leaves_the_run_ends_the_same(left_by_kills):
    # By one door: both have the same files written, and read again.
    detector = clone(DETECTOR).set_params(epochs=2)
    run, left = left_by_kills
    whole = clone(detector).fit(X, checkpoint_dir=run, checkpoint_every=1)
    assert len(left) == 2 * 3 * 2  # epochs, files of each, moments of each file
    for folder in left:
        assert_same(whole, clone(detector).fit(X, checkpoint_dir=folder, resume=True))


@pytest.mark.slow
def test_processes_that_are_killed_still_end_the_same(kill_runs):
    # SO-GAAL's and MO-GAAL's are killed at other moments too, and by both doors.
    assert kill_runs("ALOCC", "graph", 1)["resumed"] == 1
