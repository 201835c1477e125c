"""The command lines: published flags, files, errors of one line."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from gaal import SOGAAL, cli, datasets

# The commands print warnings as lines, but for Keras's own.
pytestmark = pytest.mark.filterwarnings("default", "ignore:__array__ implementation")

# pytest shows Keras's own, which a command does not.
NO_DEPRECATIONS = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    data = datasets.make_onecluster(60, 6, random_state=0)
    data.frame.to_csv(tmp_path / "points", header=False, index=False)
    return tmp_path / "points"


def test_published_flags_run_as_published(path, capsys):
    flags = "--stop_epochs 3 --whether_stop 1 --lr_d 0.01 --lr_g 0.0001 --decay 1e-6 --momentum 0.9"
    assert cli.so_gaal(["--path", str(path), *flags.split()]) == 0
    out = capsys.readouterr().out
    assert "60 rows, 2 features, 6 outliers" in out
    assert "AUC 0." in out
    assert "after 9 updates" in out
    assert cli.mo_gaal(["--path", str(path), "--k", "4", *flags.split()]) == 0
    assert "generator_loss" in capsys.readouterr().out


def test_defaults_are_the_published_scripts():
    so = cli._parser("so-gaal").parse_args([])
    mo = cli._parser("mo-gaal").parse_args([])
    assert (so.path, so.stop_epochs, so.whether_stop) == ("WDBC", 240, True)
    assert (so.lr_d, so.lr_g, so.decay, so.momentum) == (0.01, 0.0001, 1e-6, 0.9)
    assert (mo.stop_epochs, mo.k) == (300, 10)
    assert not hasattr(so, "k")


def test_output_holds_everything_of_the_run(path, tmp_path, capsys):
    folder = tmp_path / "out" / "run"
    arguments = ["--path", str(path), "--stop_epochs", "3", "--seed", "5", "--quiet"]
    assert cli.so_gaal([*arguments, "--output", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert sorted(p.name for p in folder.iterdir()) == [
        "curves.png", "detector.zip", "history.csv", "scores.csv", "settings.json"
    ]  # fmt: skip
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["stop_epochs"], settings["random_state"]) == (3, 5)
    assert f"AUC {settings['auc']:.4f}" in printed
    scores = pd.read_csv(folder / "scores.csv")
    detector = SOGAAL.load(folder / "detector.zip")
    data = datasets.load_csv(path)
    np.testing.assert_allclose(scores["outlier_score"], 1 - detector.score_samples(data.data))
    assert roc_auc_score(scores["label"] == "out", scores["outlier_score"]) == pytest.approx(
        settings["auc"], abs=1e-6
    )
    assert len(pd.read_csv(folder / "history.csv")) == 9
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_stop_epochs_may_be_left_to_the_rule(tmp_path, capsys):
    arguments = ["--path", "WDBC", "--stop_epochs", "auto", "--seed", "0", "--output", tmp_path]
    assert cli.so_gaal([str(argument) for argument in arguments]) == 0
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["stop_epochs"] == "auto"
    assert f"after {3 * settings['stop_epochs_']} updates" in capsys.readouterr().out


def test_the_seed_decides_the_run_by_either_door(path, tmp_path):
    histories = []
    for i, steps in enumerate(["auto", "auto", "1"]):
        folder = tmp_path / str(i)
        arguments = f"--path {path} --stop_epochs 2 --seed 1 --quiet --steps_per_execution {steps}"
        assert cli.mo_gaal([*arguments.split(), "--k", "4", "--output", str(folder)]) == 0
        histories.append(pd.read_csv(folder / "history.csv"))
    pd.testing.assert_frame_equal(histories[0], histories[1])
    pd.testing.assert_frame_equal(histories[0], histories[2], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "nowhere"], "nowhere: no such file, and no published data set"),
        (["--path", "{points}", "--stop_epochs", "0"], "'stop_epochs'"),
        (["--path", "{points}", "--lr_d", "-1"], "'lr_d'"),
        (["--path", "{empty}"], "empty"),
        (["--path", "{points}", "--output", "{points}"], "cannot be written to"),
        (["--path", "{points}", "--output", "{points}/below"], "cannot be written to"),
        (["--path", "."], "is a folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(arguments, message, path, tmp_path, capsys):
    (tmp_path / "empty").write_text("")
    arguments = [a.format(points=path, empty=tmp_path / "empty") for a in arguments]
    if "--output" not in arguments:
        arguments += ["--output", str(tmp_path / "out")]
    assert cli.so_gaal([*arguments, "--quiet"]) == 2
    err = capsys.readouterr().err.strip()
    assert err.startswith("so-gaal: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_whether_stop_takes_0_or_1_only(capsys):
    with pytest.raises(SystemExit):
        cli.so_gaal(["--whether_stop", "yes"])
    assert "neither 0 nor 1" in capsys.readouterr().err


def test_k_beyond_the_batch_is_a_line_on_stderr(path, capsys):
    assert cli.mo_gaal(["--path", str(path), "--k", "11", "--quiet"]) == 2
    assert "k=11 sub-generators share a batch of 60 rows" in capsys.readouterr().err


def test_interrupt_writes_nothing(path, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(SOGAAL, "fit", interrupt)
    folder = tmp_path / "out"
    assert cli.so_gaal(["--path", str(path), "--output", str(folder)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not folder.exists()


def test_a_failed_save_leaves_neither_files_nor_folders(path, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(SOGAAL, "save", fail)
    folder = tmp_path / "new" / "out"
    arguments = f"--path {path} --stop_epochs 1 --quiet --output {folder}"
    assert cli.so_gaal(arguments.split()) == 2
    assert "no space left" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_nothing_is_replaced_where_one_file_cannot_be(path, tmp_path, capsys):
    folder = tmp_path / "out"
    (folder / "detector.zip").mkdir(parents=True)
    arguments = f"--path {path} --stop_epochs 1 --quiet --output {folder}"
    assert cli.so_gaal(arguments.split()) == 2
    assert "detector.zip is a folder" in capsys.readouterr().err
    assert [p.name for p in folder.iterdir()] == ["detector.zip"]


@pytest.mark.filterwarnings("ignore")
def test_a_diverged_run_reports_no_auc(path, tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = f"--path {path} --stop_epochs 20 --lr_d 1e30 --seed 1 --quiet --output {folder}"
    assert cli.so_gaal(arguments.split()) == 0
    assert "diverged" in capsys.readouterr().out
    assert json.loads((folder / "settings.json").read_text())["auc"] is None


@pytest.fixture
def unscaled(tmp_path):
    data = datasets.make_onecluster(60, 6, random_state=0)
    np.savez(tmp_path / "unscaled.npz", X=data.data * [1000, 1e9] + [0, 1e12], y=data.target)
    return tmp_path / "unscaled.npz"


@NO_DEPRECATIONS
def test_unscaled_data_draw_one_line_that_names_the_option(unscaled, tmp_path, capfd):
    arguments = f"--path {unscaled} --stop_epochs 1 --seed 0 --quiet"
    assert cli.so_gaal(arguments.split()) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("so-gaal: warning: The features of X lie in [")
    assert line.endswith("Scale them with --scale minmax.")
    sweep = f"sweep {arguments} --seeds 2 --output {tmp_path / 'sweep'}".replace("--seed 0 ", "")
    assert cli.mo_gaal([*sweep.split(), "--k", "4"]) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("mo-gaal: warning: The features of X lie in [")
    for more in (["--scale", "minmax"], ["--grid", "scale=minmax"]):
        assert cli.so_gaal([*sweep.split()[:-1], str(tmp_path / more[-1]), *more]) == 0
        assert capfd.readouterr().err == ""
    assert cli.so_gaal([*arguments.split(), "--scale", "minmax"]) == 0
    assert capfd.readouterr().err == ""


def test_what_is_scaled_is_scored_by_the_saved_detector_as_it_was(unscaled, tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = f"--path {unscaled} --stop_epochs 3 --seed 5 --quiet --scale minmax"
    assert cli.so_gaal([*arguments.split(), "--output", str(folder)]) == 0
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["scale"] == "minmax"
    data = datasets.load_table(unscaled)
    pipeline = make_pipeline(MinMaxScaler(), SOGAAL(stop_epochs=3, random_state=5))
    pipeline.fit(data.data, data.target)
    scores = pd.read_csv(folder / "scores.csv")
    np.testing.assert_allclose(scores["outlier_score"], 1 - pipeline.score_samples(data.data))
    assert settings["auc"] == pytest.approx(pipeline[-1].history_["auc"].iloc[-1])
    detector = SOGAAL.load(folder / "detector.zip")
    for rows in (data.data, data.data[20:30], data.data + 100):
        np.testing.assert_allclose(detector.score_samples(rows), pipeline.score_samples(rows))


def test_a_sweep_scales_as_a_run_does(unscaled, tmp_path):
    arguments = f"sweep --path {unscaled} --stop_epochs 2 --scale minmax --seeds 2 --quiet"
    assert cli.so_gaal([*arguments.split(), "--output", str(tmp_path / "sweep")]) == 0
    table = pd.read_csv(tmp_path / "sweep" / "sweep.csv").set_index("seed")
    assert set(table["scale"]) == {"minmax"}
    data = datasets.load_table(unscaled)
    for seed in (0, 1):
        detector = SOGAAL(stop_epochs=2, scale="minmax", random_state=seed)
        history = detector.fit(data.data, data.target).history_
        assert table["auc_end"][seed] == pytest.approx(history["auc"].iloc[-1], abs=1e-12)


def test_a_run_on_files_of_numpy_and_parquet_is_that_on_text(path, tmp_path, capsys):
    data = datasets.load_csv(path)
    np.savez(tmp_path / "points.npz", X=data.data, y=data.target)
    data.frame.to_parquet(tmp_path / "points.parquet")
    scores = []
    for file, told in [
        (path, "6 outliers (labels: column 2)"),
        (tmp_path / "points.npz", "6 outliers (labels: y)"),
        (tmp_path / "points.parquet", "6 outliers (labels: column 'label')"),
    ]:
        folder = tmp_path / f"of {file.name}"
        arguments = ["--path", file, "--stop_epochs", 2, "--seed", 1, "--output", folder]
        assert cli.so_gaal(list(map(str, arguments))) == 0
        assert told in capsys.readouterr().out
        scores.append(pd.read_csv(folder / "scores.csv").drop(columns="id"))
    pd.testing.assert_frame_equal(scores[0], scores[1])
    pd.testing.assert_frame_equal(scores[0], scores[2])


@NO_DEPRECATIONS
def test_without_labels_a_run_has_scores_and_no_auc(path, tmp_path, capfd):
    np.save(tmp_path / "points.npy", datasets.load_csv(path).data)
    folder = tmp_path / "run"
    arguments = f"--path {tmp_path / 'points.npy'} --stop_epochs 2 --output {folder}"
    assert cli.so_gaal(arguments.split()) == 0
    out, err = capfd.readouterr()
    assert "60 rows, 2 features, no labels" in out
    assert "AUC undefined: there are no labels that tell outliers" in out
    assert err == ""
    assert list(pd.read_csv(folder / "scores.csv")) == ["id", "outlier_score"]
    assert json.loads((folder / "settings.json").read_text())["auc"] is None


@NO_DEPRECATIONS
def test_labels_that_do_not_tell_draw_one_line(path, tmp_path, capfd):
    frame = datasets.load_csv(path).frame
    frame.assign(label=frame["label"].replace({"nor": "good", "out": "bad"})).to_parquet(
        tmp_path / "points.parquet"
    )
    arguments = f"--path {tmp_path / 'points.parquet'} --stop_epochs 1 --quiet"
    assert cli.so_gaal(arguments.split()) == 0
    out, err = capfd.readouterr()
    assert out == "AUC undefined: there are no labels that tell outliers\n"
    (line,) = err.splitlines()
    assert line.startswith(f"so-gaal: warning: {tmp_path / 'points.parquet'}: column 'label' hol")
    assert "'bad', 'good'; expected 1 or 'out'" in line


@NO_DEPRECATIONS
def test_labels_of_one_class_are_told_once(tmp_path, capfd):
    np.savez(tmp_path / "points.npz", X=datasets.make_onecluster(60, 0).data, y=np.zeros(60))
    assert cli.so_gaal(f"--path {tmp_path / 'points.npz'} --stop_epochs 1 --quiet".split()) == 0
    out, err = capfd.readouterr()
    assert out == "AUC undefined: the labels are of one class\n"
    assert err == ""
