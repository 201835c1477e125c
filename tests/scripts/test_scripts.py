"""The scripts do their work on small settings."""

import json
from pathlib import Path

import benchmark
import lowest_versions
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
