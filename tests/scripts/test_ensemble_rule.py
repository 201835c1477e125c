"""The study of GAALEnsemble's rule trains once, and compares what it can compare."""

import ensemble_rule
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def study(monkeypatch):
    """Have a D that takes the outliers for inliers before 1024 updates, and tells them then."""
    rng = np.random.default_rng(0)
    y = np.arange(60) < 6
    X = np.where(y[:, None], 0.9, 0.3) + 0.05 * rng.random((60, 2))
    parts = {"all": (X, X[:0], y, y[:0]), "half": (X[::2], X[1::2], y[::2], y[1::2])}
    trained = []

    def snapshots(X, kind, seed, longest):
        trained.append(kind)
        hidden = np.eye(2), np.zeros(2)
        signs = [-1 if t >= 1024 else 1 for t in ensemble_rule.updates(longest)]
        return [[*hidden, np.full((2, 1), sign), np.zeros(1)] for sign in signs]

    monkeypatch.setattr(ensemble_rule, "rows_of", lambda name, split, seed, home: parts[split])
    monkeypatch.setattr(ensemble_rule, "snapshots", snapshots)
    monkeypatch.setattr(ensemble_rule, "VALUES", ("D", "log D"))
    kept = {name: ensemble_rule.BASELINES[name] for name in ("LOF", "kNN")}
    monkeypatch.setattr(ensemble_rule, "BASELINES", kept)
    return trained


@pytest.mark.slow
def test_trainings_are_made_once_and_compared(study, tmp_path, capsys):
    options = ["a", "b", "c", "--seeds", "1", "2", "--kinds", "SO", "--longest", "2048"]
    options += ["--output", str(tmp_path)]
    assert ensemble_rule.main(options) == 0
    assert len(study) == 3 * 2 * 2
    table = pd.read_csv(tmp_path / "rule.csv")
    last = table[table["spacing"] == "last"].groupby("length")["auc"].mean()
    assert last["2048"] == 1
    assert last["256"] == 0
    for split in ("all", "half"):
        cells = pd.read_csv(tmp_path / f"{split}.csv")
        assert len(cells) == 3 * 2 * 4  # sets, seeds, detectors
        assert (cells.loc[cells["detector"] == "the last D of one member", "auc"] == 1).all()
    assert capsys.readouterr().out.count("\n| GAALEnsemble | 0.") == 2
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "seeds.png", "updates.png", "snapshots.png",
    }  # fmt: skip
    assert ensemble_rule.main(options) == 0
    assert len(study) == 3 * 2 * 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--longest", "1024"], "--longest 1024: the tables are of 2048 and more"),
        (["--kinds", "MO10"], "--kinds MO10: the tables need SO too"),
        (["--kinds", "SO-wider3"], "invalid choice: 'SO-wider3'"),
        (["--splits", "third"], "invalid choice: 'third'"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_trained(
    options, said, study, tmp_path, capsys
):
    with pytest.raises(SystemExit):
        ensemble_rule.main(["a", *options, "--output", str(tmp_path)])
    assert said in capsys.readouterr().err
    assert study == []
    few = ["--longest", "1024", "--kinds", "MO10", "--splits", "all", "--train-only"]
    assert ensemble_rule.main(["a", *few, "--seeds", "1", "--output", str(tmp_path)]) == 0
    assert study == ["MO10"]
