"""GAALEnsemble trains as SOGAAL and MOGAAL do, never stops, and scores by the mean of D."""

import itertools
import pickle
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gaal import MOGAAL, SOGAAL, GAALEnsemble, cli, doors, ensemble

X = np.random.default_rng(0).random((80, 3)).astype(np.float32)
Y = (np.arange(80) < 8).astype(int)
SMALL = {"n_estimators": 2, "n_updates": 12, "n_snapshots": 4, "batch_size": 20}
ONE, SEVERAL = (GAALEnsemble(**SMALL, random_state=0, k=k) for k in (None, 3))
both = pytest.mark.parametrize("detector", [ONE, SEVERAL], ids=["one", "k=3"])


@pytest.fixture(autouse=True)
def early(monkeypatch):
    """Look at D from the second update on, or no test would be short."""
    monkeypatch.setattr(ensemble, "FIRST", 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([GAALEnsemble(**SMALL, contamination=0.1)])
def test_scikit_learn_s_checks_pass(estimator, check):
    check(estimator)


class Keep(keras.callbacks.Callback):
    """Keeps D's weights of every epoch."""

    def on_train_begin(self, logs=None):
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.layers[-1].get_weights())


@pytest.mark.parametrize(
    "steps", ["auto", *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3))]
)
@both
def test_a_member_trains_as_the_published_detector_of_its_seed(detector, steps):
    detector = clone(detector).set_params(steps_per_execution=steps).fit(X)
    assert detector.updates_.tolist() == [2, 4, 7, 12]
    settings = {"whether_stop": False, "batch_size": 20, "scale": "minmax"}
    settings["steps_per_execution"] = steps
    losses = []
    for i, seed in enumerate(detector.seeds_.tolist()):
        settings["random_state"] = seed
        published = MOGAAL(detector.k, **settings) if detector.k else SOGAAL(**settings)
        keep = Keep()
        published.set_params(epochs=3).fit(X, callbacks=[keep])
        for look, epoch in ((1, 0), (3, 2)):  # four updates an epoch
            for kept, w in zip(detector.weights_, keep.weights[epoch]):
                np.testing.assert_array_equal(kept[i, look], w)
        losses.append(published.history_[["discriminator_loss", "generator_loss"]])
    pd.testing.assert_frame_equal(detector.history_, sum(losses) / 2, rtol=1e-7)


