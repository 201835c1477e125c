"""scripts/reproduce.py: what it runs, keeps, judges and writes."""

import dataclasses
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from reproduction import (
    division,
    gaal_data,
    gaal_runs,
    irrelevant_variables,
    longruns,
    onecluster,
    post,
    recorded_runs,
    report,
    stop_epochs,
    stored,
    verdicts,
)
from reproduction.target import Outcome, Plan, Target, as_json, sha256
from reproduction.targets import TARGETS

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUICK = Plan(full=False, seeds=2)


MADE, PUBLISHED = (
    onecluster.RERUNS[name]["sha256"]
    for name in ("make_onecluster(random_state=0)", onecluster.PUBLISHED_POINTS)
)


def judged(name, runs):
    """Judge what runs of a target returned by their raw numbers, as read from a file."""
    return TARGETS[name].judge(as_json([TARGETS[name].numbers(run) for run in runs]))


def flat(algorithm, parameters=None, seed=0, updates=6000, points=MADE):
    """Make a run in which nothing is learned."""
    columns = ["discriminator_loss", *(f"sub_generator{i}_loss" for i in range(2))]
    history = pd.DataFrame(0.69, index=range(updates), columns=[*columns, "generator_loss"])
    return {
        "algorithm": algorithm,
        "name": "onecluster",
        "seed": seed,
        "parameters": parameters or {},
        "history": history.assign(auc=0.6),
        "points": points,
        "end": 0.6,
        "ends": {**dict.fromkeys(post.post_checkpoints.FIGURES[4]["ends"], 0.1), "final_auc": 0.6},
        "stop": updates // 3,
        "seconds": 1.0,
        "weights": {
            "discriminator": [np.zeros(s, "f4") for s in ((2, 32), 32, (32, 1), 1)],
            "generator": [np.eye(2, dtype="f4"), np.zeros(2, "f4")] * 2,
        },
    }


def piece(value):
    counted = np.arange(value)
    return {"value": value, "sum": float(counted.sum()), "counted": counted}


def judge(runs):
    total = sum(run["sum"] for run in runs)
    return Outcome(
        [verdicts.within("sum", total, 3, 0), verdicts.cannot("more", "1", "none known")],
        {"A table": pd.DataFrame(runs)[["value", "sum"]]},
        ["A note."],
    )


def draw(plan, results):
    figure = Figure()
    figure.subplots().plot([r["sum"] for r in results])
    return {"A <figure>": figure}


def describe(plan):
    return [{"name": "numbers", "source": "counted", "sha256": sha256(np.arange(3))}]


def small(name="small", run=piece):
    """Make a target that takes no time."""
    return Target(
        name,
        f"The {name} & only",
        "Section 1",
        "none",
        lambda plan: [{"value": i} for i in range(plan.seeds + 1)],
        run,
        dict,
        judge,
        draw,
        describe,
    )


@pytest.fixture
def reproduce(monkeypatch, tmp_path):
    # No file is at hand, and none is asked for.
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return load_script()


def load_script():
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPTS / "reproduce.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_targets(monkeypatch, reproduce, *targets):
    monkeypatch.setattr(reproduce, "TARGETS", {target.name: target for target in targets})


def test_a_finished_target_is_kept_until_forced_or_asked_otherwise(
    reproduce, monkeypatch, tmp_path, capsys
):
    with_targets(monkeypatch, reproduce, small())
    arguments = ["--output", str(tmp_path), "--jobs", "1", "--seeds", "3"]
    assert reproduce.main(arguments) == 0
    assert "small: kept" not in capsys.readouterr().out
    first = (tmp_path / "small" / "result.json").stat().st_mtime_ns
    assert reproduce.main(arguments) == 0
    assert "small: kept" in capsys.readouterr().out
    assert (tmp_path / "small" / "result.json").stat().st_mtime_ns == first
    assert reproduce.main([*arguments, "--force"]) == 0
    assert (tmp_path / "small" / "result.json").stat().st_mtime_ns > first
    assert reproduce.main([*arguments[:-1], "2"]) == 0
    assert "small: kept" not in capsys.readouterr().out
    stored = {"index.html", "index.md", "small"}
    assert {path.name for path in tmp_path.iterdir()} - {"keras"} == stored


