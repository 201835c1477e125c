"""TensorBoard: what the callbacks write, read back, and shown by a real TensorBoard."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray

from alocc import ALOCC
from gaal import MOGAAL, SOGAAL, GAALEnsemble
from gaal.datasets import make_onecluster

DATA = make_onecluster(60, 6, random_state=0)


def events(folder):
    """What is in the one file of a run."""
    (file,) = [file for file in folder.rglob("*") if file.is_file()]
    accumulator = EventAccumulator(str(file), size_guidance={"tensors": 0})
    return accumulator.Reload()


def series(run, tag):
    written = run.Tensors(tag)
    values = np.array([make_ndarray(event.tensor_proto) for event in written])
    return [event.step for event in written], values


def hparams(run):
    data = run.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(data).session_start_info.hparams


@pytest.fixture(scope="module")
def mogaal(tmp_path_factory):
    from gaal.tensorboard import TensorBoard

    folder = tmp_path_factory.mktemp("tensorboard")
    # 60 rows in batches of 30: two updates an epoch.
    detector = MOGAAL(k=2, stop_epochs=2, batch_size=30, decay=0.01, random_state=0)
    callback = TensorBoard(folder / "run", detector, DATA.data, looks=3)
    detector.fit(DATA.data, DATA.target, callbacks=[callback])
    return folder, detector


def test_losses_and_auc_are_the_epochs_of_history(mogaal):
    folder, detector = mogaal
    run = events(folder)
    epochs = detector.history_.groupby(np.arange(12) // 2).mean()
    columns = "discriminator_loss sub_generator0_loss sub_generator1_loss generator_loss auc"
    assert epochs.columns.tolist() == columns.split()
    for column in epochs:
        steps, values = series(run, f"epoch_{column}")
        assert steps == list(range(6))
        np.testing.assert_allclose(values, epochs[column], rtol=1e-6)


def test_an_ensemble_s_epochs_are_its_looks_and_its_scores_the_first_member_s(tmp_path):
    from gaal.tensorboard import TensorBoard

    detector = GAALEnsemble(2, n_updates=67, n_snapshots=3, random_state=0)
    callback = TensorBoard(tmp_path, detector, DATA.data)
    detector.fit(DATA.data, DATA.target, callbacks=[callback])
    run = events(tmp_path)
    looks = np.repeat([0, 1, 2], np.diff(detector.updates_, prepend=0))
    for column, means in detector.history_.groupby(looks).mean().items():
        steps, values = series(run, f"epoch_{column}")
        assert steps == [0, 1, 2]
        np.testing.assert_allclose(values, means, rtol=1e-6)
    steps, histograms = series(run, "scores/d_x")
    assert steps == [0, 1, 2]
    kernel, bias, out, last = (w[0, -1] for w in detector.weights_)
    rows = detector.scaler_.transform(DATA.data)
    first = 1 / (1 + np.exp(-(np.maximum(rows @ kernel + bias, 0) @ out + last)))
    assert histograms[-1][0, 0] == pytest.approx(first.min(), abs=1e-6)
    assert histograms[-1][-1, 1] == pytest.approx(first.max(), abs=1e-6)


def test_learning_rates_follow_their_schedules(mogaal):
    run = events(mogaal[0])
    rates = 1 / (1 + 0.01 * np.arange(2, 14, 2))
    values = series(run, "epoch_learning_rate_discriminator")[1]
    np.testing.assert_allclose(values, 0.01 * rates, rtol=1e-6)
    # The generators stop after stop_epochs * 2 + 1 updates.
    values = series(run, "epoch_learning_rate")[1]
    expected = 0.0001 / (1 + 0.01 * np.array([2, 4, 5, 5, 5, 5]))
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_scores_are_looked_at_evenly_and_in_the_end(mogaal):
    folder, detector = mogaal
    steps, values = series(events(folder), "scores/d_x")
    assert steps == [0, 2, 4, 5]
    scores = detector.score_samples(DATA.data)
    assert values[-1][:, 2].sum() == len(scores)  # left and right edge, and count
    assert values[-1][0, 0] == pytest.approx(scores.min(), abs=1e-6)
    assert values[-1][-1, 1] == pytest.approx(scores.max(), abs=1e-6)


def test_parameters_are_hyper_parameters(mogaal):
    folder, detector = mogaal
    written = hparams(events(folder))
    assert set(written) == set(detector.get_params()) - {"verbose"}
    assert written["k"].number_value == 2
    assert written["decay"].number_value == 0.01
    assert written["epochs"].string_value == "None"
    assert written["whether_stop"].bool_value is True
    assert "_hparams_/session_end_info" in events(folder).Tags()["tensors"]


def test_watching_changes_no_number(mogaal):
    _, detector = mogaal
    alone = MOGAAL(**detector.get_params()).fit(DATA.data, DATA.target)
    np.testing.assert_allclose(alone.history_, detector.history_, atol=1e-6)


@pytest.mark.slow
def test_alocc_shows_scores_and_reconstructions(tmp_path):
    from alocc.tensorboard import TensorBoard

    X = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    detector = ALOCC(epochs=2, batch_size=8, gf_dim=2, df_dim=2, decay=0.1, random_state=0)
    detector.set_params(select_epoch="last")
    detector.fit(X, callbacks=[TensorBoard(tmp_path, detector, X)])
    run = events(tmp_path)
    means = detector.history_.groupby("epoch").mean()
    for column in means:
        np.testing.assert_allclose(series(run, f"epoch_{column}")[1], means[column], rtol=1e-6)
    # Four steps an update, of one optimizer.
    rates = series(run, "epoch_learning_rate")[1]
    np.testing.assert_allclose(rates, 0.002 / (1 + 0.1 * np.array([8, 16])), rtol=1e-6)
    assert "epoch_learning_rate_discriminator" not in run.Tags()["tensors"]
    for score in ("reconstruction", "d_x", "d_rx"):
        steps, values = series(run, f"scores/{score}")
        assert steps == [0, 1]
        expected = detector.score_samples(X, score)
        assert values[-1][:, 2].sum() == 20
        assert values[-1][0, 0] == pytest.approx(expected.min(), abs=1e-5)
        assert values[-1][-1, 1] == pytest.approx(expected.max(), abs=1e-5)
    assert hparams(run)["noise_sigma"].number_value == 0.155

    import tensorflow as tf

    width, height, *pictures = run.Tensors("reconstructions")[-1].tensor_proto.string_val
    assert (int(width), int(height), len(pictures)) == (160, 48, 1)
    picture = tf.io.decode_png(pictures[0]).numpy()
    np.testing.assert_array_equal(picture[:16, :, 0], np.concatenate(list(X[:10]), axis=1))
    noisy = picture[16:32, :, 0].reshape(16, 10, 16).swapaxes(0, 1)
    assert 0.05 < (noisy / 255 - X[:10] / 255).std() < 0.155  # clipped to [0, 1]
    assert picture[32:].std() > 0


def test_the_flag_writes_events(tmp_path, capsys):
    from gaal.cli import so_gaal

    X = DATA.data
    lines = [
        f"{i},{'out' if y else 'nor'},{a},{b}" for i, y, (a, b) in zip(DATA.ids, DATA.target, X)
    ]
    (tmp_path / "points").write_text("\n".join(lines) + "\n")
    flags = f"--path {tmp_path / 'points'} --stop_epochs 1 --seed 0 --quiet"
    assert so_gaal([*flags.split(), "--tensorboard", str(tmp_path / "events")]) == 0
    run = events(tmp_path / "events")
    printed = float(capsys.readouterr().out.split()[1])
    assert series(run, "epoch_auc")[1][-1] == pytest.approx(printed, abs=1e-4)
    assert series(run, "scores/d_x")[0] == [0, 1, 2]
    assert hparams(run)["stop_epochs"].number_value == 1


def test_what_is_wrong_is_told_before_the_training(tmp_path, monkeypatch):
    from gaal.tensorboard import TensorBoard

    with pytest.raises(ValueError, match="looks is 0"):
        TensorBoard(tmp_path, looks=0)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"gaal-alocc\[tensorboard\]"):
        TensorBoard(tmp_path)


def histogram(run, tag):
    """Steps, and least and greatest value and count of the last."""
    steps, values = series(run, tag)
    return steps, values[-1][0, 0], values[-1][-1, 1], values[-1][:, 2].sum()


@pytest.mark.parametrize("jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_the_clones_of_a_cross_validation_have_runs_of_their_own(tmp_path, jobs):
    from gaal.tensorboard import TensorBoard

    X = 10 * DATA.data - 3
    original = SOGAAL(stop_epochs=1, scale="minmax", random_state=0)
    results = cross_validate(
        original.set_params(lr_d=0.02),
        X,
        np.where(DATA.target, -1, 1),
        cv=StratifiedKFold(3),
        scoring="roc_auc",
        params={"callbacks": [TensorBoard(tmp_path, original, X)]},
        return_estimator=True,
        n_jobs=jobs,
    )
    folders = sorted(folder.name for folder in tmp_path.iterdir())
    assert folders == ["fit_1", "fit_2", "fit_3"]
    shown = [histogram(events(tmp_path / name), "scores/d_x")[1:] for name in folders]
    scores = [detector.score_samples(X) for detector in results["estimator"]]
    expected = sorted((s.min(), s.max(), len(s)) for s in scores)
    np.testing.assert_allclose(sorted(shown), expected, atol=1e-6)
    assert {hparams(events(tmp_path / name))["lr_d"].number_value for name in folders} == {0.02}


def test_a_search_shows_each_clone_with_its_parameters_and_its_scale(tmp_path):
    from gaal.tensorboard import TensorBoard

    search = GridSearchCV(
        SOGAAL(stop_epochs=1, random_state=0),
        {"scale": [None, "minmax"], "lr_d": [0.01, 0.1]},
        scoring="roc_auc",
        cv=[(np.arange(60), np.arange(60))],
        refit=False,
    )
    search.fit(DATA.data, np.where(DATA.target, -1, 1), callbacks=TensorBoard(tmp_path))
    for params in search.cv_results_["params"]:
        (run,) = (
            run
            for run in map(events, tmp_path.iterdir())
            if hparams(run)["lr_d"].number_value == params["lr_d"]
            and hparams(run)["scale"].string_value == str(params["scale"])
        )
        scores = search.estimator.set_params(**params).fit(DATA.data).score_samples(DATA.data)
        _, *shown = histogram(run, "scores/d_x")
        np.testing.assert_allclose(shown, [scores.min(), scores.max(), 60], atol=1e-6)


def test_behind_a_scaler_it_shows_the_rows_that_the_detector_sees_or_says_so(tmp_path):
    from gaal.tensorboard import TensorBoard

    X = 10 * DATA.data - 3
    pipeline = make_pipeline(MinMaxScaler(), SOGAAL(stop_epochs=1, random_state=0))
    pipeline.fit(X, sogaal__callbacks=TensorBoard(tmp_path / "right"))
    scores = pipeline.score_samples(X)
    (run,) = (tmp_path / "right").iterdir()
    _, *shown = histogram(events(run), "scores/d_x")
    np.testing.assert_allclose(shown, [scores.min(), scores.max(), 60], atol=1e-6)
    with pytest.warns(UserWarning, match=r"None of the rows X .* SOGAAL is fitted on.*scaler"):
        pipeline.fit(X, sogaal__callbacks=TensorBoard(tmp_path / "wrong", X=X))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{"statistics": "train_batch", "orientation": "training"}, {"statistics": "batch"}],
)
def test_alocc_shows_what_its_scores_would_be(tmp_path, settings):
    from alocc.tensorboard import TensorBoard

    X = np.random.default_rng(0).random((20, 16, 16), np.float32)
    detector = ALOCC(
        2, batch_size=12, gf_dim=2, df_dim=2, select_epoch="last", random_state=0, **settings
    )
    if detector.least_together:
        with pytest.raises(ValueError, match="has 11 images to score; expected batch_size=12"):
            detector.fit(X, callbacks=[TensorBoard(tmp_path, detector, X[:11])])
    detector.fit(X, callbacks=[TensorBoard(tmp_path, detector)])
    for score in ("reconstruction", "d_x", "d_rx"):
        steps, *shown = histogram(events(tmp_path), f"scores/{score}")
        expected = detector.score_samples(X, score)
        assert steps == [0, 1]
        np.testing.assert_allclose(shown, [expected.min(), expected.max(), 20], atol=1e-5)


@pytest.mark.slow
def test_a_real_tensorboard_serves_it(mogaal):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(mogaal[0])]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--load_fast", "false"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tags, end = {}, time.monotonic() + 120
        while not tags and time.monotonic() < end:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{port}/data/plugin/scalars/tags"
                with urllib.request.urlopen(url, timeout=30) as answer:
                    tags = json.load(answer)
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait()
    (names,) = tags.values()
    assert {"epoch_auc", "epoch_sub_generator1_loss", "epoch_learning_rate"} <= set(names)
