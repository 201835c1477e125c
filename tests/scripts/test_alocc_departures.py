"""The study of the port's departures: each is one, and its runs are made once."""

from types import SimpleNamespace

import alocc_departures
import pandas as pd
import pytest


@pytest.fixture
def study(monkeypatch):
    monkeypatch.setattr(alocc_departures, "DIM", 2)
    monkeypatch.setattr(alocc_departures, "TRAIN_SIZE", 128)
    return alocc_departures


def test_every_departure_differs_from_its_base(study):
    for base, departures in study.programs().items():
        assert len(departures) == 12
        assert len(set(map(repr, departures.values()))) == 12, base


@pytest.mark.slow
def test_runs_are_made_once_and_laid_out(study, tmp_path, capsys):
    arguments = ["--dataset", "digits", "--digits", "1", "--epochs", "2", "--output", str(tmp_path)]
    arguments += ["--base", "authors", "--departures", "none", "two D steps"]
    assert study.main([*arguments, "--seeds", "1"]) == 0
    before = pd.read_csv(tmp_path / "epochs.csv")
    assert study.main([*arguments[:-1], "--seeds", "1", "2"]) == 0
    assert "1 of 2 are there already" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "epochs.csv")
    pd.testing.assert_frame_equal(table.iloc[: len(before)], before)
    runs = table.groupby(study.RUN)
    assert len(runs) == 2 + 1
    assert (runs.size() == 2).all()
    assert table.groupby("departure")["d_loss_real"].mean().nunique() == 2
    summary = (tmp_path / "summary.md").read_text()
    assert "## In 'authors', 2 epochs of digits" in summary
    assert summary.count("| none | 2 |") == 1


def test_other_lengths_and_images_are_other_runs(study, tmp_path, capsys, monkeypatch):
    def run(setting, digit, seed, epochs, images):
        centers = [1 - 2 * (epoch % 2) for epoch in range(epochs)]  # its sign flips every time
        rows = {"epoch": range(epochs), "d_loss_real": range(epochs), "d_loss_fake": 0.5}
        return pd.DataFrame({**rows, "d_rx_center": centers, "d_rx_auc_oriented": digit / 10})

    monkeypatch.setattr(study, "run", run)
    monkeypatch.setattr(study, "load_images", lambda name, path: SimpleNamespace(name=name))
    for dataset, epochs in [("digits", 2), ("digits", 6), ("mnist", 6), ("mnist", 6)]:
        options = ["--dataset", dataset, "--epochs", str(epochs), "--output", str(tmp_path)]
        assert study.main([*options, "--base", "authors", "--departures", "none"]) == 0
    assert capsys.readouterr().out.count("are there already") == 1
    table = pd.read_csv(tmp_path / "epochs.csv")
    assert table.groupby(study.RUN).size().value_counts().to_dict() == {6: 12, 2: 6}
    summary = (tmp_path / "summary.md").read_text()
    assert "## In 'authors', 6 epochs of mnist" in summary
    assert "| departure | runs | D's loss, epoch 1 | 2 | 4 to 6 | sign flips | AUC, dig" in summary
    assert summary.count("| none | 6 | 0.50 | 1.50 | 4.50 | 30 of 30 | 0.10 | 0.80 |") == 2


def test_an_unknown_departure_is_named(study, capsys):
    with pytest.raises(SystemExit):
        study.main(["--departures", "nothing"])
    assert "no departure nothing; there are D's statistics" in capsys.readouterr().err