def test_what_is_finished_survives_an_interrupt(reproduce, monkeypatch, tmp_path, capsys):
    def stop(value):
        raise KeyboardInterrupt

    with_targets(monkeypatch, reproduce, small("first"), small("second", stop))
    assert reproduce.main(["--output", str(tmp_path), "--jobs", "1"]) == 130
    assert "what is finished is kept" in capsys.readouterr().err
    assert (tmp_path / "first" / "result.json").exists()
    assert "The first &amp; only" in (tmp_path / "index.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "index.html", "index.md"]


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_run_that_fails_costs_its_own_target_only(jobs, reproduce, monkeypatch, tmp_path, capsys):
    def slow(value):
        time.sleep(0.2)  # until the runs of the second have failed
        return piece(value)

    def fail(value):
        raise RuntimeError("broken")

    targets = small("first", slow), small("second", fail), small("third")
    with_targets(monkeypatch, reproduce, *targets)
    assert reproduce.main(["--output", str(tmp_path / "out"), "--jobs", jobs]) == 2
    assert "second, value 0: RuntimeError: broken" in capsys.readouterr().err
    stored = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert stored == ["first", "index.html", "index.md", "third"]


def test_a_quick_run_leaves_what_a_full_one_made(reproduce, monkeypatch, tmp_path, capsys):
    with_targets(monkeypatch, reproduce, small("one"), small("two"))
    arguments = ["--output", str(tmp_path), "--jobs", "1", "--data-home", str(tmp_path)]
    assert reproduce.main([*arguments, "one", "--full"]) == 0
    assert reproduce.main(arguments) == 0
    assert "one: kept, of --full; --force replaces it" in capsys.readouterr().out
    assert "--full in 1 of 2" in (tmp_path / "index.md").read_text()
    assert reproduce.main([*arguments, "--force"]) == 0
    assert "; --quick," in (tmp_path / "index.md").read_text()


@pytest.mark.parametrize("other", ["versions", "settings", "runs", "no raw numbers"])
def test_what_was_made_otherwise_is_made_anew(other, reproduce, monkeypatch, tmp_path, capsys):
    with_targets(monkeypatch, reproduce, small())
    arguments = ["--output", str(tmp_path), "--jobs", "1"]
    assert reproduce.main(arguments) == 0
    assert reproduce.main(arguments) == 0
    assert capsys.readouterr().out.count("small: kept") == 1
    if other == "versions":
        monkeypatch.setattr(stored, "versions", lambda: {"gaal-alocc": "0"})
    elif other == "no raw numbers":
        (tmp_path / "small" / "runs.json").unlink()
    else:
        pieces = [{"value": 5}]
        change = {"settings": "more"} if other == "settings" else {"pieces": lambda plan: pieces}
        with_targets(monkeypatch, reproduce, dataclasses.replace(small(), **change))
    assert reproduce.main(arguments) == 0
    assert "kept" not in capsys.readouterr().out


def test_what_an_earlier_version_left_is_shown_and_made_anew(
    reproduce, monkeypatch, tmp_path, capsys
):
    with_targets(monkeypatch, reproduce, small())
    arguments = ["--output", str(tmp_path), "--jobs", "1"]
    assert reproduce.main(arguments) == 0
    path = tmp_path / "small" / "result.json"
    path.write_text(path.read_text().replace('"runs"', '"another"'))  # kept no raw numbers
    assert (
        report.NOT_KEPT in report.pages(report.collect([small()], tmp_path), tmp_path)["index.md"]
    )
    capsys.readouterr()
    assert reproduce.main(["--verify", str(tmp_path)]) == 1  # by the pages, which say they are
    assert "no raw numbers kept" in capsys.readouterr().out
    assert reproduce.main(arguments) == 0
    assert "kept" not in capsys.readouterr().out
    assert '"runs"' in path.read_text()


def test_verdicts_are_counted():
    run = {"of": {"seed": 0}, "cpu_seconds": 150.0}  # shared, and so counted once
    result = {"plan": {"full": False}, "raw": [run]}
    kinds = verdicts.DIFFERS, verdicts.REPRODUCED
    judged = [{**result, "verdict": v} for v in kinds]
    assert report.counts(judged) == "1 reproduced, 1 differs; --quick, 2.5 minutes of one core"
    more = [{**result, "verdict": v} for v in (*kinds, verdicts.STAND_IN, verdicts.UNTOLD)]
    assert report.counts(more).startswith(
        "1 reproduced, 1 differs, 1 cannot be told, 1 stand-in; --quick"
    )
    assert report.counts([judged[0]] * 2) == "2 differ; --quick, 2.5 minutes of one core"


def test_the_report_names_everything_one_needs_to_redo_it(reproduce, monkeypatch, tmp_path):
    with_targets(monkeypatch, reproduce, small())
    reproduce.main(["--output", str(tmp_path), "--jobs", "1", "--seeds", "2"])
    result = json.loads((tmp_path / "small" / "result.json").read_text())
    assert result["verdict"] == verdicts.DIFFERS  # 0 + 0 + 1 is not 3
    assert result["comparisons"][0]["difference"] == -2
    assert result["comparisons"][1]["difference"] is None
    for text in ((tmp_path / "index.md").read_text(), (tmp_path / "index.html").read_text()):
        assert "python scripts/reproduce.py small --quick --seeds 2 --force" in text
        assert sha256(np.arange(3)) in text
        assert "Section 1" in text
        assert "differs" in text
        assert "none known" in text
        assert "tensorflow" in text
    assert "A &lt;figure&gt;" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "small" / "a-figure.png").stat().st_size > 1000


def test_long_runs_of_an_unfinished_target_are_not_made_again(
    reproduce, monkeypatch, tmp_path, capsys
):
    counted = []

    def run(value):
        counted.append(value)
        if counted == [0, 1]:
            raise KeyboardInterrupt
        return piece(value)

    with_targets(monkeypatch, reproduce, small(run=run))
    monkeypatch.setattr(reproduce, "LONG", 0.0)
    # The folder as well as other arguments tell a run from others.
    arguments = ["--output", str(tmp_path / "out"), "--jobs", "1", "--seeds", "2"]
    assert reproduce.main(arguments) == 130
    assert reproduce.main(arguments) == 0
    assert counted == [0, 1, 1, 2]
    assert (
        tmp_path / "out" / "small" / "a-table.csv"
    ).read_text() == "value,sum\n0,0.0\n1,0.0\n2,1.0\n"
    assert reproduce.main([*arguments, "--force"]) == 0
    assert counted == [0, 1, 1, 2, 0, 1, 2]


