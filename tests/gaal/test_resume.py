"""SO-GAAL and MO-GAAL, killed and resumed, end where an undisturbed run ends, bit for bit."""

import os

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from gaal import MOGAAL, SOGAAL, cli, doors

X = np.random.default_rng(0).random((60, 3), dtype=np.float32)
Y = (np.arange(60) < 6).astype(int)
PARAMS = {"stop_epochs": 3, "batch_size": 20, "shuffle": True, "random_state": 0}
DETECTORS = [SOGAAL(**PARAMS), MOGAAL(k=3, **PARAMS)]
both = pytest.mark.parametrize("detector", DETECTORS, ids=["SO", "MO"])


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


def interrupted(detector, folder, epoch=4, y=Y, **checkpointing):
    checkpointing = {"checkpoint_every": 1, **checkpointing}
    with pytest.raises(Interruption):
        clone(detector).fit(X, y, [InterruptAt(epoch)], checkpoint_dir=folder, **checkpointing)
    return clone(detector)


def snapshots(folder):
    return sorted(int(path.name[9:15]) for path in folder.glob("snapshot_*"))


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.history_, other.history_, check_exact=True)
    weights = [detector.combine_model_.get_weights() for detector in (one, other)]
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.score_samples(X), other.score_samples(X))


@pytest.mark.parametrize(
    "detector",
    [DETECTORS[0], pytest.param(DETECTORS[1], marks=pytest.mark.slow)],
    ids=["SO", "MO"],
)
@pytest.mark.parametrize(("steps", "every"), [(1, 2), ("auto", 3)])
def test_a_resumed_run_equals_one_without_checkpoints(detector, steps, every, tmp_path):
    detector = clone(detector).set_params(steps_per_execution=steps)
    whole = clone(detector).fit(X, Y)
    resumed = interrupted(detector, tmp_path, checkpoint_every=every)
    assert snapshots(tmp_path) == {2: [2, 4], 3: [3]}[every]
    resumed.fit(X, Y, checkpoint_dir=tmp_path, checkpoint_every=every, resume=True)
    assert_same(whole, resumed)


@pytest.mark.slow
@both
def test_a_resumed_run_compiled_by_xla_equals_one_without_checkpoints(
    detector, tmp_path, monkeypatch
):
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    whole = clone(detector).fit(X, Y)
    resumed = interrupted(detector, tmp_path, checkpoint_every=2)
    resumed.fit(X, Y, checkpoint_dir=tmp_path, checkpoint_every=3, resume=True)
    assert_same(whole, resumed)


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = clone(DETECTORS[0]).fit(X, Y, checkpoint_dir=tmp_path)
    assert snapshots(tmp_path)[-1] == 9
    again = clone(DETECTORS[0]).fit(X, Y, [InterruptAt(0)], checkpoint_dir=tmp_path, resume=True)
    assert_same(first, again)


def test_more_epochs_go_on_to_what_the_longer_run_gives(tmp_path):
    short, long = (clone(DETECTORS[0]).set_params(epochs=epochs) for epochs in (4, 7))
    short.fit(X, Y, checkpoint_dir=tmp_path)
    longer = clone(long).fit(X, Y, checkpoint_dir=tmp_path, resume=True)
    assert_same(long.fit(X, Y), longer)
    with pytest.raises(ValueError, match="came to epoch 7, and epochs is 4"):
        clone(short).fit(X, Y, checkpoint_dir=tmp_path, resume=True)


