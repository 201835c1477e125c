"""gaal.pyod: PyOD's interface around the published training."""

import importlib
import inspect
import os
import subprocess
import sys
import types
import unittest
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from gaal import MOGAAL, SOGAAL
from gaal.datasets import load_dataset, make_onecluster

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def port():
    pytest.importorskip("pyod")
    return importlib.import_module("gaal.pyod")


@pytest.fixture(scope="module")
def points():
    """200 x 2, as users have them: of no particular scale."""
    data = make_onecluster(200, 15, random_state=0)
    return 1000 * data.data - 300, data.target


def test_without_pyod_the_extra_is_named(monkeypatch):
    for name in ("pyod", "pyod.models", "pyod.models.base"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "gaal.pyod", raising=False)
    with pytest.raises(ImportError, match=r"gaal\.pyod needs PyOD.*pip install '\.\[pyod\]'"):
        importlib.import_module("gaal.pyod")


@pytest.mark.slow
def test_another_backend_is_told_as_everywhere(port):
    """Also where that backend is not installed, and Keras fails to import."""
    program = "import sys; sys.modules['jax'] = None; import gaal.pyod"
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert "Keras's backend is jax, but gaal and alocc train by TensorFlow" in process.stderr


# ---------------------------------------------------------------------------------------
# A drop-in


def run_written_for_pyod(replacements):
    """Run the file written for PyOD's classes; how many tests it has, and those that failed."""
    source = (Path(__file__).parent / "written_for_pyod.py").read_text()
    for theirs, ours in replacements.items():
        assert source.count(theirs) == 1
        source = source.replace(theirs, ours)
    module = types.ModuleType("written_for_pyod")
    exec(compile(source, "written_for_pyod.py", "exec"), vars(module))
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    return result.testsRun, {
        test.id().removeprefix("written_for_pyod."): text
        for test, text in [*result.errors, *result.failures]
    }


OURS = {
    "from pyod.models.so_gaal import": "from gaal.pyod import",
    "from pyod.models.mo_gaal import": "from gaal.pyod import",
}


# PyOD's own: of methods that it deprecates, of costs and precisions that are not given.
pyods_warnings = pytest.mark.filterwarnings(
    "ignore::FutureWarning",
    "ignore:The cost of rejection:UserWarning",
    "ignore::sklearn.exceptions.UndefinedMetricWarning",
)


@pytest.mark.slow
@pyods_warnings
def test_a_file_written_for_pyod_passes_with_its_import_changed(port):
    assert run_written_for_pyod(OURS) == (27, {})


@pyods_warnings
def test_the_file_is_written_for_pyod(port):
    pytest.importorskip("torch").manual_seed(0)
    tests, failed = run_written_for_pyod({})
    assert tests == 27
    assert set(failed) <= {"TestMO_GAAL.test_saved_and_loaded"}  # PyOD 3.6's has no pickle


@pytest.mark.parametrize(
    ("name", "module"),
    [("SO_GAAL", "so_gaal"), ("MO_GAAL", "mo_gaal"), ("SO_GAAL", "so_gaal_new")],
)
def test_pyods_parameters_are_all_there(port, name, module):
    pytest.importorskip("torch")
    theirs = inspect.signature(
        getattr(importlib.import_module(f"pyod.models.{module}"), name)
    ).parameters
    ours = inspect.signature(getattr(port, name)).parameters
    assert set(theirs) <= set(ours)
    changed = {"verbose": 0, "random_state": None, "epoch_num": None}
    for parameter in theirs.values():
        expected = changed.get(parameter.name, parameter.default)
        assert ours[parameter.name].default == expected
    if module != "so_gaal_new":  # whose order is another
        assert list(ours)[: len(theirs)] == list(theirs)


