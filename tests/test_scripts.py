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


def test_reproduce_writes_curves_and_a_report_of_what_it_ran(script, tmp_path, capsys):
    reproduce = script("reproduce")
    reproduce.RUNS = [("SO-GAAL", "WDBC"), ("MO-GAAL", "WDBC")]
    assert reproduce.main(["--output", str(tmp_path), "--seed", "1"]) == 0
    report = (tmp_path / "report.md").read_text()
    assert "| SO-GAAL | WDBC | stop_epochs 200 | 367 | 10 | 600 |" in report
    assert "| MO-GAAL | WDBC | stop_epochs 200, k 10 | 367 | 10 | 600 |" in report
    assert "load_breast_cancer" in report
    for line in report.splitlines():
        if line.startswith("!["):
            assert (tmp_path / line.split("(")[1].rstrip(")")).stat().st_size > 10_000
    assert not list(tmp_path.glob(".unfinished*"))
    assert "at the stop node" in capsys.readouterr().out


def test_reproduce_names_a_missing_published_file(script, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    arguments = ["--data-home", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")]
    assert script("reproduce").main(arguments) == 2
    assert "onecluster" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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