def test_what_a_long_run_returned_is_read_back_bit_for_bit(tmp_path):
    result = {
        "array": np.array([0.1, np.nan, 1e-45], np.float32),
        "images": [np.arange(4, dtype=np.uint8).reshape(2, 2), np.array([True, False])],
        "table": pd.DataFrame({"f": np.float32([0.1, 3]), "d": [1 / 3, 2.0], "s": ["a", "b"]}),
        "none": None,
        "number": np.float64(1 / 3),
        "maps": {"one": (np.zeros((1, 2), np.int16), "text")},
    }
    longruns.write(tmp_path / "runs" / "a.json", result, 31.5)
    back, seconds = longruns.read(tmp_path / "runs" / "a.json")
    assert seconds == 31.5
    np.testing.assert_array_equal(back["array"], result["array"])
    for ours, theirs in zip([back["array"], *back["images"]], [result["array"], *result["images"]]):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    pd.testing.assert_frame_equal(back["table"], result["table"])
    assert (back["none"], back["number"], back["maps"]["one"][1]) == (None, 1 / 3, "text")
    # Another seed, other threads or data that stand in are another run.
    names = {
        longruns.name(piece, arguments, threads)
        for arguments, threads in (
            ({"seed": 0, "mnist": None}, 1),
            ({"seed": 1, "mnist": None}, 1),
            ({"seed": 0, "mnist": None}, 2),
            ({"seed": 0, "mnist": Path("a")}, 1),
            ({"seed": 0, "mnist": Path("b")}, 1),
        )
    }
    assert len(names) == 4


@pytest.fixture(scope="module")
def report_of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "report"
    with pytest.MonkeyPatch.context() as patch:
        script = load_script()
        with_targets(patch, script, small("one"), small("two"))
        assert script.main(["--output", str(folder), "--jobs", "1", "--seeds", "2"]) == 0
    return folder


@pytest.fixture
def made(reproduce, report_of_two, monkeypatch, tmp_path, capsys):
    """A report of two targets, and what checks it: gives the exit status and what was said."""
    with_targets(monkeypatch, reproduce, small("one"), small("two"))
    folder = shutil.copytree(report_of_two, tmp_path / "report")
    capsys.readouterr()

    def check(*more):
        status = reproduce.main(["--verify", str(folder), *more])
        return status, "".join(capsys.readouterr())

    return folder, check


def test_a_report_is_as_its_raw_numbers_say(made):
    folder, check = made
    status, said = check()
    assert status == 0
    assert [line.split(" ", 1)[0] for line in said.splitlines()[:-1]] == [
        *("one", "two"),
        *("index.html", "index.md"),
    ]
    assert said.count("as stated") == 5
    # What is checked is what a report states, wherever it lies and whatever is at hand.
    moved = folder.rename(folder.parent / "moved")
    assert check()[0] == 2
    moved.rename(folder)
    assert (folder / "one" / "environment.txt").read_text().count("\nnumpy==") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("two/runs.json", '"sum": 1.0', '"sum": 3.0', "verdict: the report states 'differs'"),
        ("two/runs.json", '"sum": 1.0', '"sum": 1.001', "comparisons 0, ours: the report states"),
        ("two/runs.json", '{"of": {"value": 0', "", "JSONDecodeError"),
        ("two/runs.json", None, None, "FileNotFoundError"),
        ("two/result.json", '"verdict": "differs",', '"verdict": "reproduced",', "verdict"),
        ("two/result.json", '"A note."', '"Another."', "notes 0"),
        ("two/result.json", '"runs": 3', '"runs": 4', "3 runs in runs.json, the report states 4"),
        # Another plan, or runs that were picked.
        ("two/result.json", '"seeds": 2', '"seeds": 1', "run 2: the report has one of {'value': 2"),
        ("two/runs.json", '{"value": 2', '{"value": 7', "run 2: the report has one of {'value': 7"),
        ("two/result.json", '"settings": "none"', '"settings": "s"', "settings: the report states"),
        ("two/a-table.csv", "2,1.0", "2,1.1", "table A table, sum 2: the report has 1.1"),
        ("two/a-table.csv", None, None, "FileNotFoundError"),
        ("two/result.json", None, None, "index.md               NOT AS STATED"),
        ("index.md", "**differs**", "**holds**", "index.md               NOT AS STATED"),
        ("index.html", ">differs<", ">holds<", "index.html             NOT AS STATED"),
    ],
)
def test_a_report_that_was_tampered_with_is_found_out(made, file, old, new, said):
    folder, check = made
    path = folder / file
    if old is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    status, told = check()
    assert status == 1
    assert said in told
    assert "one                    as stated" in told
    if file.startswith("two/"):
        assert check("one")[0] == 0


def test_runs_made_again_are_what_is_recorded_or_said_not_to_be(made, monkeypatch):
    folder, check = made
    status, told = check("--again", "4", "--draw", "7", "--jobs", "1")
    assert status == 0
    assert told.count("the same, bit for bit") == 4
    assert check("--again", "4", "--draw", "7", "--jobs", "1")[1] == told
    assert "drawn by --draw" in check("--again", "1", "--jobs", "1")[1]  # a seed of its own
    # A number that no table and no verdict shows is still found out.
    path = folder / "one" / "runs.json"
    assert "[0, 1]" in path.read_text()
    path.write_text(path.read_text().replace("[0, 1]", "[0, 3]"))
    status, told = check("one", "--again", "3", "--jobs", "1")
    assert status == 1
    assert "differs in 1 numbers, most in counted 1: recorded 3, now 1" in told
    assert "with the same versions and processor" in told
    # Elsewhere last digits may differ, and the verdict has to stay.
    monkeypatch.setattr(stored, "environment", lambda: "another machine")
    status, told = check("one", "--again", "3", "--jobs", "1")
    assert status == 0
    assert "with other versions or another processor; the verdict stays differs" in told
    # Runs of another name or other settings are no runs on other files.
    path.write_text(path.read_text().replace('"run": "piece"', '"run": "another"'))
    told = check("--again", "3", "--jobs", "1")[1]
    assert "not drawn from one: its runs are others now" in told
    assert "not drawn from two" not in told
    status, told = check("one", "--again", "3", "--jobs", "1")
    assert status == 1
    assert "0 runs made again" in told


