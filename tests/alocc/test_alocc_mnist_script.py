"""The study on MNIST runs, goes on where it stopped, and lays out what it measured."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "alocc_mnist.py"
TINY = {"epochs": 2, "batch_size": 64, "gf_dim": 2, "df_dim": 2}


@pytest.fixture
def study():
    spec = importlib.util.spec_from_file_location("scripts_alocc_mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SETTINGS = {name: {"fidelity": name, **TINY} for name in module.SETTINGS}
    module.TRAIN_SIZE = {"published": None, "corrected": 64}
    return module


def test_study_measures_resumes_and_lays_out(study, tmp_path, capsys):
    def call(*seeds):
        options = ["--dataset", "digits", "--digits", "1", "--output", str(tmp_path)]
        return study.main([*options, "--seeds", *seeds])

    assert call("1") == 0
    before = pd.read_csv(tmp_path / "runs.csv")
    assert call("1", "2") == 0
    assert capsys.readouterr().out.count("there already") == 2

    table = pd.read_csv(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(table.iloc[: len(before)][before.columns], before)
    published = table[table["experiment"] == "published"]
    assert len(published) == 2 * TINY["epochs"] * 3  # seeds, epochs, scores
    assert published["chosen"].sum() == 2 * 3
    best = published.groupby("seed")["reconstruction_loss"].idxmin()
    assert published.loc[best, "chosen"].all()
    corrected = table[table["experiment"] == "corrected"]
    assert len(corrected) == 2 * 5 * 3 * len(study.THRESHOLDS)
    assert set(corrected["n_train"]) == {64}

    summary = (tmp_path / "summary.md").read_text()
    assert "| D(R(x)), paper | 0.97 | 0.92 | 0.92 | 0.91 | 0.88 |" in summary
    assert "| everything inlier | 0.947 | 0.889 | 0.824 | 0.750 | 0.667 |" in summary
    f1 = corrected[(corrected["threshold"] == "best") & (corrected["score"] == "d_rx")]
    mean = f1[f1["outlier_share"] == 0.1]["f1"].mean()
    assert f"| D(R(x)) | {mean:.3f} |" in summary
    assert (tmp_path / "figure8.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".unfinished*"))


def test_study_refuses_a_table_made_with_other_settings(study, tmp_path, capsys):
    arguments = ["--dataset", "digits", "--digits", "1", "--seeds", "1", "--output", str(tmp_path)]
    assert study.main(["published", *arguments]) == 0
    study.SETTINGS["published"]["r_alpha"] = 0.4
    assert study.main(["published", *arguments]) == 2
    assert "other settings" in capsys.readouterr().err


def test_study_names_a_missing_file_and_an_unknown_target(study, tmp_path, capsys):
    output = tmp_path / "out"
    missing = str(tmp_path / "nowhere")
    assert study.main(["--dataset_address", missing, "--output", str(output)]) == 2
    assert missing in capsys.readouterr().err
    assert not output.exists()
    with pytest.raises(SystemExit):
        study.main(["figure9"])
    assert "no target figure9" in capsys.readouterr().err
