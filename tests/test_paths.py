"""~ is the home folder in every path, where the shell leaves it as it is (--output=~/run)."""

import argparse
import importlib
import os

import numpy as np
import pandas as pd
import pytest

import alocc.cli
import alocc.datasets
import gaal.cli
import gaal.replay
import gaal.tensorboard
from alocc import ALOCC
from gaal import SOGAAL, datasets
from gaal_alocc import checkpoints, rows, sweep

NO_PATHS = {"attention_label", "array", "dask", "grid", "names", "data_sets", "figures", "targets"}
NO_PATHS |= {"data", "departures", "methods", "stop_epochs"}
SCRIPTS = [
    "alocc_departures", "alocc_mnist", "benchmark", "compare_ports", "execute_notebooks", "replay",
    "post_checkpoint", "power", "reproduce", "stability",
]  # fmt: skip
X = pd.DataFrame(np.random.default_rng(0).random((60, 2)), columns=["a", "b"])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, and another one to work in, in which nothing called ~ is made."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    yield home
    assert not list(here.iterdir())


@pytest.fixture(scope="module")
def detector():
    return SOGAAL(stop_epochs=1, random_state=0).fit(X)


def parsers():
    """Every parser that a command or a script makes."""
    made = []

    class Stop(Exception):
        pass

    def parse_known_args(parser, *_, **__):  # which parse_args calls
        made.append(parser)
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_known_args", parse_known_args)
        calls = [lambda m=m, a=a: m(a) for m in (gaal.cli.so_gaal, gaal.cli.mo_gaal) for a in
                 ([], ["sweep"])]  # fmt: skip
        calls += [lambda: alocc.cli.main([])]
        calls += [lambda name=name: importlib.import_module(name).main([]) for name in SCRIPTS]
        for call in calls:
            with pytest.raises(Stop):
                call()
    for parser in made:
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from action.choices.values()


def test_every_option_of_every_command_that_takes_a_path_knows_home(home):
    seen = set()
    for parser in parsers():
        for action in parser._actions:
            text = action.type in (None, os.path.expanduser, gaal_path()) and action.nargs != 0
            if not text or action.choices is not None or action.dest in NO_PATHS:
                continue
            value = parser._get_value(action, "~/x")
            assert os.fspath(value) == str(home / "x"), (parser.prog, action.dest)
            seen.add(action.dest)
    assert seen == {
        "path", "data_home", "output", "checkpoint_dir", "tensorboard", "model", "dataset",
        "dataset_address", "input", "json", "notebooks", "trace", "work",
        "chkpt", "report", "verify",
    }  # fmt: skip


def gaal_path():
    from gaal_alocc.cli import path

    return path


def test_a_run_finds_and_leaves_everything_at_home(home, capsys):
    datasets.make_onecluster(60, 6, random_state=0).frame.to_csv(
        home / "points", header=False, index=False
    )
    options = "--path=~/points --stop_epochs 1 --quiet --output=~/run --checkpoint_dir=~/snapshots"
    assert gaal.cli.so_gaal([*options.split(), "--tensorboard=~/board"]) == 0
    assert "AUC" in capsys.readouterr().out
    assert (home / "run" / "detector.zip").is_file()
    assert list((home / "snapshots").iterdir())
    assert list((home / "board").iterdir())
    arguments = "sweep --path ~/points --stop_epochs 1 --seeds 1 --quiet --output ~/sweep"
    assert gaal.cli.so_gaal(arguments.split()) == 0
    assert (home / "sweep" / "sweep.csv").is_file()


def test_detectors_are_saved_and_loaded_at_home(home, detector):
    detector.save("~/detector.zip")
    assert (home / "detector.zip").is_file()
    scores = SOGAAL.load("~/detector.zip").score_samples(X)
    np.testing.assert_array_equal(scores, detector.score_samples(X))
    (home / "no.model").write_text("no model")
    with pytest.raises(ValueError, match=r"not a detector|no saved"):
        ALOCC.load("~/no.model")


def test_data_are_read_from_home(home, detector, monkeypatch):
    X.to_parquet(home / "rows.parquet")
    np.testing.assert_array_equal(rows.open_rows("~/rows.parquet").blocks(60).__next__(), X)
    scores = detector.score_samples(["~/rows.parquet"])
    np.testing.assert_array_equal(scores, detector.score_samples(X))
    datasets.make_onecluster(60, 6).frame.to_csv(home / "points", header=False, index=False)
    assert datasets.load_csv("~/points").data.shape == (60, 2)
    (home / "WDBC").write_text("not the published one")
    for variable in (False, True):
        if variable:
            monkeypatch.setenv("GAAL_DATA_HOME", "~")
        with pytest.raises(ValueError, match=f"{home / 'WDBC'} is not the published"):
            datasets.load_dataset("WDBC", data_home=None if variable else "~")
    monkeypatch.setenv("KERAS_HOME", "~/keras")
    with pytest.raises(FileNotFoundError, match=str(home / "keras" / "gaal" / "Pima")):
        datasets.load_dataset("Pima", data_home="~/none", download=False)


def test_images_are_read_from_home(home):
    from PIL import Image

    (home / "photos").mkdir()
    for i in range(2):
        Image.new("L", (16, 16), 200 * i).save(home / "photos" / f"{i}.png")
    assert alocc.datasets.load_image_folder("~/photos").data.shape[0] == 2
    assert alocc.datasets.load_images("~/photos").data.shape[0] == 2
    with pytest.raises(FileNotFoundError, match=str(home / "mnist.npz")):
        alocc.datasets.load_mnist("~/mnist.npz")
    with pytest.raises(FileNotFoundError, match=str(home / "idx")):
        alocc.datasets.read_idx("~/idx")


def test_snapshots_sweeps_and_recorded_runs_lie_at_home(home):
    checkpoints.open_checkpoints("~/run", SOGAAL(), {"X": X.to_numpy()}, seed=0)
    assert (home / "run").is_dir()
    sweep.sweep(SOGAAL(), [{}], [0], run_one, None, "~/table.csv", measures=["m"])
    assert (home / "table.csv").is_file()
    for module in (gaal.replay, importlib.import_module("alocc.replay")):
        with pytest.raises(FileNotFoundError, match=str(home / "trace.npz")):
            module.replay("~/trace.npz")
    callback = gaal.tensorboard.TensorBoard("~/board")
    assert callback.log_dir == str(home / "board")
    assert gaal.tensorboard.TensorBoard("gs://bucket/run").log_dir == "gs://bucket/run"


def run_one(estimator, data):
    return {"m": 1.0}


def test_nobody_of_that_name_is_no_traceback(home, capsys):
    assert gaal.cli.so_gaal(["--path", "~nobody.of.that.name/points"]) == 2
    assert "no such file" in capsys.readouterr().err
