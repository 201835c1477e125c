"""scripts/check_devices.py, on logical devices of the CPU."""

import os
import subprocess
import sys
import time
from pathlib import Path

import check_devices
import pytest

from gaal import doors

ROOT = Path(__file__).parents[2]
TRACES = ROOT / "tests" / "traces"
CPU = check_devices.Place("CPU:0", "/device:CPU:0")

# By the graph: the other door's several devices are in the detectors' own tests. Of the speeds the
# first one, by a single fit: how speed is measured is tested above, in no time.
PROGRAM = """
import sys
import check_devices

check_devices.DOORS = {"graph": "auto"}
first = check_devices.settings(quick=True)[:1]
check_devices.settings = lambda quick: first
check_devices.Setting.updates_a_second = lambda self, place, _: (self.fit(1, place), 1.5)[1]
sys.exit(check_devices.main(sys.argv[1:]))
"""


def run(*arguments, timeout=600):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}"}
    environment.pop("TF_CONFIG", None)
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
    )


def cells(text):
    """Give the rows of the tables, each as the numbers that it ends with."""
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {tuple(row[:2]): row[2:] for row in rows if "---" not in row}


def test_what_is_beyond_its_tolerance_or_fails_is_told(capsys):
    report = check_devices.Report()
    found = [check_devices.Place(name, None) for name in ("good", "bad", "nan", "broken", "none")]

    def measure(place):
        if place.name == "broken":
            raise RuntimeError("no\nkernel")
        return {"good": 0.5, "bad": 1.5, "nan": float("nan"), "none": None}[place.name]

    report.row(["run", "graph"], found, measure)
    assert capsys.readouterr().out == (
        "| run | graph | 0.5 | **1.5** | **nan** | **RuntimeError** |  |\n"
    )
    assert report.problems == [
        "run, graph, bad: 1.5 times the tolerance",
        "run, graph, nan: nan times the tolerance",
        "run, graph, broken: RuntimeError: no kernel",
    ]


def test_the_exit_status_and_the_file_tell_of_a_difference(tmp_path, monkeypatch, capsys):
    def program_of(path):
        def replay(path, steps):
            return {"loss": 2.0 if steps == 1 else 0.5}

        return replay, lambda name: 1.0

    monkeypatch.setattr(check_devices, "program_of", program_of)
    monkeypatch.setattr(check_devices, "places", lambda: [CPU])
    arguments = ["--seconds", "0", "--output", str(tmp_path / "report.md")]
    arguments += ["--traces", str(TRACES / "so_gaal_n120_d7.npz")]
    assert check_devices.main(arguments) == 1
    text = (tmp_path / "report.md").read_text()
    assert text == capsys.readouterr().out
    assert "- so_gaal_n120_d7, train_on_batch, CPU:0: 2 times the tolerance" in text
    assert "| so_gaal_n120_d7 | graph | 0.5 |" in text


@pytest.mark.parametrize("wanted", [True, False])
def test_xla_is_as_wanted_whatever_the_run(wanted):
    runs = [(1, 1, (1, 100, 2)), (10_000, 2, (2, 5000, 20))]
    with check_devices.with_xla(wanted):
        plans = [doors.plan_execution("auto", *run, 1, False) for run in runs]
    assert [plan.jit_compile for plan in plans] == [wanted, wanted]


def test_speed_leaves_out_what_every_fit_costs(monkeypatch):
    clock, lengths = [0.0], set()

    def fit(self, n_epochs, place):
        first = n_epochs not in lengths
        lengths.add(n_epochs)
        clock[0] += 3 + 20 * first + n_epochs * 0.01  # tracing, the rest, 2 updates an epoch

    monkeypatch.setattr(check_devices.Setting, "fit", fit)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    setting = check_devices.Setting("SO-GAAL", 1000, 500)
    assert setting.updates_a_second(CPU, 0.5) == pytest.approx(200)


@pytest.mark.parametrize("i", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2))])
def test_every_setting_trains(i):
    check_devices.settings(quick=True)[i].fit(1, CPU)


def test_the_settings_are_of_every_algorithm():
    whole = check_devices.settings(quick=False)
    assert {setting.algorithm for setting in whole} == {"SO-GAAL", "MO-GAAL", "ALOCC"}
    assert all(setting.n >= setting.batch_size >= setting.k for setting in whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "-1"], "--seconds: -1; expected 0 or more"),
        (["--traces", "nowhere.npz"], "no file nowhere.npz"),
        (["--output", "nowhere/report.md"], "there is no folder"),
    ],
)
def test_bad_arguments_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        check_devices.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_two_logical_devices_alone_and_together_compute_what_was_recorded(tmp_path):
    # ALOCC replays on one device in its own tests, and as it does on several; its fits are here.
    kinds = ["so_gaal_n120_d7", "mo_gaal_n700_d3_k10"]
    options = ["--devices", "2", "--quick", "--seconds", "0.05", "--output", tmp_path / "report.md"]
    options += ["--traces", *(TRACES / f"{kind}.npz" for kind in kinds)]
    done = run("-c", PROGRAM, *options, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\r" not in done.stdout
    assert done.stdout == (tmp_path / "report.md").read_text()
    assert done.stdout.rstrip().endswith("Everything is within its tolerance.")
    rows = cells(done.stdout)
    assert rows["run", "by"] == ["CPU:0", "CPU:1", "2 x CPU, mirrored"]
    for kind in kinds:
        assert all(0 < float(share) <= 1 for share in rows[kind, "graph"])
    for name in check_devices.FIT_TOLERANCE:
        same, mirrored = map(float, rows[name, "graph"])
        assert same == 0 or name == "ALOCC, float64"
        assert 0 < mirrored <= 1  # sums in another order: that it was divided shows
    *alone, together = rows["so_gaal_n120_d7", "graph, XLA"]
    assert all(0 < float(share) <= 1 for share in alone)
    assert together == ""  # XLA is not for several
    speeds = [line for line in done.stdout.splitlines() if line.startswith("| SO-GAAL | 1,000")]
    assert len(speeds) == 2
    assert speeds[0].endswith("| 1.5 | 1.5 | 1.5 |")
