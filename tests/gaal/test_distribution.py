"""Several devices, and several processes, give one device's result."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone

import alocc.cli
import gaal.cli
from alocc import ALOCC
from gaal import MOGAAL, SOGAAL
from gaal_alocc import distribution

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("distributed.py")
EQUAL = 2e-5  # float32's error over the few updates of a run; what is wrong lies far above it
WRONG = 10 * EQUAL  # shares of 19 and 18 rows, not weighted, come to 9e-4


def start(script, *arguments):
    search = f"{ROOT}{os.pathsep}{SCRIPT.parent}"
    environment = {**os.environ, "PYTHONPATH": search, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    return subprocess.Popen(
        [sys.executable, script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process):
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), out


def free_ports(count):
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_ports]
    for server in with_ports:
        server.close()
    return ports


@pytest.fixture(scope="module")
def strategies():
    return finish(start(SCRIPT, "strategies", 2))[0]


WRONG_WAYS = ["shares not weighted", "gradients not summed", "gradients summed twice"]


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_logical_devices_give_one_device_s_result_and_a_wrong_sum_is_noticed(devices):
    result, _ = finish(start(SCRIPT, "mirrored", devices))
    wrong = [result.pop(way) for way in WRONG_WAYS if way in result]
    assert len(wrong) == (3 if devices == 2 else 0)
    assert all(not difference < WRONG for difference in wrong)
    rows = {run: result.pop(run) for run in list(result) if run.endswith(" rows")}
    assert len(rows) == len(result) == (6 if devices == 2 else 1)
    assert np.max(list(result.values())) < EQUAL
    # Every replica is handed its share only. D's are the rows of the batch and as many
    # potential outliers.
    expected = {
        "discriminator": sorted(set(distribution.shares(74, devices))),
        "combine_model": sorted(set(distribution.shares(37, devices))),
    }
    assert rows == dict.fromkeys(rows, expected)


@pytest.mark.slow
@pytest.mark.parametrize("door", [1, "auto"])
def test_a_batch_that_is_not_divided_is_noticed(strategies, door):
    rows = strategies[f"batch not divided {door} rows"]
    assert rows == {"discriminator": [74], "combine_model": [37]}


@pytest.mark.slow
def test_a_strategy_of_one_replica_gives_the_same_result(strategies):
    assert strategies["of one replica"] < EQUAL


@pytest.mark.slow
def test_the_user_s_own_strategies_go_together_in_any_order(strategies):
    differences = list(strategies["own strategies"].values())
    assert len(differences) == 5
    assert np.max(differences) < EQUAL


@pytest.mark.slow
@pytest.mark.parametrize("on", ["one device", "several devices"])
def test_a_run_goes_on_with_another_number_of_devices(strategies, on):
    assert strategies[f"resumed on {on}"] < EQUAL


@pytest.mark.slow
def test_the_command_divides_over_devices_too(tmp_path):
    arguments = ["--path", "WDBC", "--k", "3", "--stop_epochs", "2", "--seed", "0", "--quiet"]
    assert gaal.cli.mo_gaal([*arguments, "--output", str(tmp_path / "one")]) == 0
    program = (
        "import json, sys, distributed, gaal.cli\n"
        "with distributed.rows_seen() as seen:\n"
        "    assert gaal.cli.mo_gaal(sys.argv[1:]) == 0\n"
        "print(json.dumps(seen))"
    )
    arguments += ["--output", tmp_path / "two", "--devices", 2]
    rows, _ = finish(start("-c", program, *arguments))
    # Of 367 rows, and as many potential outliers.
    assert rows == {"discriminator": [367], "combine_model": [183, 184]}
    one, two = (pd.read_csv(tmp_path / name / "history.csv") for name in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=EQUAL)
    assert len(one) == 6


@pytest.mark.slow
def test_two_processes_give_one_s_result_and_agree_on_seed_and_data():
    ports = free_ports(2)
    results = [finish(p) for p in [start(SCRIPT, "multiworker", i, *ports) for i in range(2)]]
    (chief, shown), (other, hidden) = results
    assert chief["chief"]
    assert not other["chief"]
    for run in ("SOGAAL 1", "MOGAAL auto"):
        assert chief[run] < EQUAL
        assert other[run] < EQUAL
    assert chief["scores"] == other["scores"]
    assert "epoch" in shown
    assert "epoch" not in hidden
    assert "not the same on all workers" in chief["error"]
    assert "not the same on all workers" in other["error"]


@pytest.mark.parametrize(
    ("rows", "replicas", "expected"),
    [(500, 3, [167, 167, 166]), (500, 4, [125] * 4), (367, 2, [184, 183]), (3, 3, [1, 1, 1])],
)
def test_shares_are_as_even_as_it_goes(rows, replicas, expected):
    assert distribution.shares(rows, replicas) == expected


def test_fewer_rows_than_replicas_are_refused():
    with pytest.raises(ValueError, match="2 rows cannot be divided over 3 replicas"):
        distribution.shares(2, 3)


def test_a_single_device_needs_no_strategy():
    assert distribution.resolve("mirrored") is tf.distribute.get_strategy()
    assert distribution.resolve(None) is tf.distribute.get_strategy()


def test_none_is_the_current_strategy():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        assert distribution.resolve(None) is strategy


def test_the_cluster_must_be_named(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG"):
        distribution.resolve("multiworker")


def test_a_strategy_that_does_not_mirror_is_refused():
    with pytest.raises(ValueError, match="MirroredStrategy"):
        SOGAAL(strategy=tf.distribute.experimental.CentralStorageStrategy()).fit(np.eye(3))


def test_devices_of_several_kinds_are_refused(monkeypatch):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    devices = ("/device:CPU:0", "/device:GPU:0")
    monkeypatch.setattr(strategy, "_extended", SimpleNamespace(worker_devices=devices))
    with pytest.raises(ValueError, match="devices of one kind"):
        distribution.resolve(strategy)


def test_memory_grows_on_every_gpu(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *gpu: grown.append(gpu))
    distribution.resolve(None)
    assert grown == [("GPU:0", True), ("GPU:1", True)]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Physical devices cannot be modified after being initialized"),
        ValueError("Cannot set memory growth on device when virtual devices configured"),
    ],
)
def test_memory_that_can_no_longer_grow_is_left_as_it_is(monkeypatch, error):
    asked = []

    def refuse(gpu, enable):
        asked.append(gpu)
        raise error

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", refuse)
    assert distribution.resolve(None) is tf.distribute.get_strategy()
    assert asked == ["GPU:0", "GPU:1"]


def test_the_first_gpus_are_used(monkeypatch):
    visible = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *gpus: visible.append(gpus))
    distribution.use_devices(1)
    assert visible == [(["GPU:0"], "GPU")]
    with pytest.raises(ValueError, match="devices is 3, but this machine has 2 GPUs"):
        distribution.use_devices(3)
    with pytest.raises(ValueError, match="devices is 0"):
        distribution.use_devices(0)


def test_the_command_s_options_become_a_strategy(monkeypatch):
    used, joined = [], []
    monkeypatch.setattr(distribution, "use_devices", used.append)
    monkeypatch.setattr(distribution, "resolve", joined.append)
    options = [("mirrored", None, "logs"), (None, 2, "logs"), ("multiworker", 1, None)]
    expected = ["mirrored", "mirrored", "multiworker"]
    assert [distribution.from_command_line(*option) for option in options] == expected
    assert (used, joined) == ([2, 1], expected)


@pytest.mark.parametrize("command", [gaal.cli.so_gaal, gaal.cli.mo_gaal, alocc.cli.main])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tensorboard", "logs"], "tensorboard is logs with .* every worker would write"),
        (["--devices", "2"], "devices is 2 with the strategy 'multiworker', which divides GPUs"),
    ],
)
def test_the_commands_refuse_what_several_workers_cannot(
    command, options, message, monkeypatch, capsys
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(distribution, "resolve", lambda strategy: pytest.fail("not refused"))
    arguments = ["--path", "WDBC"] if command is not alocc.cli.main else ["train", "--output", "o"]
    assert command([*arguments, "--strategy", "multiworker", *options]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("detector", [SOGAAL(), MOGAAL(), ALOCC(batch_size=4)])
def test_several_workers_take_no_snapshots(detector, monkeypatch, tmp_path):
    monkeypatch.setattr(distribution, "has_workers", lambda: True)
    X = np.random.default_rng(0).random((4, 16, 16) if isinstance(detector, ALOCC) else (4, 2))
    with pytest.raises(ValueError, match=r"checkpoint_dir is .*snapshots, but several workers"):
        detector.fit(X, checkpoint_dir=tmp_path / "snapshots")
    assert not list(tmp_path.iterdir())


def test_a_clone_shares_the_strategy_and_a_file_does_not_keep_it(tmp_path):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    detector = SOGAAL(1, epochs=1, strategy=strategy, random_state=0)
    assert clone(detector).strategy is strategy
    detector.fit(np.eye(4)).save(tmp_path / "detector.zip")
    loaded = SOGAAL.load(tmp_path / "detector.zip")
    assert loaded.strategy is None
    np.testing.assert_array_equal(
        loaded.score_samples(np.eye(4)), detector.score_samples(np.eye(4))
    )
