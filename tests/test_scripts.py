"""The scripts do their work on small settings."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch):
    def load(name):
        spec = importlib.util.spec_from_file_location(f"scripts_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("steps", ["1", "auto"])
def test_replay_takes_a_record_of_alocc(script, steps, capsys):
    trace = SCRIPTS.parent / "tests" / "traces" / "alocc_dim2_float64.npz"
    assert script("replay").main([str(trace), "--steps_per_execution", steps]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outside_tolerance"] == []
    assert result["differences"]["g_loss_second"] < 1e-8


def test_benchmark_measures_and_writes_json(script, tmp_path, capsys):
    path = tmp_path / "benchmark.json"
    assert script("benchmark").main(["first_fit", "--turns", "1", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())
    assert len(rows) == 2
    assert all(0 < row["ours_s"] < 60 for row in rows)
    assert "stop_epochs=20" in capsys.readouterr().out


def test_benchmark_refuses_an_unknown_figure(script, capsys):
    with pytest.raises(SystemExit):
        script("benchmark").main(["speed"])
    assert "no figure speed" in capsys.readouterr().err


def test_the_lowest_versions_are_those_of_setup_cfg(script):
    lowest_versions = script("upkeep/lowest_versions").lowest_versions
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
    assert lowest_versions(text) == pins