def test_a_run_that_a_callback_ended_stays_ended(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    first = clone(DETECTORS[0]).fit(X, Y, [Stop()], checkpoint_dir=tmp_path)
    again = clone(DETECTORS[0]).fit(X, Y, checkpoint_dir=tmp_path, resume=True)
    assert len(again.history_) == 3 * 3
    assert_same(first, again)


def test_weights_that_a_callback_puts_back_at_the_end_are_the_finished_run_s(tmp_path):
    # Nothing is as much better as that: the first epoch stays the best.
    stop = keras.callbacks.EarlyStopping(
        "discriminator_loss", 9.0, patience=2, mode="min", restore_best_weights=True
    )
    first = clone(DETECTORS[0]).fit(X, Y, [stop], checkpoint_dir=tmp_path)
    best = clone(DETECTORS[0]).set_params(epochs=1).fit(X, Y)
    np.testing.assert_array_equal(first.score_samples(X), best.score_samples(X))
    again = clone(DETECTORS[0]).fit(X, Y, [stop], checkpoint_dir=tmp_path, resume=True)
    assert len(again.history_) == 3 * 3
    assert_same(first, again)


@pytest.mark.parametrize("every", [1, 10])
def test_a_run_killed_while_callbacks_end_it_ends_the_same(every, tmp_path):
    class StopAndDouble(keras.callbacks.Callback):
        def __init__(self, killed=False):
            super().__init__()
            self.killed = killed

        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 4

        def on_train_end(self, logs=None):
            if self.killed:
                raise Interruption
            self.model.set_weights([2 * weights for weights in self.model.get_weights()])

    whole = clone(DETECTORS[0]).fit(X, Y, [StopAndDouble()])
    with pytest.raises(Interruption):
        clone(DETECTORS[0]).fit(
            X, Y, [StopAndDouble(True)], checkpoint_dir=tmp_path, checkpoint_every=every
        )
    for _ in ("resumed", "finished"):  # the second time nothing is doubled again
        again = clone(DETECTORS[0])
        again.fit(X, Y, [StopAndDouble()], checkpoint_dir=tmp_path, resume=True)
        assert_same(whole, again)


@pytest.mark.parametrize("steps", [1, "auto"])
def test_rates_that_a_callback_has_set_are_the_resumed_run_s_too(steps, tmp_path):
    def halving():
        return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

    detector = clone(DETECTORS[0]).set_params(steps_per_execution=steps, lr_g=0.5)
    whole = clone(detector).fit(X, Y, [halving()])
    with pytest.raises(Interruption):
        clone(detector).fit(
            X, Y, [halving(), InterruptAt(4)], checkpoint_dir=tmp_path, checkpoint_every=1
        )
    resumed = clone(detector).fit(X, Y, [halving()], checkpoint_dir=tmp_path, resume=True)
    assert_same(whole, resumed)


@pytest.mark.slow
def test_stop_epochs_found_once_stay_the_run_s(tmp_path, monkeypatch):
    detector = clone(DETECTORS[0]).set_params(stop_epochs="auto")
    monkeypatch.setattr(SOGAAL, "_find_stop_epochs", lambda *_: 3)
    whole = clone(detector).fit(X, Y)
    early = interrupted(detector, tmp_path)
    monkeypatch.setattr(SOGAAL, "_find_stop_epochs", lambda *_: pytest.fail("searched again"))
    for resumed in (early, clone(detector)):  # interrupted, then finished
        resumed.fit(X, Y, checkpoint_dir=tmp_path, resume=True)
        assert resumed.stop_epochs_ == 3
        assert_same(whole, resumed)


def test_a_seed_drawn_at_random_stays_the_run_s(tmp_path):
    detector = clone(DETECTORS[0]).set_params(random_state=None)
    early = interrupted(detector, tmp_path, epoch=1, y=None)
    before = training_loss(tmp_path)
    early.fit(X, checkpoint_dir=tmp_path, resume=True)
    assert early.history_["discriminator_loss"].iloc[:3].tolist() == before
    # From there it is as settled as with a seed given: begin once more from that snapshot.
    again = clone(DETECTORS[0]).set_params(random_state=np.random.RandomState(7))
    again.fit(X, checkpoint_dir=tmp_path, resume=True)
    assert_same(early, again)


def training_loss(folder):
    (path,) = folder.glob("snapshot_*")
    with np.load(path, allow_pickle=False) as archive:
        return archive["history_discriminator_loss"].tolist()


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"lr_d": 0.02}, (X, Y), r"lr_d was 0\.01, is 0\.02\.$"),
        ({"stop_epochs": 4}, (X, Y), r"stop_epochs was 3, is 4\.$"),
        ({"random_state": 1}, (X, Y), r"random_state was 0, is 1\.$"),
        ({"steps_per_execution": 1}, (X, Y), r"steps_per_execution was auto, is 1\.$"),
        ({}, (X[::-1], Y), r": SHA-256 of X was [0-9a-f]{64}, is [0-9a-f]{64}\.$"),
        ({}, (X[:50], Y[:50]), r"form of X was float32 of shape \(60, 3\), is .*\(50, 3\)"),
        ({}, (X, 1 - Y), r": SHA-256 of y was [0-9a-f]{64}, is [0-9a-f]{64}\.$"),
        ({}, (X, None), r"form of y was bool of shape \(60,\), is None"),
    ],
)
def test_other_settings_or_data_are_refused_by_name(params, data, message, finished):
    with pytest.raises(ValueError, match=message):
        clone(DETECTORS[0]).set_params(**params).fit(*data, checkpoint_dir=finished, resume=True)