def test_a_quick_run_is_the_same_beside_a_folder_that_it_does_not_take(reproduce, tmp_path):
    plain = reproduce.with_data(QUICK, [], tmp_path, True)[0]
    for part in ("UCSDped2/Train", "UCSDped2/Test", "256_ObjectCategories/257.clutter"):
        (tmp_path / part).mkdir(parents=True)
    plan = reproduce.with_data(QUICK, [], tmp_path, True)[0]
    assert stored.identity(plan) == stored.identity(plain)
    for name in ("alocc-frames", "alocc-caltech"):
        assert TARGETS[name].pieces(plan) == TARGETS[name].pieces(plain)
    full = reproduce.with_data(dataclasses.replace(QUICK, full=True), [], tmp_path, True)[0]
    assert (full.ucsd, full.caltech) == (tmp_path / "UCSDped2", tmp_path / "256_ObjectCategories")


def test_the_command_of_a_target_names_a_folder_where_it_takes_one():
    target = TARGETS["alocc-tutorial"]
    assert "--data-home" not in stored.command(target, QUICK)
    for files in ({"mnist": Path("mnist.npz")}, {"gaal_home": Path()}, {"full": True}):
        assert "--data-home DATA" in stored.command(target, dataclasses.replace(QUICK, **files))


def test_checking_needs_a_report_and_its_own_options(reproduce, tmp_path, capsys):
    assert reproduce.main(["--verify", str(tmp_path)]) == 2
    assert "holds no report" in capsys.readouterr().err
    for arguments in (["--again", "2"], ["--draw", "2"], ["--verify", ".", "--again", "-1"]):
        with pytest.raises(SystemExit):
            reproduce.main(arguments)
        assert "--again" in capsys.readouterr().err


def test_the_report_of_this_repository_is_as_stated(reproduce, capsys):
    folder = SCRIPTS.parent / "docs" / "report"
    assert reproduce.main(["--verify", str(folder)]) == 0, capsys.readouterr().out


@pytest.mark.slow
def test_processes_give_what_one_process_gives(reproduce, monkeypatch, tmp_path):
    with_targets(monkeypatch, reproduce, small("one"), small("two"))
    tables = []
    for jobs in ("1", "2"):
        output = tmp_path / jobs
        arguments = ["--output", str(output), "--jobs", jobs, "--seeds", "3"]
        assert reproduce.main(arguments) == 0
        tables.append([(output / n / "a-table.csv").read_text() for n in ("one", "two")])
    assert tables[0] == tables[1]
    assert tables[0][0] == tables[0][1] == "value,sum\n0,0.0\n1,0.0\n2,1.0\n3,3.0\n"


@pytest.mark.slow
def test_a_free_process_goes_on_with_the_next_target(reproduce, monkeypatch, tmp_path):
    """The first target waits for what the second one's piece leaves."""
    mark = tmp_path / "mark"

    def wait(value):
        for _ in range(600):
            if mark.exists():
                return piece(value)
            time.sleep(0.1)
        raise TimeoutError

    def leave(value):
        mark.touch()
        return piece(value)

    one_piece = {"pieces": lambda plan: [{"value": 3}]}
    with_targets(
        monkeypatch,
        reproduce,
        dataclasses.replace(small("first", wait), **one_piece),
        dataclasses.replace(small("second", leave), **one_piece),
    )
    assert reproduce.main(["--output", str(tmp_path), "--jobs", "2"]) == 0
    assert (tmp_path / "first" / "result.json").exists()


def test_runs_that_targets_share_are_made_once_and_a_piece_may_have_its_own(
    reproduce, monkeypatch, tmp_path
):
    made = tmp_path / "made"

    def write(value):
        with made.open("a") as file:
            file.write(f"{value} ")
        return piece(value)

    def other(value):
        return {"value": value, "sum": 100.0, "counted": []}

    second = dataclasses.replace(
        small("second", write), pieces=lambda plan: [{"value": 7, "run": other}, {"value": 2}]
    )
    first = dataclasses.replace(
        small("first", write), pieces=lambda plan: [{"value": 2}, {"value": 3}]
    )
    with_targets(monkeypatch, reproduce, first, second)
    assert reproduce.main(["--output", str(tmp_path), "--jobs", "1"]) == 0
    assert made.read_text() == "2 3 "
    assert (tmp_path / "second" / "a-table.csv").read_text() == "value,sum\n7,100.0\n2,1.0\n"


def test_the_trainings_that_targets_share_are_the_same():
    plan = Plan(full=False, seeds=10)
    so, mo = (TARGETS[name].pieces(plan) for name in ("so-onecluster", "mo-onecluster"))
    assert TARGETS["post-figure6"].pieces(plan) == so
    assert [p for p in TARGETS["division"].pieces(plan) if "run" not in p] == so + mo
    of_datasets = [
        {**piece, "run": gaal_runs.summarise} for piece in TARGETS["datasets"].pieces(plan)
    ]
    of_k = [p for p in TARGETS["sub-generators"].pieces(plan) if p["parameters"]["k"] > 1]
    assert of_k == [piece for piece in of_datasets if piece["algorithm"] == "MO-GAAL"]


