"""Several devices, and several processes, give one device's ALOCC."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


# Each program by one door, and the published one's graph in two processes. The authors' goes on on
# one device. Of three images a device gets but one.
RIGHT = {
    "published 1": (["D", "adversarial_model"], [3, 4]),
    "resumed auto": (["discriminator_model", "adversarial_model"], [3, 4]),
    "corrected auto, batches of 3": (["D", "adversarial_model"], [1, 2]),
}
# What else can go wrong is ALOCC's no more than GAAL's, and shows in its tests.
WRONG_WAYS = ["statistics of a share 1", "shares of a gradient clipped 1"]


@pytest.mark.slow
def test_two_logical_devices_give_one_device_s_result_and_what_is_wrong_shows():
    # All in one process, which so imports TensorFlow and traces the one device's fits once.
    result = finish(start("mirrored", 2, *RIGHT, *WRONG_WAYS))
    differences, rows = result["differences"], result["rows"]
    for run, (models, shares) in RIGHT.items():
        assert differences[run] < EQUAL, run
        assert rows[run] == dict.fromkeys(models, shares), run
    for way in WRONG_WAYS:
        assert differences[way] > WRONG, way


@pytest.mark.slow
def test_two_processes_give_one_s_result():
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    run = "published auto"
    processes = [start("multiworker", i, *ports, run) for i in (0, 1)]
    for process, share in zip(processes, (4, 3)):
        result = finish(process)
        assert result["differences"][run] < EQUAL
        assert result["rows"][run] == {"D": [share], "adversarial_model": [share]}
