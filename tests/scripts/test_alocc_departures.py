"""The study of the port's departures: each is one, and its runs are made once."""

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
    assert study.main([*arguments, "--seeds", "1", "2"]) == 0
    assert "2 of 4 are there already" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "epochs.csv")
    pd.testing.assert_frame_equal(table.iloc[: len(before)], before)
    runs = table.groupby(study.RUN)
    assert len(runs) == 2 * 2
    assert (runs.size() == 2).all()
    assert (table["d_loss_lowest"] <= table["d_loss_real"] + table["d_loss_fake"] + 1e-6).all()
    by_departure = table.groupby(["base", "departure"])["d_loss_lowest"].mean()
    assert by_departure.nunique() == 2
    summary = (tmp_path / "summary.md").read_text()
    assert "## In 'authors', epochs 0 to 1" in summary
    assert summary.count("| none | 2 |") == 1


def test_an_unknown_departure_is_named(study, capsys):
    with pytest.raises(SystemExit):
        study.main(["--departures", "nothing"])
    assert "no departure nothing; there are D's statistics" in capsys.readouterr().err