@pytest.mark.slow
def test_a_dask_cluster_runs_the_pieces(reproduce, monkeypatch, tmp_path):
    distributed = pytest.importorskip("distributed")
    with_targets(monkeypatch, reproduce, small())
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        arguments = ["--output", str(tmp_path), "--dask", cluster.scheduler_address]
        assert reproduce.main(arguments) == 0
    assert "2,1.0" in (tmp_path / "small" / "a-table.csv").read_text()


def test_unknown_targets_and_numbers_are_refused(reproduce, capsys):
    for arguments, message in [
        (["nothing"], "no target nothing; the targets are recorded-runs"),
        (["--seeds", "0"], "--seeds is 0; expected at least 1"),
        (["--first-seed", "-1"], "--first-seed is -1; expected at least 0"),
        (["--jobs", "0"], "--jobs is 0; expected at least 1"),
    ]:
        with pytest.raises(SystemExit):
            reproduce.main(arguments)
        assert message in capsys.readouterr().err


def test_a_folder_that_is_none_is_named_before_anything_runs(reproduce, tmp_path, capsys):
    arguments = ["--data-home", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")]
    assert reproduce.main(arguments) == 2
    assert "nowhere is no folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("target", "missing"), [("alocc-figure6", "MNIST is not"), ("so-onecluster", "onecluster is")]
)
def test_a_full_run_asks_for_its_files_before_anything_runs(
    target, missing, reproduce, tmp_path, capsys
):
    arguments = ["--full", "--offline", "--output", str(tmp_path / "out"), target]
    assert reproduce.main(arguments) == 2
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_every_target_is_listed_with_its_source(reproduce, capsys):
    assert reproduce.main(["--list"]) == 0
    listed = capsys.readouterr().out
    for target in reproduce.TARGETS.values():
        assert target.name in listed
        assert target.source in listed
        assert target.settings


def test_a_plan_takes_other_seeds_and_some_of_them():
    plan = Plan(full=False, seeds=10, first_seed=40)
    assert list(plan.all_seeds) == list(range(40, 50))
    assert list(plan.some_seeds(3)) == [40, 41, 42]
    for target in TARGETS.values():
        seeds = {piece["seed"] for piece in target.pieces(plan) if "seed" in piece}
        assert seeds <= set(plan.all_seeds), target.name


def test_what_ten_seeds_cannot_tell_is_judged_by_fresh_ones_in_a_full_run():
    plans = [Plan(full=True, seeds=10, first_seed=first) for first in (0, 10)]
    fresh = [set(plan.fresh_seeds) for plan in plans]
    assert [len(seeds) for seeds in fresh] == [30, 30]
    assert not fresh[0] & fresh[1]
    assert min(*fresh[0], *fresh[1]) >= 1000
    division_pieces = TARGETS["division"].pieces(plans[0])
    trained = [piece for piece in division_pieces if "run" not in piece]
    assert len(trained) == 3 * 2 * 30
    assert {piece["seed"] for piece in trained} == fresh[0]
    tutorial = TARGETS["alocc-tutorial"].pieces(plans[0])
    assert {piece["seed"] for piece in tutorial if "run" in piece} == fresh[0]
    assert {piece["seed"] for piece in tutorial if "run" not in piece} == set(range(10))


def test_the_second_sets_are_of_full_runs_and_share_what_others_train(reproduce):
    full = Plan(full=True, seeds=10)
    names = {piece["name"] for piece in TARGETS["irrelevant-variables"].pieces(full)}
    assert names == {"two clusters", "onecluster"}
    of_sub_generators = reproduce.one_after_the_other(TARGETS["sub-generators"], full)
    of_datasets = reproduce.one_after_the_other(TARGETS["datasets"], full)
    shared = [chunk for chunk in of_sub_generators if chunk in of_datasets]
    assert [(pieces[0]["name"], pieces[0]["parameters"]["k"]) for _, pieces in shared] == [
        ("WDBC", 10)
    ]
    X, y = irrelevant_variables.irrelevant_data("onecluster", None, 0.75, seed=0)
    np.testing.assert_array_equal(X[:, :2], gaal_data.load("onecluster", None).data)
    assert X.shape == (1000, 8)
    assert y.sum() == 20
    X, _ = irrelevant_variables.irrelevant_data("two clusters", None, 0.75, seed=0)
    assert X.shape == (1000, 16)


def test_runs_that_differ_in_their_seed_only_follow_one_another_in_one_process(reproduce):
    for name in ("so-onecluster", "datasets", "irrelevant-variables"):
        plan = Plan(full=True, seeds=10)
        chunks = [pieces for _, pieces in reproduce.one_after_the_other(TARGETS[name], plan)]
        assert [piece for chunk in chunks for piece in chunk] == TARGETS[name].pieces(plan)
        assert max(map(len, chunks)) == 10
        for chunk in chunks:
            rest = [{k: v for k, v in piece.items() if k != "seed"} for piece in chunk]
            assert all(other == rest[0] for other in rest)


def test_long_runs_are_spread_over_the_processes(reproduce):
    plan = Plan(full=True, seeds=10, mnist=Path("mnist.npz"))
    target = TARGETS["alocc-tutorial"]
    assert target.long
    chunks = reproduce.one_after_the_other(target, plan)
    assert chunks == [reproduce.work_of(target, [piece]) for piece in target.pieces(plan)]


