"""The study of ALOCCEnsemble's scores chooses by its rule, and goes on where it stopped."""

import alocc_scores
import numpy as np
import pandas as pd

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


def scores_of(n=200):
    rng = np.random.default_rng(0)
    is_outlier = np.arange(n) >= n // 2
    scores = {name: rng.normal(scale=i + 1, size=n) for i, name in enumerate(alocc_scores.LABELS)}
    train = {name: values[: n // 2] for name, values in scores.items()}
    return train, {name: values - 9 * is_outlier for name, values in scores.items()}


def test_sums_are_of_scores_in_standard_deviations_of_training_images():
    scores = scores_of()
    found = alocc_scores.candidates(*scores)
    assert set(LABELS) < set(found)
    scaled = [{**part, **{n: 7 * part[n] + 3 for n in ("d_x", "d_rx")}} for part in scores]
    again = alocc_scores.candidates(*scaled)
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
    digits.name = "mnist"
    monkeypatch.setattr(alocc_scores, "load_images", lambda *args: digits)
    monkeypatch.setattr(alocc, "ALOCCEnsemble", Brightness, raising=False)
    arguments = ["--other", str(tmp_path / "fashion"), "--epochs", "7", "--train_size", "100"]
    arguments += ["--output", str(tmp_path / "out")]
    assert alocc_scores.main([*arguments, "--classes", "0", "1"]) == 0
    assert alocc_scores.main([*arguments, "--classes", *"01234"]) == 0
    assert Brightness.trained == 2 * 5
    assert "4 of 10 are there already" in capsys.readouterr().out
    text = (tmp_path / "out" / "summary.md").read_text()
    table = pd.read_csv(tmp_path / "out" / "auc.csv")
    assert list(table.groupby("set").size()) == [5, 5]
    assert set(table["images"]) == {100}
    np.testing.assert_allclose(table["D(x)"], 1 - table["D(R(x))"])
    mnist = table[table["set"] == "mnist"].set_index("class")
    chosen = alocc_scores.choose(mnist.drop(columns=[*alocc_scores.RUN[:2], "epochs", "images"]))
    assert f"By digits 0 to 4: **{chosen}**" in text
    assert "AUC, fashion, ALOCCEnsemble(7), at most 100 images of a class, seeds\n0:" in text

    # runs of another length, or on other images, are others
    assert alocc_scores.main([*arguments, "--classes", "0", "--epochs", "6"]) == 0
    assert alocc_scores.main([*arguments, "--classes", "0", "--train_size", "50"]) == 0
    assert Brightness.trained == 2 * 7
    assert alocc_scores.main([*arguments, "--tables_only", "--classes", "9"]) == 0
    assert Brightness.trained == 2 * 7

    # digits that take MNIST's place are no MNIST
    digits.name = "digits"
    assert alocc_scores.main([*arguments, "--classes", "0"]) == 0
    assert Brightness.trained == 2 * 7 + 1
    missing = str(tmp_path / "nowhere")
    monkeypatch.undo()
    assert alocc_scores.main(["--mnist", missing]) == 2
    assert missing in capsys.readouterr().err
