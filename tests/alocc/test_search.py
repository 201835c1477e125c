"""Searches that others wrote work on the detector."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from alocc import ALOCC

TINY = {"epochs": 1, "batch_size": 8, "gf_dim": 2, "df_dim": 2, "random_state": 0}


# Left to themselves, folds need not hold outliers, without which there is no AUC.
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


def auc(detector, X, y):
    return roc_auc_score(y, -detector.score_samples(X))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    inliers = 0.2 * rng.random((24, 16, 16)) + np.linspace(0, 0.8, 16)
    return np.concatenate([inliers, rng.random((8, 16, 16))]), np.repeat([0, 1], [24, 8])


@pytest.mark.slow
def test_grid_search_refits_the_best_by_auc(images):
    grid = {"score": ["reconstruction", "d_x", "d_rx"], "learning_rate": [0.002, 0.02]}
    search = GridSearchCV(ALOCC(**TINY), grid, scoring=auc, cv=FOLDS).fit(*images)
    means = search.cv_results_["mean_test_score"]
    assert len(set(means)) > 1
    best = search.cv_results_["params"][int(np.argmax(means))]
    assert search.best_score_ == max(means)
    assert search.best_params_ == best
    assert {name: getattr(search.best_estimator_, name) for name in best} == best
    assert search.score(*images) == auc(search.best_estimator_, *images)
