"""The scripts do their work on small settings."""

import contextlib
import json
import os
from pathlib import Path

import adbench
import alocc_departures
import alocc_mnist
import alocc_scores
import benchmark
import compare_ports
import ensemble_rule
import lowest_versions
import post_checkpoint
import pytest
import replay

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["1", "auto"])
def test_replay_takes_a_record_of_alocc(steps, capsys):
    trace = SCRIPTS.parent / "tests" / "traces" / "alocc_dim2_float64.npz"
    assert replay.main([str(trace), "--steps_per_execution", steps]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outside_tolerance"] == []
    assert result["differences"]["g_loss_second"] < 1e-8


@pytest.mark.slow
def test_benchmark_measures_and_writes_json(tmp_path, capsys):
    path = tmp_path / "benchmark.json"
    assert benchmark.main(["first_fit", "--turns", "1", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())
    assert len(rows) == 2
    assert all(0 < row["ours_s"] < 60 for row in rows)
    assert "stop_epochs=20" in capsys.readouterr().out


def test_benchmark_refuses_an_unknown_figure(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["speed"])
    assert "no figure speed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (adbench, ["--offline"]),
        (alocc_departures, ["--dataset_address"]),
        (alocc_mnist, ["authors", "--dataset_address"]),
        (alocc_scores, ["--mnist"]),
        (compare_ports, ["so-gaal", "--data"]),
        (ensemble_rule, ["--output", "out"]),
        (post_checkpoint, []),
    ],
)
def test_a_program_takes_tensorflow_whatever_keras_is_set_to(
    program, arguments, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with contextlib.suppress(SystemExit):
        program.main([*arguments, str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_the_lowest_versions_are_those_of_setup_cfg():
    text = """
[options]
install_requires =
    numpy>=1.26
    keras >= 3.12
    wheel
[options.extras_require]
parquet =
    pyarrow>=15
    numpy>=1.26
gpu =
    tensorflow[and-cuda]>=2.20
"""
    pins = ["keras==3.12", "numpy==1.26", "pyarrow==15", "tensorflow==2.20"]
    assert lowest_versions.lowest_versions(text) == pins
