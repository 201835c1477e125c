"""The study of ALOCCEnsemble's scores chooses by its rule, and goes on where it stopped."""

import alocc_scores
import numpy as np
import pandas as pd
import pytest

LABELS = list(alocc_scores.LABELS.values())


class Brightness:
    """Stands in for ALOCCEnsemble: inliers are as bright as what it was fitted on."""

    trained = 0

    def __init__(self, epochs, random_state=None, score="d_rx"):
        self.score = score

    def get_params(self, deep=True):
        return {"score": self.score}

    def set_params(self, score):
        self.score = score
        return self

    def fit(self, X, checkpoint_dir, checkpoint_every, resume):
        type(self).trained += 1
        self.mean_ = X.mean()
        return self

    def score_samples(self, X):
        near = -np.abs(X.mean(axis=(1, 2)) - self.mean_)
        return {"reconstruction": near, "d_x": -near, "d_rx": 10 * near}[self.score]


def arrays_of(n=200):
    rng = np.random.default_rng(0)
    is_outlier = np.arange(n) >= n // 2
    scores = {name: rng.normal(scale=i + 1, size=n) for i, name in enumerate(alocc_scores.LABELS)}
    arrays = {f"test/{name}": values - 9 * is_outlier for name, values in scores.items()}
    return arrays | {f"train/{name}": values[: n // 2] for name, values in scores.items()}


def test_sums_are_of_scores_in_standard_deviations_of_training_images():
    arrays = arrays_of()
    found = alocc_scores.candidates(arrays)
    assert set(LABELS) < set(found)
    scaled = {name: 7 * values + 3 for name, values in arrays.items() if "d_x" in name}
    again = alocc_scores.candidates({**arrays, **scaled})
    for name, values in found.items():
        np.testing.assert_allclose(values, again[name])
    np.testing.assert_allclose(found["D(x) + D(R(x))"], found["D(x)"] + found["D(R(x))"])


def test_the_best_mean_of_the_first_digits_is_chosen_and_no_baseline():
    auc = pd.DataFrame({"D(x)": [0.8] * 10, "D(R(x))": [0.7] * 10, "LOF": 0.99, "mean image": 0.9})
    assert alocc_scores.choose(auc) == "D(x)"
    auc.loc[:4, "D(R(x))"] = 0.85
    auc.loc[5:, "D(R(x))"] = 0.1  # of digits that it is not chosen on
    assert alocc_scores.choose(auc) == "D(R(x))"


def test_the_study_is_resumed_and_lays_out_both_sets(tmp_path, monkeypatch, capsys):
    import alocc
    from alocc import datasets

    digits = datasets.load_digits_28()
    monkeypatch.setattr(datasets, "load_images", lambda *args: digits)
    monkeypatch.setattr(alocc, "ALOCCEnsemble", Brightness, raising=False)
    arguments = ["--other", str(tmp_path / "fashion"), "--epochs", "7", "--train_size", "100"]
    arguments += ["--output", str(tmp_path / "out")]
    assert alocc_scores.main([*arguments, "--classes", "0", "1"]) == 0
    assert alocc_scores.main([*arguments, "--classes", *"01234"]) == 0
    assert Brightness.trained == 2 * 5
    text = (tmp_path / "out" / "summary.md").read_text()
    table = pd.read_csv(tmp_path / "out" / "auc.csv", index_col=["set", "seed", "class"])
    assert list(table.groupby(level="set").size()) == [5, 5]
    np.testing.assert_allclose(table["D(x)"], 1 - table["D(R(x))"])
    chosen = alocc_scores.choose(table.loc["mnist"].droplevel("seed"))
    assert f"By digits 0 to 4: **{chosen}**" in text
    assert "AUC, fashion:" in text
    missing = str(tmp_path / "nowhere")
    monkeypatch.undo()
    assert alocc_scores.main(["--mnist", missing]) == 2
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize("images", [None, 64])
def test_runs_of_other_settings_have_files_of_their_own(tmp_path, images):
    names = {alocc_scores.path_of(1, seed, 20, images, tmp_path).name for seed in (0, 1)}
    assert len(names) == 2
    assert alocc_scores.path_of(1, 0, 19, images, tmp_path).name not in names
