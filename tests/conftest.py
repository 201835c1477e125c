"""What tests of several folders share."""

import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gaal_alocc  # noqa: F401  # before TensorFlow: it chooses how that computes

ROOT = Path(__file__).parents[1]

# Programs that tests start.
collect_ignore = ["alocc/distributed.py", "gaal/distributed.py", "gaal/written_for_pyod.py"]

if "PYTEST_XDIST_WORKER" in os.environ:  # several share the cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


LONGEST = {"test_notebooks.py", "test_packaging.py", "test_site.py"}
# Examples in docstrings, which cannot be marked there. What the slow ones show is tested beside.
MARKED = {"alocc/detector.py": "slow", "alocc/ensemble.py": "slow", "gaal/pyod.py": "extras"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Put the longest tests first, with which a worker would be left alone at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        place = f"{item.path.parent.name}/{item.path.name}"
        if place in MARKED:
            item.add_marker(MARKED[place])


def pytest_collection_finish():
    """Leave what the imports have made, a million objects, out of every collection of garbage.

    And let tests of one shape share its program, in whatever file they stand.
    """
    gc.freeze()
    programs = sys.modules.get("gaal_alocc.programs")
    if programs is not None:
        programs.KEPT = 64


@pytest.fixture
def full_disk():
    """Let no file grow beyond a size: the write that does so fails, as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # Python ignores SIGXFSZ
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def left_by_kills(monkeypatch, tmp_path):
    """Give the folder of a run, and all that a kill may leave of it, as folders beside.

    Every file is written aside, synced, renamed, and the folder synced: so a kill finds half a
    file lying aside, or the new file there and the old ones not yet gone.
    """
    from gaal_alocc import checkpoints

    run, left, sync = tmp_path / "run", [], checkpoints._sync

    def copying(path):
        if run in (path, path.parent):  # no run that goes on
            left.append(shutil.copytree(run, tmp_path / f"left {len(left)}"))
            aside = left[-1] / checkpoints.ASIDE
            if aside.exists():
                os.truncate(aside, aside.stat().st_size // 2)
        sync(path)

    monkeypatch.setattr(checkpoints, "_sync", copying)
    return run, left


@pytest.fixture
def kill_runs():
    """Have scripts/upkeep/kill_table.py kill processes, and see that none comes out otherwise."""

    def killed(algorithm, door, kills):
        command = [sys.executable, ROOT / "scripts" / "upkeep" / "kill_table.py", "--json"]
        command += ["--algorithm", algorithm, "--door", door, "--kills", str(kills)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        row = json.loads(done.stdout)
        assert row["kills"] == kills
        assert row["runs"] == row["equal"] >= 1
        return row

    return killed