def test_onecluster_is_judged_by_the_reruns_of_its_own_points_alone():
    made = gaal_data.load("onecluster", None)
    assert sha256(made.data) == "f8ea8301d456e893530ee1deece2e5b94990ecb33c9d332e10cf2dde5ebea416"
    assert sha256(made.data) == MADE
    results = [flat("SO-GAAL", seed=seed) for seed in range(10)]
    runs = [gaal_runs.numbers(result) for result in results]
    (final, *_) = onecluster.judge_reruns(runs, "keras2.0.2")
    reruns = onecluster.RERUNS["make_onecluster(random_state=0)"]["SO-GAAL"]["keras2.0.2"]
    assert f"median {np.median(reruns['final_auc']):.4g}" in final.published
    # Reruns with the wider kernels there are on the published points only.
    assert onecluster.judge_reruns(runs, "keras2.2.4") == []
    for comparison in judged("so-onecluster", results).comparisons:
        assert comparison.of == "make_onecluster(random_state=0)"
        of_figure = comparison.what.startswith("the figure's")
        assert (comparison.verdict == verdicts.STAND_IN) == of_figure
    # Any other points have none.
    others = [{**result, "points": sha256(made.data + 1e-9)} for result in results]
    assert onecluster.judge_reruns(list(map(gaal_runs.numbers, others)), "keras2.0.2") == []
    outcome = judged("so-onecluster", others)
    assert verdicts.overall(outcome.comparisons) == verdicts.STAND_IN


@pytest.mark.parametrize(
    "name", ["so-onecluster", "mo-onecluster", "post-figure4", "post-figure5", "post-figure6"]
)
def test_a_run_that_learns_nothing_does_not_reproduce_a_curve(name):
    algorithm = "MO-GAAL" if name.startswith("mo") else "SO-GAAL"
    runs = [
        flat(algorithm, {"stop_epochs": 1000, **variant}, seed, points=PUBLISHED)
        for variant in ({}, onecluster.UNDER_224)
        for seed in range(10)
    ]
    outcome = judged(name, runs)
    assert verdicts.overall(outcome.comparisons) == verdicts.DIFFERS
    assert sum(c.verdict == verdicts.DIFFERS for c in outcome.comparisons) > 1
    (figure,) = TARGETS[name].draw(QUICK, runs).values()
    assert not any("1e-05" in ax.get_title() for ax in figure.axes)


PLANE = {
    "plane": np.linspace(0, 1, 400).reshape(20, 20),
    "generated": np.random.default_rng(0).random((300, 2)),
}


def table_of(name, **values):
    """Make the results of a target that keeps numbers only, the same with ten seeds."""
    base = {"seconds": 1.0, "name": "onecluster", "points": MADE}
    if "end" in values and "stop" not in values:  # taken from trainings
        base = {**flat("MO-GAAL", {"stop_epochs": 9}), **PLANE}
    return [
        {**base, "seed": seed, **dict(zip(values, row))}
        for seed in range(10)
        for row in zip(*values.values())
    ]


