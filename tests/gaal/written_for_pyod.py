"""A test file as PyOD's users write it. test_pyod.py runs it with its imports replaced."""

# ruff: noqa: NPY002, PT027

import os
import pickle
import tempfile
import unittest

import joblib
import numpy as np
from pyod.models.mo_gaal import MO_GAAL
from pyod.models.so_gaal import SO_GAAL
from pyod.utils import persistence
from pyod.utils.data import evaluate_print, generate_data
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Detector:
    """What holds for both; the classes below say which."""

    contamination = 0.1

    @classmethod
    def setUpClass(cls):
        cls.X_train, cls.X_test, cls.y_train, cls.y_test = generate_data(
            n_train=200,
            n_test=100,
            n_features=2,
            contamination=cls.contamination,
            random_state=42,
        )
        np.random.seed(0)
        cls.clf = cls.make()
        assert cls.clf.fit(cls.X_train) is cls.clf

    def test_attributes(self):
        assert self.clf.decision_scores_.shape == self.y_train.shape
        assert set(self.clf.labels_) == {0, 1}
        assert 0 < self.clf.labels_.sum() <= 20
        np.testing.assert_array_equal(
            self.clf.labels_, self.clf.decision_scores_ > self.clf.threshold_
        )
        assert self.clf._mu == self.clf.decision_scores_.mean()
        assert self.clf._sigma == self.clf.decision_scores_.std()
        assert self.clf.discriminator is not None

    def test_history(self):
        history = self.clf.train_history
        assert len(history["discriminator_loss"]) == len(history["generator_loss"]) == 6
        assert isinstance(history["generator_loss"][0], float)

    def test_scores(self):
        scores = self.clf.decision_function(self.X_test)
        assert scores.shape == self.y_test.shape
        np.testing.assert_allclose(
            self.clf.decision_function(self.X_train), self.clf.decision_scores_, atol=1e-6
        )

    def test_predict(self):
        labels = self.clf.predict(self.X_test)
        assert labels.shape == self.y_test.shape
        scores = self.clf.decision_function(self.X_test)
        np.testing.assert_array_equal(labels, scores > self.clf.threshold_)

    def test_probabilities(self):
        for method in ("linear", "unify"):
            proba = self.clf.predict_proba(self.X_test, method=method)
            assert proba.shape == (100, 2)
            assert proba.min() >= 0
            np.testing.assert_allclose(proba.sum(axis=1), 1)
        with self.assertRaises(ValueError):
            self.clf.predict_proba(self.X_test, method="something")

    def test_probabilities_follow_the_scores(self):
        inside = self.clf.predict_proba(self.X_train)[:, 1]
        order = np.argsort(self.clf.decision_scores_)
        assert (np.diff(inside[order]) >= -1e-6).all()

    def test_confidence(self):
        labels, confidence = self.clf.predict(self.X_test, return_confidence=True)
        proba, again = self.clf.predict_proba(self.X_test, return_confidence=True)
        assert labels.shape == confidence.shape == proba.shape[:1]
        assert confidence.min() >= 0
        assert confidence.max() <= 1
        np.testing.assert_array_equal(confidence, again)
        np.testing.assert_array_equal(confidence, self.clf.predict_confidence(self.X_test))

    def test_rejection(self):
        labels = self.clf.predict_with_rejection(self.X_test)
        assert set(labels) <= {-2, 0, 1}
        _, (expected, bound, cost) = self.clf.predict_with_rejection(self.X_test, return_stats=True)
        assert 0 <= expected <= bound <= 1
        assert cost >= 0

    def test_fit_predict(self):
        clf = self.make()
        labels = clf.fit_predict(self.X_train)
        np.testing.assert_array_equal(labels, clf.labels_)
        assert 0 <= clf.fit_predict_score(self.X_test, self.y_test) <= 1
        with self.assertRaises(NotImplementedError):
            clf.fit_predict_score(self.X_test, self.y_test, scoring="something")
        evaluate_print("clf", self.y_test, clf.decision_function(self.X_test))

    def test_parameters(self):
        assert self.clf.get_params()["contamination"] == 0.1
        copy = clone(self.clf)
        assert copy.get_params() == self.clf.get_params()
        assert not hasattr(copy, "discriminator")
        with self.assertRaises(NotFittedError):
            copy.predict(self.X_test)
        assert copy.set_params(stop_epochs=5).stop_epochs == 5
        assert "stop_epochs=5" in repr(copy)
        with self.assertRaises(ValueError):
            self.make(contamination=0.6)

    def test_saved_and_loaded(self):
        expected = self.clf.decision_function(self.X_test)
        loaded = [pickle.loads(pickle.dumps(self.clf))]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "clf.joblib")
            joblib.dump(self.clf, path)
            loaded.append(joblib.load(path))
            loaded.append(persistence.load(path, trusted=True))
            persistence.save(self.clf, path)
            loaded.append(persistence.load(path, trusted=True, strict=True))
        for clf in loaded:
            np.testing.assert_array_equal(clf.decision_function(self.X_test), expected)
            assert clf.threshold_ == self.clf.threshold_
            np.testing.assert_array_equal(clf.labels_, self.clf.labels_)

    def test_in_a_pipeline(self):
        model = make_pipeline(StandardScaler(), self.make()).fit(self.X_train)
        assert set(model.predict(self.X_test)) <= {0, 1}
        assert model.decision_function(self.X_test).shape == self.y_test.shape


class TestSO_GAAL(Detector, unittest.TestCase):
    @staticmethod
    def make(contamination=0.1):
        return SO_GAAL(2, 0.01, 0.0001, 0.9, contamination)

    def test_generator(self):
        assert self.clf.generator is not None


class TestMO_GAAL(Detector, unittest.TestCase):
    @staticmethod
    def make(contamination=0.1):
        return MO_GAAL(3, 2, 0.01, 0.0001, 0.9, contamination)

    def test_sub_generators(self):
        assert len(self.clf.train_history["sub_generator2_loss"]) == 6


class TestBenchmark(unittest.TestCase):
    """As ADBench calls its detectors: by their names, with labels that are ignored."""

    def test_benchmark(self):
        X_train, X_test, y_train, _ = generate_data(
            n_train=120, n_test=30, n_features=3, contamination=0.1, random_state=0
        )
        models = {"SOGAAL": SO_GAAL, "MOGAAL": MO_GAAL}
        for name in models:
            for stop_epochs in (1, 2):
                model = models[name](stop_epochs=stop_epochs).fit(X_train)
                assert np.isfinite(model.decision_function(X_test)).all()
            np.random.seed(0)
            with self.assertWarnsRegex(UserWarning, "y should not be presented"):
                model = models[name](stop_epochs=1).fit(X_train, y_train)
            assert model.decision_function(X_test).shape == (30,)


if __name__ == "__main__":
    unittest.main()
