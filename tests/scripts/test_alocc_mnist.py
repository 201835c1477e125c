"""The study on MNIST runs, goes on where it stopped, and lays out what it measured."""

import json

import alocc_mnist
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

TINY_NETWORKS = {"batch_size": 64, "gf_dim": 2, "df_dim": 2}


def call(output, *arguments):
    arguments = [*arguments, "--dataset", "digits", "--digits", "1", "--output", str(output)]
    return alocc_mnist.main(arguments)


def test_the_corrected_port_is_laid_out_from_a_report(tmp_path, capsys):
    from alocc.protocols import OUTLIER_SHARES

    folder = tmp_path / "report" / "alocc-figure8"
    folder.mkdir(parents=True)
    runs = []
    for program in ("authors", "corrected"):
        for digit in (1, 8):
            for seed in (1, 2):
                rows = [
                    {"target": digit, "seed": seed, "outlier_share": share, "score": score,
                     "threshold": rule, "f1": 0.9 - share, "auc": 0.5 + seed / 10 + digit / 100}
                    for share in OUTLIER_SHARES
                    for score in alocc_mnist.LABELS
                    for rule in alocc_mnist.THRESHOLDS
                ]  # fmt: skip
                if program == "authors":
                    rows = [{**row, "f1": 0.0, "auc": 0.0} for row in rows]
                table = pd.DataFrame(rows).to_dict("list")
                numbers = {"program": program, "images": "MNIST", "digit": digit, "table": table}
                runs.append({"numbers": numbers})
    (folder / "runs.json").write_text(json.dumps(runs))
    (folder / "result.json").write_text(json.dumps({"runs": len(runs)}))
    report = ["corrected", "--report", str(folder.parent)]
    assert call(tmp_path / "out", *report) == 0
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "| the paper | D(R(x)) | 0.97 | 0.92 | 0.92 | 0.91 | 0.88 |" in summary
    assert "| everything inlier |  | 0.947 | 0.889 | 0.824 | 0.750 | 0.667 |" in summary
    assert "| corrected | reconstruction | 0.800 | 0.700 | 0.600 | 0.500 | 0.400 |" in summary
    span = " | ".join(["0.730 (0.680 to 0.780)"] * 3)
    assert f"| 8 | {span} |" in summary
    assert "| mean | 0.695 | 0.695 | 0.695 |" in summary
    assert call(tmp_path / "out", "corrected", "--report", str(tmp_path / "nowhere")) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.slow
def test_the_authors_program_is_trained_once_and_measured_by_every_rule(
    tmp_path, capsys, monkeypatch
):
    authors = alocc_mnist
    monkeypatch.setattr(authors, "SETTINGS", {"fidelity": "authors", **TINY_NETWORKS})
    monkeypatch.setattr(authors, "baselines", lambda *args: None)
    arguments = ["authors", "--seeds", "1", "--epochs", "7"]
    assert call(tmp_path, *arguments) == 0
    assert call(tmp_path, *arguments) == 0
    assert capsys.readouterr().out.count("seed 1: there already") == 1
    table = pd.read_csv(tmp_path / "authors.csv")
    assert set(table["rule"]) == set(authors.RULES)
    assert table["f1"].between(0, 1).all()
    summary = (tmp_path / "summary.md").read_text()
    assert "| the paper | D(R(x)) | 0.97 | 0.92 | 0.92 | 0.91 | 0.88 |" in summary
    assert "images of the digit in digits. Seeds by digit: 1: 1." in summary
    with np.load(tmp_path / "digits" / "authors" / "digit1_seed1_epochs7.npz") as arrays:
        assert arrays["test/d_rx"].shape[0] == 7
        found = authors.detectors(arrays)
    assert {len(found[rule, "D(x)"]) for rule in ("raw", "oriented")} == {2}  # from epoch 5 on
    assert call(tmp_path, "authors", "--seeds", "2", "--epochs", "7", "--tables_only") == 0
    assert "seed 2: missing" in capsys.readouterr().out
    monkeypatch.setattr(authors, "VARIANTS", {"noisy": {"noise_sigma": 0.9}, "lambda": {}})
    assert call(tmp_path, *arguments, "--variant", "noisy") == 0
    assert "![D by epoch](authors_flips.png)" in summary
    assert (tmp_path / "authors-noisy_flips.png").exists()
    assert "epochs=7, noise_sigma=0.9), all training" in (tmp_path / "summary-noisy.md").read_text()
    noisy = pd.read_csv(tmp_path / "authors-noisy.csv")
    assert not np.allclose(noisy["auc"], table["auc"])


def test_runs_on_other_images_are_kept_apart(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(alocc_mnist, "collect", lambda folder, *_: folders.append(folder))
    for name in ("mnist", "digits"):
        monkeypatch.setattr(alocc_mnist, "load_images", lambda *_, name=name: Bunch(name=name))
        assert alocc_mnist.main(["authors", "--output", str(tmp_path)]) == 0
    assert folders == [tmp_path / "authors", tmp_path / "digits" / "authors"]


def test_rules_need_no_sign_and_no_scale():
    rules = alocc_mnist.RULES
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


def test_study_names_a_missing_file_and_an_unknown_target(tmp_path, capsys):
    output = tmp_path / "out"
    missing = str(tmp_path / "nowhere")
    arguments = ["authors", "--dataset_address", missing, "--output", str(output)]
    assert alocc_mnist.main(arguments) == 2
    assert missing in capsys.readouterr().err
    assert not output.exists()
    with pytest.raises(SystemExit):
        alocc_mnist.main(["figure9"])
    assert "figure9" in capsys.readouterr().err
