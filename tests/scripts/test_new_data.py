"""The target new-data: its halves, the detectors beside GAAL, and what it lays out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reproduction import new_data, verdicts
from reproduction.baselines import BASELINES, ecod, knn
from reproduction.new_data import METHODS
from reproduction.target import Plan


def test_halves_share_out_all_rows_and_the_outliers():
    X, X_new, y, y_new = new_data.halves("WDBC", 3, None)
    assert (len(X), len(X_new), y.sum(), y_new.sum()) == (183, 184, 5, 5)
    both = np.vstack([X, X_new])
    whole = new_data.load("WDBC", None).data
    assert np.array_equal(np.unique(both, axis=0), np.unique(whole, axis=0))
    again, *_ = new_data.halves("WDBC", 3, None)
    other, *_ = new_data.halves("WDBC", 4, None)
    assert np.array_equal(X, again)
    assert not np.array_equal(X, other)


def tails(column, values):
    """Share of a column not above, and not below, each of some values."""
    return [
        np.array([np.mean(compare(column, value)) for value in values])
        for compare in (np.less_equal, np.greater_equal)
    ]


def leans_left(X):
    return ((X - X.mean(axis=0)) ** 3).sum(axis=0) < 0


def paper(X):
    """ECOD word by word: the largest of three sums over the columns."""
    left, right = np.transpose([tails(column, column) for column in X.T], (1, 2, 0))
    chosen = np.where(leans_left(X), left, right)
    return np.max([-np.log(tail).sum(axis=1) for tail in (left, right, chosen)], axis=0)


@settings(deadline=None, max_examples=30)
@given(
    arrays(np.int8, st.tuples(st.integers(3, 12), st.integers(1, 3)), elements=st.integers(-4, 4))
)
def test_ecod_is_that_of_its_paper_ties_and_all(X):
    X = X + 0.5 * np.eye(len(X), X.shape[1])  # no column is constant, which has no skewness
    trained, again = ecod(X, X, 0)
    np.testing.assert_allclose(trained, paper(X), rtol=1e-12)
    assert np.isfinite(again).all()


def test_ecod_counts_a_new_row_with_the_trained_ones_and_each_by_itself():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(40, 3))
    new = np.vstack([rng.exponential(size=(2, 3)), [[9, 9, 9]], [[-9, 9, -9]]])
    _, scores = ecod(X, new, 0)
    for row, score in zip(new, scores):
        left, right = np.transpose([tails(np.append(c, v), [v]) for c, v in zip(X.T, row)])[0]
        chosen = np.where(leans_left(X), left, right)
        assert score == pytest.approx(max(-np.log(t).sum() for t in (left, right, chosen)))
    assert scores[2] == pytest.approx(3 * np.log(41))


def test_a_trained_row_is_no_neighbour_of_its_own():
    X = np.arange(7.0)[:, None]
    trained, new = knn(X, X[:1], 0)
    assert trained[0] == 5
    assert new[0] == 4


def test_every_baseline_scores_an_outlier_highest_trained_on_or_new():
    rng = np.random.default_rng(1)
    X, new = rng.normal(0.5, 0.05, (2, 80, 2))
    X[7] = new[11] = 0.95
    for name, baseline in BASELINES.items():
        trained, scored = baseline(X, new, 0)
        assert trained.argmax() == 7, name
        assert scored.argmax() == 11, name


def test_each_half_is_measured_with_its_own_labels(monkeypatch):
    _, _, y, y_new = new_data.halves("WDBC", 0, None)

    def knows_what_it_saw(X, new, seed):
        assert len(X) == len(y)
        assert len(new) == len(y_new)
        return y.astype(float), np.zeros(len(new))

    monkeypatch.setitem(new_data.BASELINES, "parrot", knows_what_it_saw)
    run = new_data.score_new_data("parrot", "WDBC", 0, None)
    assert (run["auc_train"], run["precision_train"]) == (1, 1)
    assert (run["auc_new"], run["precision_new"]) == (0.5, pytest.approx(5 / 184))


def made(auc):
    """Make runs of two sets and two seeds, each method with its AUC on the new half."""
    return [
        {
            "method": method,
            "name": name,
            "seed": seed,
            **dict.fromkeys(("auc_train", "precision_train", "precision_new"), 0.9),
            "auc_new": value + 0.01 * seed,
            "seconds": 1.0,
        }
        for name in ("one", "two")
        for method, value in auc.items()
        for seed in (0, 1)
    ]


def test_methods_are_ranked_set_by_set_and_the_best_comes_first():
    auc = dict(zip(METHODS, (0.3, 0.8, 0.2, 0.25, 0.5, 0.7, 0.6, 0.4, 0.1)))
    outcome = new_data.judge_new_data(made(auc))
    assert {c.verdict for c in outcome.comparisons} == {verdicts.CANNOT}
    assert outcome.comparisons[0].what == "MO-GAAL: mean AUC"
    assert outcome.comparisons[0].ours.startswith("0.805 on the new half, 0.900 on the training")
    table = outcome.tables["Mean over 2 sets"].set_index("detector")
    assert list(table["mean rank by AUC, new half"]) == [
        f"{rank}.0" for rank in (6, 1, 6, 5, 4, 2, 3, 5, 7)
    ]
    assert set(table["mean rank by AUC, training half"]) == {"4.0"}
    whole = outcome.tables["Mean and standard deviation over the splits"]
    assert list(whole.columns[:3]) == ["data", "detector", "ROC AUC, training half"]
    assert len(whole) == 18


def test_where_half_the_rows_have_as_many_updates_the_plain_runs_count():
    frame = pd.DataFrame(made({"SO-GAAL": 0.6, "SO-GAAL, as many updates": 0.8, "kNN": 0.7}))
    frame = frame[(frame["name"] == "one") | ~frame["method"].isin(new_data.AS_MANY)]
    table = new_data.in_all(frame).set_index("detector")
    assert list(table["ROC AUC, new half"]) == ["0.605", "0.705", "0.705"]
    assert list(table["mean rank by AUC, new half"]) == ["2.0", "1.5", "1.0"]


def test_a_quick_plan_is_one_set_and_few_seeds():
    pieces = new_data.new_data_pieces(Plan(full=False, seeds=10))
    assert {piece["name"] for piece in pieces} == {"WDBC"}
    assert {piece["method"] for piece in pieces} == set(METHODS) - set(new_data.AS_MANY)
    assert len(pieces) == (len(METHODS) - 2) * new_data.QUICK_SEEDS


def test_as_many_updates_are_those_on_all_rows(monkeypatch):
    asked = []

    class Detector:
        def fit(self, X):
            return self

        def score_samples(self, X):
            return np.zeros(len(X))

    def detector(algorithm, parameters, seed):
        asked.append((algorithm, parameters["stop_epochs"]))
        return Detector()

    monkeypatch.setattr(new_data, "detector", detector)
    for method in ("SO-GAAL", *new_data.AS_MANY):
        new_data.score_new_data(method, "onecluster", 0, None)
    # 1000 rows are two batches, 500 are one
    assert asked == [("SO-GAAL", 1000), ("SO-GAAL", 2000), ("MO-GAAL", 3000)]
