"""The study on MNIST runs, goes on where it stopped, and lays out what it measured."""

import alocc_mnist
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

TINY_NETWORKS = {"batch_size": 64, "gf_dim": 2, "df_dim": 2}
TINY = {"epochs": 2, **TINY_NETWORKS}


class Brightness(BaseEstimator):
    """Stands in for ALOCC: inliers are as bright as what it was fitted on."""

    def __init__(self, score="reconstruction", random_state=None):
        self.score = score
        self.random_state = random_state

    def fit(self, X):
        self.mean_ = X.mean()
        return self

    def score_samples(self, X):
        near = -np.abs(X.mean(axis=(1, 2)) - self.mean_)
        return {"reconstruction": near, "d_x": -near, "d_rx": np.ones(len(X))}[self.score]


@pytest.fixture
def study(monkeypatch):
    settings = {name: {"fidelity": name, **TINY} for name in alocc_mnist.SETTINGS}
    monkeypatch.setattr(alocc_mnist, "SETTINGS", settings)
    monkeypatch.setattr(alocc_mnist, "TRAIN_SIZE", {"published": None, "corrected": 64})
    return alocc_mnist


def call(study, output, *arguments):
    return study.main([*arguments, "--dataset", "digits", "--digits", "1", "--output", str(output)])


def test_figure_8_is_measured_and_resumed(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("alocc.ALOCC", Brightness, raising=False)
    study.SETTINGS["corrected"] = {}
    assert call(study, tmp_path, "corrected", "--seeds", "1") == 0
    before = pd.read_csv(tmp_path / "runs.csv")
    assert call(study, tmp_path, "corrected", "--seeds", "1", "2") == 0
    assert capsys.readouterr().out.count("there already") == 1

    table = pd.read_csv(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(table.iloc[: len(before)], before)
    assert len(table) == 2 * 5 * 3 * len(study.THRESHOLDS)  # seeds, shares, scores
    assert set(table["n_train"]) == {64}
    summary = (tmp_path / "summary.md").read_text()
    assert "| D(R(x)), paper | 0.97 | 0.92 | 0.92 | 0.91 | 0.88 |" in summary
    assert "| everything inlier | 0.947 | 0.889 | 0.824 | 0.750 | 0.667 |" in summary
    f1 = table[(table["threshold"] == "best") & (table["score"] == "reconstruction")]
    mean = f1[f1["outlier_share"] == 0.1]["f1"].mean()
    assert f"| reconstruction | {mean:.3f} |" in summary
    assert (tmp_path / "figure8.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".unfinished*"))


@pytest.mark.slow
def test_published_setting_is_measured_after_every_epoch(study, tmp_path, capsys):
    assert call(study, tmp_path, "published", "--seeds", "1") == 0
    table = pd.read_csv(tmp_path / "runs.csv")
    assert len(table) == TINY["epochs"] * 3  # scores
    chosen = table.loc[table["reconstruction_loss"].idxmin(), "epoch"]
    assert set(table.loc[table["chosen"], "epoch"]) == {chosen}
    summary = (tmp_path / "summary.md").read_text()
    assert f"| 1 | 1 | {chosen} (chosen) |" in summary

    # a table that was made with other settings is left alone
    study.SETTINGS["published"]["r_alpha"] = 0.4
    assert call(study, tmp_path, "published", "--seeds", "1", "2") == 2
    assert "other settings" in capsys.readouterr().err
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "runs.csv"), table)


@pytest.mark.slow
def test_the_authors_program_is_trained_once_and_measured_by_every_rule(
    study, tmp_path, capsys, monkeypatch
):
    authors = study.mnist_authors
    monkeypatch.setattr(authors, "SETTINGS", {"fidelity": "authors", **TINY_NETWORKS})
    monkeypatch.setattr(authors, "baselines", lambda *args: None)
    arguments = ["authors", "--seeds", "1", "--epochs", "7"]
    assert call(study, tmp_path, *arguments) == 0
    assert call(study, tmp_path, *arguments) == 0
    assert capsys.readouterr().out.count("seed 1: there already") == 1
    table = pd.read_csv(tmp_path / "authors.csv")
    assert set(table["rule"]) == set(authors.RULES)
    assert table["f1"].between(0, 1).all()
    summary = (tmp_path / "summary.md").read_text()
    assert "| the paper | D(R(x)) | 0.97 | 0.92 | 0.92 | 0.91 | 0.88 |" in summary
    with np.load(tmp_path / "authors" / "digit1_seed1_epochs7.npz") as arrays:
        assert arrays["test/d_rx"].shape[0] == 7
        found = authors.detectors(arrays)
    assert {len(found[rule, "D(x)"]) for rule in ("raw", "oriented")} == {2}  # from epoch 5 on
    assert call(study, tmp_path, "authors", "--seeds", "2", "--epochs", "7", "--tables_only") == 0
    assert "seed 2: missing" in capsys.readouterr().out
    monkeypatch.setattr(authors, "VARIANTS", {"wide": {"gf_dim": 3}, "lambda": {}})
    assert call(study, tmp_path, *arguments, "--variant", "wide") == 0
    assert "![D by epoch](authors_flips.png)" in summary
    assert (tmp_path / "authors-wide_flips.png").exists()
    assert "epochs=7, gf_dim=3), all training" in (tmp_path / "summary-wide.md").read_text()
    wide = pd.read_csv(tmp_path / "authors-wide.csv")
    assert not np.allclose(wide["auc"], table["auc"])


def test_rules_need_no_sign_and_no_scale(study):
    rules = study.mnist_authors.RULES
    rng = np.random.default_rng(0)
    train, test = rng.normal(5, 1, (12, 300)), rng.normal(3, 2, (12, 40))
    flips = rng.choice([-2.0, 3.0], (12, 1))
    for name, rule in rules.items():
        one, other = rule(train, test), rule(flips * train, flips * test)
        assert one.shape[1] == 40
        if name == "raw":
            assert not np.allclose(np.sign(one), np.sign(other))
        elif "oriented" in name:
            np.testing.assert_array_equal(np.sign(one), np.sign(other))
        else:
            np.testing.assert_allclose(one, other)


def test_study_names_a_missing_file_and_an_unknown_target(study, tmp_path, capsys):
    output = tmp_path / "out"
    missing = str(tmp_path / "nowhere")
    assert study.main(["--dataset_address", missing, "--output", str(output)]) == 2
    assert missing in capsys.readouterr().err
    assert not output.exists()
    with pytest.raises(SystemExit):
        study.main(["figure9"])
    assert "no target figure9" in capsys.readouterr().err