@pytest.mark.slow
def test_a_member_compiled_by_xla_trains_as_the_published_detector_does(monkeypatch):
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    detector = clone(ONE).set_params(n_estimators=1).fit(X)
    published = SOGAAL(whether_stop=False, epochs=3, batch_size=20, scale="minmax")
    published.set_params(random_state=int(detector.seeds_[0])).fit(X)
    for kept, w in zip(detector.weights_, published.discriminator_.get_weights()):
        np.testing.assert_allclose(kept[0, -1], w, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_share_the_members_updates_evenly_and_in_order(n_threads):
    here = threading.local()

    class Recording:
        def __init__(self):
            self.calls = []

        def advance(self, start, stop):
            self.calls.append((here.number, start, stop))
            return np.arange(start, stop)[:, None]

    def run_all(run, numbers):
        def one(number):
            here.number = number
            run(number)

        return threads.map(one, numbers)

    members = [Recording() for _ in range(3)]
    with ThreadPoolExecutor(n_threads) as threads:
        losses = ensemble.advance(members, 100, 116, n_threads, run_all)
    for part in losses:
        np.testing.assert_array_equal(part[:, 0], np.arange(100, 116))
    updates = np.zeros(n_threads)
    for number, start, stop in itertools.chain(*(member.calls for member in members)):
        updates[number] += stop - start
    assert updates.tolist() == [48 / n_threads] * n_threads


def test_a_member_that_fails_holds_up_no_other_thread():
    class Failing:
        def advance(self, start, stop):
            raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as threads, pytest.raises(KeyboardInterrupt):
        ensemble.advance([Failing() for _ in range(3)], 0, 16, 2, threads.map)


@both
def test_the_score_is_the_geometric_mean_of_d_over_members_and_updates(detector):
    detector = clone(detector).fit(X)
    scaled = MinMaxScaler().fit_transform(X.astype(float)).astype(np.float32)
    logs = []
    for i in range(2):
        for look in range(4):
            kernel, bias, out, last = (w[i, look].astype(float) for w in detector.weights_)
            logits = np.maximum(scaled @ kernel + bias, 0) @ out + last
            logs.append(-np.log1p(np.exp(-logits[:, 0])))
    scores = detector.score_samples(X)
    np.testing.assert_allclose(scores, np.exp(np.mean(logs, axis=0)), rtol=1e-5)
    np.testing.assert_array_equal(detector.predict(X), np.where(scores < 0.5, -1, 1))


def test_looks_lie_evenly_in_log_update_and_none_comes_twice(monkeypatch):
    monkeypatch.setattr(ensemble, "FIRST", 64)
    assert ensemble.look_at(4096, 4).tolist() == [64, 256, 1024, 4096]
    assert ensemble.look_at(66, 30).tolist() == [64, 65, 66]
    assert ensemble.look_at(10, 5).tolist() == [10]
    assert ensemble.look_at(500, 1).tolist() == [500]


def test_a_row_scores_the_same_in_any_company(monkeypatch):
    detector = clone(ONE).fit(X)
    whole = detector.score_samples(X)
    for rows in (1, 7, 33):
        np.testing.assert_array_equal(detector.score_samples(X[:rows]), whole[:rows])
    monkeypatch.setattr(ensemble, "SCORE_NUMBERS", 1)  # sixteen rows a product
    np.testing.assert_allclose(detector.score_samples(X), whole, rtol=1e-7)


def test_members_are_the_same_whatever_their_number_and_the_seed_tells_them_apart():
    two, three = (clone(ONE).set_params(n_estimators=n).fit(X) for n in (2, 3))
    np.testing.assert_array_equal(two.weights_[0], three.weights_[0][:2])
    assert np.abs(three.weights_[0][0] - three.weights_[0][2]).max() > 1e-3
    again = clone(ONE).fit(X)
    np.testing.assert_array_equal(two.score_samples(X), again.score_samples(X))
    other = clone(ONE).set_params(random_state=1).fit(X)
    assert np.abs(two.score_samples(X) - other.score_samples(X)).max() > 1e-3


def test_it_scales_by_itself_and_monitors_the_auc_of_the_mean():
    wide = 100 * X - 7
    detector = clone(ONE).fit(wide, Y)
    assert list(detector.history_) == ["discriminator_loss", "generator_loss", "auc"]
    assert len(detector.history_) == 12
    expected = roc_auc_score(Y, 1 - detector.score_samples(wide))
    assert detector.history_["auc"].iloc[-1] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(
        detector.score_samples(wide), clone(ONE).fit(X).score_samples(X), atol=1e-5
    )


def test_contamination_sets_the_share_called_outliers():
    assert np.sum(clone(ONE).set_params(contamination=0.1).fit(X).predict(X) == -1) == 8


@both
def test_saved_and_pickled_detectors_score_the_same(detector, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    detector = clone(detector).set_params(contamination=0.25).fit(frame, Y)
    detector.save(tmp_path / "detector.zip")
    loaded = GAALEnsemble.load(tmp_path / "detector.zip")
    for other in (loaded, pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(other.score_samples(frame), detector.score_samples(frame))
        np.testing.assert_array_equal(other.predict(frame), detector.predict(frame))
        assert other.feature_names_in_.tolist() == ["a", "b", "c"]
        assert other.get_params() == detector.get_params()
        pd.testing.assert_frame_equal(other.history_, detector.history_)
        np.testing.assert_array_equal(other.updates_, detector.updates_)
        np.testing.assert_array_equal(other.seeds_, detector.seeds_)
    with zipfile.ZipFile(tmp_path / "detector.zip") as archive:
        names = sorted(archive.namelist())
    assert names == ["detector.json", "discriminators.npz", "history.csv"]
    with pytest.raises(ValueError, match="holds a GAALEnsemble"):
        SOGAAL.load(tmp_path / "detector.zip")


@pytest.mark.parametrize("steps", [1, "auto"])
@both
def test_a_resumed_run_equals_one_without_checkpoints(detector, steps, tmp_path):
    class Break(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    detector = clone(detector).set_params(steps_per_execution=steps)
    whole = clone(detector).fit(X, Y)
    with pytest.raises(KeyboardInterrupt):
        clone(detector).fit(X, Y, [Break()], checkpoint_dir=tmp_path, checkpoint_every=1)
    resumed = clone(detector).fit(X, Y, checkpoint_dir=tmp_path, resume=True)
    pd.testing.assert_frame_equal(resumed.history_, whole.history_, check_exact=True)
    for one, other in zip(resumed.weights_, whole.weights_):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="n_updates was 12, is 13"):
        clone(detector).set_params(n_updates=13).fit(X, Y, checkpoint_dir=tmp_path, resume=True)


def test_callbacks_see_every_look_and_may_end_training():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, logs))
            self.model.stop_training = epoch == 2

    detector = clone(ONE).fit(X, Y, [Look()])
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    assert detector.updates_.tolist() == [2, 4, 7]
    assert len(detector.history_) == 7
    assert detector.weights_[0].shape == (2, 3, 3, 9)
    last = detector.history_[4:].mean()
    for name, value in seen[-1][1].items():
        assert value == pytest.approx(last[name])


def test_verbose_shows_updates_and_silence_is_the_default(capfd):
    clone(ONE).fit(X)
    assert capfd.readouterr().out == ""
    clone(ONE).set_params(verbose=1).fit(X, Y)
    out = capfd.readouterr().out
    assert "12/12" in out
    assert "auc" in out


def test_files_and_data_sets_give_what_arrays_give(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.to_parquet(tmp_path / "X.parquet")
    expected = clone(ONE).fit(X).score_samples(X)
    np.save(tmp_path / "X.npy", X)
    for table in (
        tmp_path / "X.parquet",
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        tf.data.Dataset.from_tensor_slices(X),
    ):
        np.testing.assert_array_equal(clone(ONE).fit(table).score_samples(table), expected)


def test_searches_take_it():
    y, folds = np.where(Y, -1, 1), StratifiedKFold(2)
    search = GridSearchCV(
        ONE, {"n_updates": [3, 12]}, scoring="roc_auc", cv=folds, error_score="raise"
    ).fit(X, y)
    expected = np.zeros(2)
    for i, n_updates in enumerate((3, 12)):
        for train, test in folds.split(X, y):
            fitted = clone(ONE).set_params(n_updates=n_updates).fit(X[train])
            expected[i] += roc_auc_score(Y[test], 1 - fitted.score_samples(X[test])) / 2
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)
    assert search.best_params_["n_updates"] == (3, 12)[np.argmax(expected)]


def test_what_has_no_effect_is_refused():
    with pytest.raises(ValueError, match="quantile_sample_size is 10 and k None"):
        clone(ONE).set_params(quantile_sample_size=10).fit(X)
    with pytest.raises(ValueError, match=r"k=7 sub-generators share a batch of 20 rows"):
        clone(SEVERAL).set_params(k=7).fit(X)
    with pytest.raises(ValueError, match="resume=True, but checkpoint_dir is None"):
        clone(ONE).fit(X, resume=True)


@pytest.mark.slow
def test_outliers_of_a_cluster_are_found_with_the_defaults(monkeypatch):
    monkeypatch.setattr(ensemble, "FIRST", 64)
    rng = np.random.default_rng(0)
    inliers, outliers = rng.normal(5, 0.5, (190, 2)), rng.uniform(0, 10, (10, 2))
    outliers = outliers[np.abs(outliers - 5).max(axis=1) > 2]
    rows = np.vstack([inliers, outliers])
    y = np.repeat([0, 1], [len(inliers), len(outliers)])
    detector = GAALEnsemble(random_state=0).fit(rows)
    assert roc_auc_score(y, 1 - detector.score_samples(rows)) > 0.98
    assert np.mean(detector.predict(rows) == -1) < 0.2


def test_the_command_trains_saves_and_sweeps(tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", X=100 * X, y=Y)
    base = f"--path {tmp_path / 'mine.npz'} --n_updates 12 --n_snapshots 4".split()
    more = ["--seed", "3", "--n_estimators", "2", "--output", str(tmp_path / "out")]
    assert cli.gaal_ensemble([*base, *more]) == 0
    out = capsys.readouterr().out
    assert "gaal-ensemble on" in out
    assert "after 12 updates" in out
    loaded = GAALEnsemble.load(tmp_path / "out" / "detector.zip")
    expected = GAALEnsemble(2, n_updates=12, n_snapshots=4, random_state=3).fit(100 * X)
    np.testing.assert_array_equal(loaded.score_samples(100 * X), expected.score_samples(100 * X))
    assert (tmp_path / "out" / "curves.png").exists()
    sweep = ["sweep", *base, "--grid", "n_estimators=1,2", "--seeds", "1", "--quiet"]
    assert cli.gaal_ensemble([*sweep, "--output", str(tmp_path / "sweep")]) == 0
    table = pd.read_csv(tmp_path / "sweep" / "sweep.csv")
    assert table["auc_end"].notna().all()
    assert table["auc_stop"].isna().all()


def test_the_command_s_defaults_are_the_detector_s():
    given = cli._parser("gaal-ensemble").parse_args([])
    assert cli._detector("gaal-ensemble", given).get_params() == GAALEnsemble().get_params()


@pytest.mark.extras
def test_pyod_s_interface_turns_the_score_and_takes_any_scale():
    pytest.importorskip("pyod")
    from gaal import pyod

    settings = {"n_estimators": 2, "n_updates": 12, "n_snapshots": 4, "random_state": 0}
    clf = pyod.GAALEnsemble(**settings, contamination=0.1).fit(100 * X)
    inside = GAALEnsemble(**settings).fit(100 * X)
    np.testing.assert_allclose(
        clf.decision_function(100 * X), 1 - inside.score_samples(100 * X), rtol=1e-6
    )
    assert clf.labels_.sum() == 8
    assert len(clf.train_history["discriminator_loss"]) == 12
