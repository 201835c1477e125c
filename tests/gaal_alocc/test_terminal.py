"""What commands show while they work, on a terminal and in a file."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from gaal import SOGAAL
from gaal_alocc import startup
from gaal_alocc.cli import warnings_of
from gaal_alocc.progress import Progbar, tell

OF_THE_MACHINE = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795576811.304605    1830 port.cc:153] oneDNN custom operations are on. You may see
I0000 00:00:1795576811.304977    1830 cudart_stub.cc:31] Could not find cuda drivers on your machine
2025-01-01 00:00:00.000000: I tensorflow/core/platform/cpu_feature_guard.cc:227] This TensorFlow
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with
E0000 00:00:1795576829.498873    1830 cuda_platform.cc:52] failed call to cuInit: INTERNAL
"""
OF_WORTH = """\
W0000 00:00:1795576829.498873    1830 gpu_device.cc:2344] Cannot dlopen some GPU libraries.
W0000 00:00:1795576829.498873    1830 cpu_allocator_impl.cc:84] Allocation of 8 exceeds 10%
something else
"""


def test_what_is_said_of_every_machine_is_left_out_and_all_else_comes(capfd):
    with startup._held_back():
        os.write(2, (OF_THE_MACHINE + OF_WORTH).encode())
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == OF_WORTH
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_what_is_said_before_a_failure_comes_too(capfd):
    def fail():
        with startup._held_back():
            os.write(2, b"a reason\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert capfd.readouterr().err == "a reason\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


LOSSES = [("discriminator_loss", 0.5), ("generator_loss", 0.25), ("auc", 0.75)]


def progress(count=30):
    bar = Progbar(count, interval=0, unit_name="epoch", stateful_metrics=[n for n, _ in LOSSES])
    for i in range(count):
        bar.update(i + 1, LOSSES)


def test_a_file_gets_the_last_line_without_control_characters(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    progress()
    shown = sys.stdout.getvalue()
    assert re.fullmatch(r"30/30 - [ -~]* - auc: 0.7500\n", shown)


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_a_terminal_s_line_is_not_wrapped_before_its_end(monkeypatch, columns):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    progress()
    lines = re.sub(r"\x1b\[\d+m|\x08", "", sys.stdout.getvalue()).split("\r")
    *before, last = lines
    assert max(map(len, before)) < columns
    assert all("discriminator_loss: 0.5000" in line and "auc" in line for line in before if line)
    assert "generator_loss: 0.2500" in last


class Broken(io.StringIO):
    """What stands for a stdout that fails from some moment on."""

    def __init__(self, error, works=0):
        super().__init__()
        self.error, self.works = error, works

    def isatty(self):
        if not self.works:
            raise self.error
        return True

    def write(self, text):
        self.works -= 1
        if self.works < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    "stdout",
    [
        None,
        Broken(ValueError("I/O operation on closed file")),
        Broken(BrokenPipeError(), works=3),
        Broken(OSError(28, "No space left on device"), works=1),
    ],
)
def test_no_error_of_a_bar_ends_what_it_accompanies(monkeypatch, stdout):
    monkeypatch.setattr(sys, "stdout", stdout)
    tell("Epoch 1/1")
    progress()
    assert sys.stdout is stdout
    X = np.random.default_rng(0).random((60, 2), np.float32)
    detector = SOGAAL(stop_epochs=1, random_state=0, verbose=1).fit(X)
    assert len(detector.history_) == 3


def test_a_command_prints_what_stdout_cannot_encode_as_escapes(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    with warnings_of("so-gaal"):
        print("written to Größe\udcff/")
    stdout.flush()
    assert stdout.buffer.getvalue().split() == [b"written", b"to", rb"Gr\xf6\xdfe\udcff/"]


@pytest.mark.parametrize(
    "command",
    [
        *("gaal.cli.so_gaal", "gaal.cli.mo_gaal", "gaal.cli.gaal_ensemble"),
        *("alocc.cli.main", "alocc.cli.ensemble"),
    ],
)
def test_help_answers_at_once_and_imports_nothing_heavy(command):
    module, _, function = command.rpartition(".")
    code = (
        f"import sys; from {module} import {function} as command\n"
        "try: command(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pandas', 'sklearn', 'matplotlib', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    before = os.times()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert b"usage: " in result.stdout
    assert os.times().children_user - before.children_user < 0.5  # seconds, whoever else computes