@pytest.mark.slow
def test_it_needs_no_torch_and_saved_detectors_are_read_in_a_new_process(port, points, tmp_path):
    joblib = pytest.importorskip("joblib")
    X, _ = points
    clf = port.MO_GAAL(k=3, stop_epochs=1, random_state=0).fit(X)
    joblib.dump(clf, tmp_path / "clf.joblib")
    np.save(tmp_path / "X.npy", X)
    program = """if True:
        import sys, joblib, numpy as np
        class NoTorch:
            def find_spec(self, name, *_):
                if name.split(".")[0] == "torch":
                    raise ModuleNotFoundError("No module named 'torch'", name="torch")
        sys.meta_path.insert(0, NoTorch())
        import gaal.detectors
        assert "pyod" not in sys.modules
        clf = joblib.load("clf.joblib")
        np.save("scores.npy", clf.decision_function(np.load("X.npy")))
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), clf.decision_scores_)


# ---------------------------------------------------------------------------------------
# The published detector inside


def test_scores_are_one_minus_d_of_the_published_training(port, points):
    X, _ = points
    settings = {"stop_epochs": 2, "lr_d": 0.02, "lr_g": 0.001, "momentum": 0.5, "decay": 1e-3}
    for ours, inside in (
        (port.SO_GAAL(**settings, random_state=0), SOGAAL(**settings, random_state=0)),
        (port.MO_GAAL(3, **settings, random_state=0), MOGAAL(3, **settings, random_state=0)),
    ):
        ours.fit(X)
        model = make_pipeline(MinMaxScaler(), inside).fit(X)
        np.testing.assert_array_equal(ours.decision_scores_, 1 - model.score_samples(X))
        np.testing.assert_array_equal(
            ours.train_history["generator_loss"], inside.history_["generator_loss"]
        )
        moved = X[:20] + 50
        np.testing.assert_array_equal(ours.decision_function(moved), 1 - model.score_samples(moved))


def test_high_is_an_outlier(port, capsys):
    X, y = load_dataset("WDBC", return_X_y=True)
    clf = port.MO_GAAL(stop_epochs=100, contamination=y.mean(), random_state=0).fit(50 * X)
    assert roc_auc_score(y, clf.decision_scores_) > 0.9
    assert clf.predict_proba(50 * X)[y == 1, 1].mean() > clf.predict_proba(50 * X)[y == 0, 1].mean()
    assert capsys.readouterr().out == ""


def test_without_preprocessing_data_are_taken_as_they_come(port, points):
    X, _ = points
    unit = MinMaxScaler().fit_transform(X)
    clf = port.SO_GAAL(stop_epochs=1, preprocessing=False, random_state=0)
    scaled = port.SO_GAAL(stop_epochs=1, random_state=0).fit(X)
    np.testing.assert_array_equal(clf.fit(unit).decision_scores_, scaled.decision_scores_)
    with pytest.warns(UserWarning, match=r"The features of X lie in \[.*Scale the features"):
        clf.fit(X)


def test_epoch_num_is_of_all_epochs_and_stops_the_generator_at_a_third(port, points):
    X, _ = points
    clf = port.SO_GAAL(epoch_num=7, random_state=0).fit(X)
    same = SOGAAL(2, epochs=7, random_state=0).fit(MinMaxScaler().fit_transform(X))
    assert clf.train_history["discriminator_loss"] == list(same.history_["discriminator_loss"])
    assert len(clf.train_history["discriminator_loss"]) == 7
    short = port.SO_GAAL(epoch_num=1, random_state=0).fit(X)
    assert len(short.train_history["discriminator_loss"]) == 1


def test_a_seed_of_numpys_is_taken(port, points):
    X, _ = points

    def scores(seed):
        np.random.seed(seed)  # noqa: NPY002
        return port.SO_GAAL(stop_epochs=1).fit(X).decision_scores_

    first, again, other = scores(0), scores(0), scores(1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_labels_of_one_class_leave_two_probabilities(port, points):
    X, _ = points
    with pytest.warns(UserWarning, match="y should not be presented"):
        clf = port.SO_GAAL(stop_epochs=1).fit(X, np.zeros(len(X), int))
    assert clf.predict_proba(X).shape == (len(X), 2)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"criterion_name": "mse"}, "criterion_name is 'mse'; expected 'bce'"),
        ({"use_compile": True}, "use_compile is True; expected False"),
        ({"compile_mode": "max-autotune"}, "compile_mode is 'max-autotune'; expected 'default'"),
        ({"device": "cuda:7"}, "device is 'cuda:7'; expected None or"),
        ({"epoch_num": 9, "stop_epochs": 3}, "stop_epochs is 3 and epoch_num 9; expected one"),
        ({"epoch_num": 0}, "'epoch_num' parameter of SO_GAAL"),
        ({"stop_epochs": 0}, "'stop_epochs' parameter of SO_GAAL"),
        ({"preprocessing": "minmax"}, "'preprocessing' parameter of SO_GAAL"),
    ],
)
def test_what_has_no_meaning_here_is_refused(port, points, parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        port.SO_GAAL(**parameters).fit(points[0])


def test_a_contamination_set_later_is_checked(port, points):
    clf = port.MO_GAAL(k=3).set_params(contamination=0.7)
    with pytest.raises(ValueError, match="'contamination' parameter of MO_GAAL"):
        clf.fit(points[0])


def test_the_device_that_is_used_may_be_named(port, points):
    tensorflow = pytest.importorskip("tensorflow")
    device = "cuda:0" if tensorflow.config.list_physical_devices("GPU") else "cpu"
    assert port.SO_GAAL(stop_epochs=1, device=device).fit(points[0]).labels_.sum() == 20


def test_a_threshold_may_come_from_pythresh(port, points):
    """PyThresh itself is not asked for: an object with what PyOD reads of it."""

    class Mean:
        def fit(self, scores):
            self.thresh_ = scores.mean()
            self.labels_ = self.predict(scores)

        def predict(self, scores):
            return (scores > self.thresh_).astype(int)

    clf = port.SO_GAAL(stop_epochs=1, contamination=Mean()).fit(points[0])
    assert clf.threshold_ == clf.decision_scores_.mean()
    np.testing.assert_array_equal(clf.predict(points[0]), clf.labels_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_training_that_diverged_labels_nothing(port, points):
    X, _ = points
    clf = port.SO_GAAL(stop_epochs=1, random_state=0).fit(X)
    labels = clf.labels_
    with pytest.raises(ValueError, match="200 of 200 samples is NaN"):
        clf.set_params(lr_d=1e38, stop_epochs=5).fit(X)
    np.testing.assert_array_equal(clf.predict(X), labels)  # what was fitted before is whole


def test_frames_are_taken_and_gaps_refused(port, points):
    pd = pytest.importorskip("pandas")
    X, _ = points
    frame = pd.DataFrame(X, columns=["a", "b"])
    clf = port.SO_GAAL(stop_epochs=1, random_state=0).fit(frame)
    assert clf.predict_proba(frame).shape == (200, 2)
    with pytest.raises(ValueError, match="feature names"):
        clf.decision_function(frame.rename(columns={"a": "c"}))
    with pytest.raises(ValueError, match="NaN"):
        clf.decision_function(frame.mask(frame.index.to_series() == 3))