BAD = {
    "datasets": table_of(
        "datasets",
        algorithm=["SO-GAAL", "MO-GAAL"],
        parameters=[{"stop_epochs": 9}, {"stop_epochs": 9}],
        stop=[0.9, 0.9],
        end=[0.9, 0.8],
        best=[1.0, 1.0],
    ),
    "division": table_of(
        "division",
        algorithm=["SO-GAAL", "MO-GAAL"],
        end=[0.9, 0.8],
    )
    + [
        {
            "name": "onecluster",
            "algorithm": algorithm,
            "seed": 0,
            "moments": [
                {"epoch": 1, "auc": 0.5, **PLANE},
            ]
            * len(division.MOMENTS),
        }
        for algorithm in gaal_runs.ALGORITHMS
    ],
    "stop-epochs": table_of(
        "stop-epochs",
        algorithm=["SO-GAAL", "MO-GAAL"],
        parameters=[{"stop_epochs": 1000}, {"stop_epochs": 1500}],
        loss=[np.full(100, 0.69)] * 2,
        update=[50, np.nan],
        suggested=[25, np.nan],
    ),
    "sub-generators": table_of(
        "sub-generators",
        parameters=[{"k": 1}, {"k": 10}],
        end=[0.9, 0.8],
    ),
    "irrelevant-variables": table_of(
        "irrelevant-variables",
        method=["SO-GAAL", "MO-GAAL", "LOF", "kNN", "IsolationForest"] * 2,
        share=[0.0] * 5 + [0.9] * 5,
        auc=[0.9] * 5 + [0.9, 0.5, 0.9, 0.9, 0.9],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_numbers_do_not_reproduce_a_table(name):
    outcome = judged(name, BAD[name])
    assert verdicts.overall(outcome.comparisons) == verdicts.DIFFERS
    assert outcome.tables
    assert TARGETS[name].draw(QUICK, BAD[name])


def test_the_logarithms_are_those_of_the_post():
    outcome = judged("post-figure2", [post.logarithms()])
    assert verdicts.overall(outcome.comparisons) == verdicts.REPRODUCED


def test_other_points_are_not_the_published_scatter():
    run = {**post.scatter("onecluster", None), "points": PUBLISHED}
    assert verdicts.overall(judged("post-figure3", [run]).comparisons) == verdicts.REPRODUCED
    run["centre"] = [0.6, 0.5]
    assert verdicts.overall(judged("post-figure3", [run]).comparisons) == verdicts.DIFFERS


def test_points_made_to_be_like_the_published_ones_are_said_once(
    reproduce, monkeypatch, tmp_path, capsys
):
    runs = [flat("SO-GAAL", {"stop_epochs": 1000, "generator_bias": 1.0}, s) for s in range(10)]
    for name, made in (
        ("post-figure3", [post.scatter("onecluster", None)]),
        ("post-figure4", runs),
    ):
        outcome = judged(name, made)
        assert {c.verdict for c in outcome.comparisons} == {verdicts.STAND_IN}
        assert "make_onecluster(random_state=0)" in outcome.stand_in
    with_targets(monkeypatch, reproduce, TARGETS["post-figure3"])
    assert reproduce.main(["--offline", "--jobs", "1", "--output", str(tmp_path / "out")]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("data: make_onecluster(random_state=0) stands in")
    assert "stands in" not in "".join(rest)
    text = (tmp_path / "out" / "index.md").read_text()
    assert "Stand-ins: make_onecluster(random_state=0) for the published onecluster (p" in text
    assert text.count("for the published onecluster") == 1


@pytest.mark.slow
def test_small_pieces_of_gaal_run_and_show():
    """Every kind of piece, trained for real on small settings."""
    short = {"seed": 0, "name": "WDBC", "home": None, "parameters": {"stop_epochs": 3}}
    for algorithm in gaal_runs.ALGORITHMS:
        result = gaal_runs.summarise(algorithm=algorithm, **short)
        assert 0 <= result["stop"] <= result["best"] <= 1
        looked = division.moments(algorithm, "onecluster", {"stop_epochs": 20}, 0, None)
        assert [m["epoch"] for m in looked["moments"]] == [3, 9, 20]
        # A moment is what a training of so many epochs ends at.
        parameters = {"stop_epochs": 20, "epochs": 9}
        run = gaal_runs.train(algorithm, "onecluster", parameters, 0, None)
        assert run["end"] == looked["moments"][1]["auc"]
        for kept, shape in (("generated", (300, 2)), ("plane", (80, 80))):
            assert run[kept].shape == shape
            np.testing.assert_array_equal(run[kept], looked["moments"][1][kept])
        seen = irrelevant_variables.irrelevant("two clusters", None, algorithm, 0.5, 0, 2)
        assert 0 <= seen["auc"] <= 1
    unstopped = stop_epochs.unstopped(
        algorithm="SO-GAAL",
        **{**short, "parameters": {"stop_epochs": 150}},
    )
    assert len(unstopped["loss"]) == 512  # WDBC's loss slows before 300 and rises again
    assert 100 < unstopped["suggested"] < 400
    for method in ("LOF", "kNN", "IsolationForest"):
        assert (
            irrelevant_variables.irrelevant("two clusters", None, method, 0.0, 0, 2)["auc"] > 0.95
        )


def test_the_settings_of_the_figures_are_the_published_ones():
    assert gaal_runs.published_parameters("SO-GAAL", "onecluster") == {"stop_epochs": 1000}
    assert gaal_runs.published_parameters("MO-GAAL", "WDBC") == {"stop_epochs": 200, "k": 10}
    full = Plan(full=True, seeds=10, gaal_home=Path("data"))
    pieces = TARGETS["datasets"].pieces(full)
    assert len(pieces) == 12 * 2 * 10
    assert {piece["home"] for piece in pieces} == {"data"}


def test_stability_gives_reproduce_its_targets_and_options_and_refuses_others(capsys):
    import stability

    args, more = stability.parse(["division", "--data", "x", "--jobs", "1", "--sets", "2"])
    assert (args.sets, more) == (2, ["division", "--jobs", "1"])
    for wrong in (["nosuch"], ["--jobs", "0"], ["--sets", "0"], ["--threads", "2"]):
        with pytest.raises(SystemExit):
            stability.parse(["--data", "x", *wrong])
        assert wrong[0].strip("-") in capsys.readouterr().err


def test_the_power_of_a_target_s_order_is_told_by_the_runs_of_a_report(tmp_path, capsys):
    import power

    rng = np.random.default_rng(0)
    far, near = rng.uniform(0.1, 0.2, 10), rng.normal(0, 0.1, 10)
    runs = [
        {**run, "name": name, "end": 0.5 + float(by[run["seed"]] * (run["parameters"]["k"] == 10))}
        for name, by in (("far", far), ("near", near))
        for run in BAD["sub-generators"]
    ]
    target = TARGETS["sub-generators"]
    folder = tmp_path / target.name
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"runs": len(runs)}))
    raw = [{"numbers": target.numbers(run)} for run in runs]
    (folder / "runs.json").write_text(json.dumps(as_json(raw)))
    pairs = power.pairs_of(target, tmp_path)
    np.testing.assert_allclose(list(pairs.values()), [far, near])
    of_far, of_near = pairs
    right = power.told(pairs, 10, 25, by_chance=False)
    assert right[of_far] == 1
    assert right[of_near] < 0.5
    assert max(power.told(pairs, 10, 25, by_chance=True).values()) <= 0.04  # 0.01 expected at most
    assert power.main([str(tmp_path), target.name, "--pairs", "10", "--draws", "5"]) == 0
    assert "10 pairs: 100.0% told, without order" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        power.main([str(tmp_path), "post-figure2"])


