"""The recorded runs of the published programs replay, and a wrong program does not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import replay as script

from gaal import doors, networks, replay, training

ROOT = Path(__file__).parents[2]
TRACES = sorted((ROOT / "tests" / "traces").glob("*gaal*.npz"))
SHORT = ROOT / "tests" / "traces" / "so_gaal_n120_d7.npz"


def outside(differences):
    return [n for n, value in differences.items() if not value <= replay.tolerance(n)]


# In the fast tests each record by one door; tests/gaal/test_doors.py holds them to each other.
FAST = {"so_gaal_n120_d7": 1, "mo_gaal_n700_d3_k10": 1}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        pytest.param(
            *(path, steps),
            id=f"{path.stem}-{steps}",
            marks=() if steps == FAST.get(path.stem, "auto") else pytest.mark.slow,
        )
        for path in TRACES
        for steps in (1, "auto")
    ],
)
def test_recorded_run_replays_within_tolerance(path, steps):
    differences = replay.replay(path, steps)
    assert outside(differences) == []
    with np.load(path) as trace:
        recorded = {n for n in trace.files if n.startswith(("history", "epoch_scores"))}
        recorded |= {n for n in trace.files if "_final_" in n}
    assert recorded <= set(differences)


def test_all_four_recorded_runs_are_there():
    assert len(TRACES) == 4


# Of MO-GAAL's two, one.
@pytest.mark.parametrize(
    "path",
    [path if path == SHORT else pytest.param(path, marks=pytest.mark.slow) for path in TRACES[1:]],
    ids=lambda path: path.stem,
)
def test_recorded_run_replays_under_xla(path, monkeypatch):
    monkeypatch.setattr(doors, "XLA_UPDATES", 1)
    assert outside(replay.replay(path)) == []


def test_a_generator_frozen_one_epoch_late_is_noticed(monkeypatch):
    kept = training.Algorithm.active_updates
    monkeypatch.setattr(training.Algorithm, "active_updates", lambda *a: kept(*a) + 1)
    assert "g0_movement" in outside(replay.replay(SHORT))


def test_the_ports_sum_of_the_two_halves_is_noticed(monkeypatch):
    kept = networks.clipped_binary_crossentropy
    monkeypatch.setattr(networks, "clipped_binary_crossentropy", lambda y, p: 2 * kept(y, p))
    assert "history_discriminator_loss" in outside(replay.replay(SHORT))


def test_a_wrong_momentum_is_noticed(tmp_path):
    with np.load(SHORT) as archive:
        trace = dict(archive)
    config = {**json.loads(str(trace["config"])), "momentum": 0.8}
    np.savez(tmp_path / "trace.npz", **{**trace, "config": json.dumps(config)})
    assert "d_final_0" in outside(replay.replay(tmp_path / "trace.npz"))


@pytest.mark.parametrize(
    ("n", "d", "k"),
    [
        pytest.param(31, 1, 1, marks=pytest.mark.slow),
        (90, 2, 3),
        pytest.param(640, 4, 7, marks=pytest.mark.slow),
    ],
)
def test_runs_of_any_shape_k_and_length_replay(tmp_path, n, d, k):
    """A run recorded by one door, here, replays by the other."""
    rng = np.random.default_rng(0)
    batch_size, n_epochs = min(500, n), 5
    m = n // batch_size
    discriminator = networks.build_discriminator(d, n, seed=0)
    gan = networks.combine(networks.build_sub_generators(d, k), discriminator)
    networks.compile_models(gan, 0.01, 0.0001, 1e-6, 0.9)
    trace = {
        "X": rng.random((n, d), dtype=np.float32),
        "y_outlier": np.arange(n) < 5,
        "noise": rng.random((2 * n_epochs * m, batch_size, d), dtype=np.float32),
        "config": json.dumps(
            {"algorithm": "mo_gaal", "stop_epochs": 2, "k": k, "lr_d": 0.01, "lr_g": 0.0001,
             "decay": 1e-6, "momentum": 0.9, "n": n, "d": d}
        ),
    }  # fmt: skip

    def keep(moment):
        named = {"d": discriminator.get_weights()}
        for i, model in enumerate(networks.unstack(gan.generator)):
            named[f"g{i}"] = model.get_weights()
        for name, weights in named.items():
            trace.update({f"{name}_{moment}_{i}": w for i, w in enumerate(weights)})

    keep("init")
    draws = iter(trace["noise"].reshape(-1, 2, batch_size, d))
    epoch_scores = []
    history = training.train(
        gan,
        training.MO_GAAL,
        trace["X"],
        orders=iter([np.arange(m * batch_size, dtype=np.int32).reshape(m, -1)] * n_epochs),
        draw_noise=lambda count: np.stack([next(draws) for _ in range(count)]),
        n_epochs=n_epochs,
        active_updates=training.MO_GAAL.active_updates(2, m, n_epochs, True),
        steps_per_execution=1,
        is_outlier=trace["y_outlier"],
        on_scores=epoch_scores.append,
    )
    keep("final")
    trace |= {f"history_{name}": column for name, column in history.items()}
    trace["epoch_scores"] = np.vstack(epoch_scores)
    np.savez(tmp_path / "trace.npz", **trace)
    assert outside(replay.replay(tmp_path / "trace.npz", 3)) == []


def run_script(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "replay.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_prints_json_and_its_exit_status_tells_the_verdict(tmp_path, capsys):
    assert script.main([str(SHORT), "--steps_per_execution", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["outside_tolerance"] == []
    with np.load(SHORT) as archive:
        trace = dict(archive)
    trace["epoch_scores"][3, 7] = np.nan
    np.savez(tmp_path / "bad.npz", **trace)
    assert script.main([str(tmp_path / "bad.npz"), "--steps_per_execution", "1"]) == 1
    assert json.loads(capsys.readouterr().out)["outside_tolerance"] == ["epoch_scores"]


def test_script_names_a_file_that_is_no_trace(tmp_path):
    (tmp_path / "notes.txt").write_text("no trace")
    for path in (tmp_path / "notes.txt", tmp_path / "nowhere.npz"):
        result = run_script(path)
        assert result.returncode == 2
        assert path.name in result.stderr.splitlines()[-1]
        assert result.stdout == ""
