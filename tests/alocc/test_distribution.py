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
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


RIGHT = ["published 1", "published auto", "corrected 1", "corrected auto"]
WRONG_WAYS = [
    "statistics of a share auto",
    "shares not weighted auto",
    "shares of a gradient clipped auto",
]


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "runs"), [(2, RIGHT), (4, ["published auto", "corrected 1"])])
def test_logical_devices_give_one_device_s_result_on_both_doors(devices, runs):
    result = finish(start("mirrored", devices, *runs))
    assert max(result["differences"].values()) < EQUAL
    shares = sorted(set(distribution.shares(7, devices)))
    assert result["rows"] == {run: {"D": shares, "adversarial_model": shares} for run in runs}


@pytest.mark.slow
def test_logical_devices_give_one_device_s_result_by_the_authors_program():
    runs = ["authors 1", "authors auto"]
    result = finish(start("mirrored", 2, *runs))
    assert max(result["differences"].values()) < EQUAL
    assert result["rows"] == {
        run: {"discriminator_model": [3, 4], "adversarial_model": [3, 4]} for run in runs
    }


@pytest.mark.slow
def test_a_batch_that_is_not_divided_is_noticed():
    run = "batch not divided 1"
    assert finish(start("mirrored", 2, run))["rows"][run] == {"D": [7], "adversarial_model": [7]}


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices():
    result = finish(start("mirrored", 2, "resumed auto"))["differences"]
    assert result["resumed auto"] < EQUAL


@pytest.mark.slow
def test_every_wrong_sum_is_noticed():
    result = finish(start("mirrored", 2, *WRONG_WAYS))["differences"]
    assert not min(result.values()) < WRONG


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