def test_another_algorithm_is_refused_by_name(finished):
    with pytest.raises(ValueError, match=r"class was SOGAAL, is MOGAAL.*k was unknown, is 3"):
        clone(DETECTORS[1]).fit(X, Y, checkpoint_dir=finished, resume=True)


def test_what_does_not_change_training_may_change(finished):
    detector = clone(DETECTORS[0]).set_params(contamination=0.1, verbose=0)
    detector.fit(X, Y, checkpoint_dir=finished, resume=True)
    assert (detector.predict(X) == -1).sum() == 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    clone(DETECTORS[0]).fit(X, Y, checkpoint_dir=folder)
    return folder


def test_a_run_is_not_begun_over_another_s_snapshots(finished):
    before = sorted(os.listdir(finished))
    with pytest.raises(FileExistsError, match=r"came to epoch 9.*resume=True"):
        clone(DETECTORS[0]).fit(X, Y, checkpoint_dir=finished)
    assert sorted(os.listdir(finished)) == before


def test_resume_without_a_folder_is_refused():
    with pytest.raises(ValueError, match="resume=True, but checkpoint_dir is None"):
        clone(DETECTORS[0]).fit(X, Y, resume=True)


def test_a_full_disk_ends_the_run_and_leaves_what_can_be_resumed(tmp_path, full_disk):
    whole = clone(DETECTORS[1]).fit(X, Y)
    interrupted(DETECTORS[1], tmp_path, epoch=2)
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    kept = snapshots(tmp_path)
    detector = clone(DETECTORS[1])
    with full_disk(size), pytest.raises(OSError, match=r"snapshot_00000\d\..* cannot be written"):
        detector.fit(X, Y, checkpoint_dir=tmp_path, checkpoint_every=1, resume=True)
    assert not hasattr(detector, "history_")
    assert snapshots(tmp_path) == kept
    assert_same(whole, detector.fit(X, Y, checkpoint_dir=tmp_path, resume=True))


def test_the_command_resumes_and_tells_what_it_refuses(tmp_path, capsys):
    folder, histories = tmp_path / "checkpoints", []
    base = ["--path", "WDBC", "--stop_epochs", "2", "--seed", "3", "--quiet"]
    for name in ("first", "again"):
        more = ["--checkpoint_dir", str(folder), "--checkpoint_every", "2", "--resume"]
        assert cli.so_gaal([*base, *more, "--output", str(tmp_path / name)]) == 0
        histories.append((tmp_path / name / "history.csv").read_bytes())
    assert histories[0] == histories[1]
    assert snapshots(folder) == [4, 6]
    capsys.readouterr()
    assert cli.so_gaal([*base, *more, "--lr_d", "0.5"]) == 2
    assert "lr_d was 0.01, is 0.5." in capsys.readouterr().err
    assert cli.so_gaal([*base, "--resume"]) == 2
    assert "checkpoint_dir" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detector", "steps"), [(DETECTORS[0], 1), (DETECTORS[1], "auto")], ids=["SO", "MO"]
)
def test_whatever_a_kill_leaves_the_run_ends_the_same(detector, steps, left_by_kills):
    detector = clone(detector).set_params(steps_per_execution=steps)
    run, left = left_by_kills
    whole = clone(detector).fit(X, Y, checkpoint_dir=run, checkpoint_every=1)
    assert len(left) == 9 * 2  # epochs, moments of each snapshot
    for folder in left:
        assert_same(whole, clone(detector).fit(X, Y, checkpoint_dir=folder, resume=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "door"), [("SO-GAAL", "train_on_batch"), ("MO-GAAL", "graph")]
)
def test_processes_that_are_killed_still_end_the_same(algorithm, door, kill_runs):
    assert kill_runs(algorithm, door, 3)["resumed"] >= 2  # at a moment of each kind