def test_a_statement_that_is_made_of_several_sets_has_its_power_on_each(tmp_path):
    import power

    losses = {"two clusters": 0.1, "onecluster": 0.2}  # LOF's and kNN's, MO-GAAL has none
    runs = [
        {"name": name, "method": method, "share": share, "seed": seed, "auc": 1 - share * lost}
        for name, loss in losses.items()
        for method, lost in (("MO-GAAL", 0.0), ("LOF", loss), ("kNN", loss))
        for share in (0.0, 0.9)
        for seed in range(3)
    ]
    folder = tmp_path / "irrelevant-variables"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"runs": len(runs)}))
    (folder / "runs.json").write_text(json.dumps([{"numbers": run} for run in runs]))
    pairs = power.pairs_of(TARGETS["irrelevant-variables"], tmp_path)
    assert len(pairs) == 4
    for name, loss in losses.items():
        ours = [found for what, found in pairs.items() if what.startswith(f"{name}: ")]
        np.testing.assert_allclose(ours, np.full((2, 3), 0.9 * loss))


@pytest.mark.slow
def test_verdicts_over_other_seeds_and_threads_are_laid_out(tmp_path, monkeypatch, capsys):
    import stability

    output = tmp_path / "reports"
    arguments = ["post-figure2", "--sets", "2", "--data", "No data", "--offline", "--jobs", "1"]
    arguments += ["--output", str(output), "--work", str(tmp_path / "work")]
    assert stability.main(arguments) == 0
    assert "post-figure2           reproduced" in capsys.readouterr().out
    table = json.loads((output / "stability-no-data.json").read_text())["sets"]
    assert [one["of"] for one in table] == [
        "seeds 0 to 9",
        "seeds 10 to 19",
        "seeds 0 to 9, 2 threads",
    ]
    assert all(one["verdicts"] == {"post-figure2": verdicts.REPRODUCED} for one in table)
    shutil.copytree(
        tmp_path / "work" / "no-data" / "seeds-0-threads-1" / "post-figure2", output / "p"
    )
    (output / "p").rename(output / "post-figure2")
    report.write(TARGETS.values(), output)
    row = "| The two logarithms | reproduced | reproduced | reproduced |"
    assert row in (output / "index.md").read_text()
    assert report.STABLE in (output / "index.html").read_text()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith("mo") else ())
        for name in recorded_runs.RECORDS
    ],
)
def test_a_recorded_run_is_trained_again_by_the_detector(name):
    outcome = judged("recorded-runs", [recorded_runs.run_recorded(name)])
    assert {c.verdict for c in outcome.comparisons} == {verdicts.REPRODUCED}


@pytest.mark.parametrize(
    ("departure", "what"),
    [
        ("loss_summed", "losses"),
        ("no_decay", "learning rate of D"),
        ("shuffle", "losses"),
        ("one_epoch", "updates in which G learns"),
        ("frozen", "updates in which G learns"),
    ],
)
def test_a_program_with_one_departure_is_found_out_by_the_recorded_runs(departure, what):
    """He kernels are not among them: a record brings its own. so-onecluster finds them out."""
    run = recorded_runs.numbers(recorded_runs.run_recorded("so_gaal_n1100_d4", (departure,)))
    wrong = [c.what for c in recorded_runs.compare(run) if c.verdict == verdicts.DIFFERS]
    assert any(found.startswith(what) for found in wrong), wrong


@pytest.mark.slow
def test_he_kernels_are_found_out_by_ten_runs_on_onecluster():
    from porting.departures import departed

    data = gaal_data.load("onecluster", None)
    runs = []
    for seed in range(10):
        other = departed("so-gaal", ["he_normal"], stop_epochs=1000, random_state=seed)
        history = other.fit(data.data, data.target).history_.astype(np.float32)
        runs.append({**flat("SO-GAAL", seed=seed), "history": history, "stop": 2002})
    outcome = judged("so-onecluster", runs)
    assert verdicts.overall(outcome.comparisons) == verdicts.DIFFERS


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
PROBE = """<body><iframe id="page" src="PAGE" width="390" height="800"></iframe><script>
document.getElementById("page").onload = () => {
  const doc = document.getElementById("page").contentDocument;
  document.body.setAttribute("data-width", doc.documentElement.scrollWidth);
  document.body.setAttribute("data-images",
    [...doc.images].map((image) => image.naturalWidth > 0).join(" "));
};
</script></body>"""


def browse(page, folder, *more):
    """Open a page in headless Chromium; return the DOM and what was logged."""
    with tempfile.TemporaryDirectory() as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        command += ["--disable-component-update", f"--user-data-dir={profile}"]
        command += ["--allow-file-access-from-files", "--enable-logging=stderr", "--v=0"]
        command += ["--virtual-time-budget=20000", "--dump-dom", *more, page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_fits_a_phone_and_its_images_load(reproduce, monkeypatch, tmp_path):
    with_targets(monkeypatch, reproduce, small("one"), small("two"))
    reproduce.main(["--output", str(tmp_path), "--jobs", "1"])
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.replace("PAGE", "index.html"))
    dom, console = browse(probe, tmp_path)
    assert 'data-images="true true"' in dom
    assert int(re.search(r'data-width="(\d+)"', dom).group(1)) <= 390
    assert console == []
    # The same probe notices a page that is broken.
    (tmp_path / "one" / "a-figure.png").unlink()
    text = (tmp_path / "index.html").read_text()
    (tmp_path / "index.html").write_text(text.replace("<h1>", "<script>x.y</script><h1>"))
    dom, console = browse(probe, tmp_path)
    assert 'data-images="false true"' in dom
    assert any("x is not defined" in line for line in console)


def test_cells_of_tables_read_like_numbers():
    assert report.number(0.98765432) == "0.9877"
    assert report.number(12.345, "seconds") == "12.3"
    assert report.number(float("nan")) == ""
    assert report.number("0.9 ± 0.1") == "0.9 ± 0.1"
