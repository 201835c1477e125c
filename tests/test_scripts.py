"""The scripts do their work on small settings."""

import functools
import importlib.util
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

import alocc.datasets
from gaal import datasets

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


def test_reproduce_writes_curves_and_a_report_of_what_it_ran(script, tmp_path, capsys, monkeypatch):
    reproduce = script("reproduce")
    monkeypatch.setattr(reproduce, "RUNS", [("SO-GAAL", "WDBC"), ("MO-GAAL", "WDBC")])
    small = functools.partial(alocc.ALOCC, gf_dim=2, df_dim=2)
    monkeypatch.setattr(alocc, "ALOCC", small, raising=False)
    assert reproduce.main(["--output", str(tmp_path), "--seed", "1"]) == 0
    report = (tmp_path / "report.md").read_text()
    assert "| SO-GAAL | WDBC | stop_epochs 200 | 367 | 10 | 600 |" in report
    assert "| MO-GAAL | WDBC | stop_epochs 200, k 10 | 367 | 10 | 600 |" in report
    assert "load_breast_cancer" in report
    ones = int((alocc.datasets.load_digits_28().target == 1).sum())
    assert f"| digits | batch_size 32, epochs 40 | {ones} | {40 * (ones // 32)} |" in report
    assert "not MNIST" in report
    history = pd.read_csv(tmp_path / "alocc.csv")
    assert (
        history["g_loss_reconstruction"][-4:].mean() < history["g_loss_reconstruction"][:4].mean()
    )
    for line in report.splitlines():
        if line.startswith("!["):
            assert (tmp_path / line.split("(")[1].rstrip(")")).stat().st_size > 10_000
    assert not list(tmp_path.glob(".unfinished*"))
    assert "at the stop node" in capsys.readouterr().out


def test_reproduce_reads_the_published_files_from_one_folder(script, tmp_path, monkeypatch):
    """MNIST from mnist.npz, GAAL's files from the folder gaal beside it."""
    reproduce = script("reproduce")
    seen = {}
    monkeypatch.setattr(reproduce, "RUNS", [])
    monkeypatch.setattr(reproduce, "run_alocc", lambda mnist, *_: seen.update(mnist=mnist) or {})
    monkeypatch.setattr(reproduce, "report", lambda *_: "")
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, data_home, download: seen.update({name: data_home}),
    )
    (tmp_path / "gaal").mkdir()
    (tmp_path / "mnist.npz").touch()
    with pytest.raises(KeyError):  # the empty row of ALOCC has nothing to print
        reproduce.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert seen == {
        "mnist": tmp_path / "mnist.npz",
        "WDBC": tmp_path / "gaal",
        "onecluster": tmp_path / "gaal",
    }


@pytest.mark.parametrize("steps", ["1", "auto"])
def test_replay_takes_a_record_of_alocc(script, steps, capsys):
    trace = SCRIPTS.parent / "tests" / "traces" / "alocc_dim2_float64.npz"
    assert script("replay").main([str(trace), "--steps_per_execution", steps]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outside_tolerance"] == []
    assert result["differences"]["g_loss_second"] < 1e-8


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
