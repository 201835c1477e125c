"""Searches that others wrote work on the detectors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from gaal import MOGAAL, SOGAAL
from gaal.datasets import make_onecluster

# Left to themselves, folds need not hold outliers, without which there is no AUC.
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


def auc(detector, X, y):
    """Scores are higher for inliers, y is 1 for outliers."""
    return roc_auc_score(y, -detector.score_samples(X))


@pytest.fixture(scope="module")
def data():
    return make_onecluster(60, 12, random_state=0)


@pytest.mark.slow
def test_grid_search_refits_the_best_by_auc(data):
    grid = {"mogaal__lr_d": [0.01, 0.5]}
    detector = make_pipeline(MinMaxScaler(), MOGAAL(k=2, stop_epochs=5, random_state=0))
    search = GridSearchCV(detector, grid, scoring=auc, cv=FOLDS).fit(data.data, data.target)
    means = search.cv_results_["mean_test_score"]
    assert len(set(means)) == 2
    assert search.best_score_ == max(means)
    best = search.best_estimator_["mogaal"]
    assert best.lr_d == grid["mogaal__lr_d"][int(np.argmax(means))]
    assert search.score(data.data, data.target) == auc(
        search.best_estimator_, data.data, data.target
    )


def test_optuna_draws_and_tells_the_best(data):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    aucs = []

    def objective(trial):
        detector = SOGAAL(
            stop_epochs=trial.suggest_int("stop_epochs", 1, 3),
            lr_d=trial.suggest_float("lr_d", 0.001, 0.1, log=True),
            random_state=0,
        )
        aucs.append(auc(detector.fit(data.data), data.data, data.target))
        return aucs[-1]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=3)
    assert len(aucs) == 3
    assert study.best_value == max(aucs)
    again = SOGAAL(**study.best_params, random_state=0).fit(data.data)
    assert auc(again, data.data, data.target) == pytest.approx(study.best_value, abs=1e-6)
