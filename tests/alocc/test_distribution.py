"""Several devices, and several processes, give one device's ALOCC."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alocc import ALOCC
from gaal_alocc import distribution

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("distributed.py")
EQUAL = 1e-7  # in float64; what is wrong lies far above it
WRONG = 1e-4


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process):
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


# The corrected program's graph is the four devices' run.
RIGHT = ["published 1", "published auto", "corrected 1"]
AUTHORS = ["authors auto"]
WRONG_WAYS = ["statistics of a share 1", "shares not weighted 1", "shares of a gradient clipped 1"]


def rows_of(models, runs, devices):
    shares = sorted(set(distribution.shares(7, devices)))
    return {run: dict.fromkeys(models, shares) for run in runs}


@pytest.mark.slow
def test_two_logical_devices_give_one_device_s_result_and_what_is_wrong_shows():
    # All in one process, which so imports TensorFlow and traces the one device's fits once.
    runs = [*RIGHT, *AUTHORS, "resumed auto", "batch not divided 1", *WRONG_WAYS]
    result = finish(start("mirrored", 2, *runs))
    differences, rows = result["differences"], result["rows"]
    assert max(differences[run] for run in [*RIGHT, *AUTHORS]) < EQUAL
    ours, theirs = ["D", "adversarial_model"], ["discriminator_model", "adversarial_model"]
    expected = {**rows_of(ours, RIGHT, 2), **rows_of(theirs, AUTHORS, 2)}
    assert {run: rows[run] for run in expected} == expected
    assert differences["resumed auto"] < EQUAL  # it went on on one device
    assert rows["batch not divided 1"] == {"D": [7], "adversarial_model": [7]}
    assert not min(differences[way] for way in WRONG_WAYS) < WRONG


@pytest.mark.slow
def test_four_logical_devices_give_one_device_s_result():
    runs = ["corrected auto"]
    result = finish(start("mirrored", 4, *runs))
    assert max(result["differences"].values()) < EQUAL
    assert result["rows"] == rows_of(["D", "adversarial_model"], runs, 4)


@pytest.mark.slow
def test_two_processes_give_one_s_result():
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    processes = [start("multiworker", i, *ports, "published 1", "published auto") for i in (0, 1)]
    for process in processes:
        assert max(finish(process)["differences"].values()) < EQUAL


@pytest.mark.slow
def test_a_strategy_object_is_not_kept_in_a_file(tmp_path):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    X = np.random.default_rng(0).random((4, 16, 16))
    detector = ALOCC(1, batch_size=4, gf_dim=1, df_dim=1, strategy=strategy, random_state=0)
    detector.fit(X).save(tmp_path / "model")
    loaded = ALOCC.load(tmp_path / "model")
    assert loaded.strategy is None
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
