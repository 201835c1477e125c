"""Wheel and sdist: whole, and tested where there is no checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = {".ci/run", ".gitignore"}
PACKAGES = ("gaal", "alocc", "gaal_alocc")
EXTRACTED = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in Python 3.11.2
# Recorded runs, files beside the tests, pages, scripts.
PARTS = [
    "tests/gaal/test_replay.py::test_recorded_run_replays_within_tolerance[so_gaal_n120_d7-1]",
    "tests/alocc/test_replay.py::test_published_run_replays[alocc_dim10_float64-auto]",
    "tests/test_documentation.py",
    "tests/scripts/test_verdicts.py",
]


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is shipped is not built again")
def test_the_wheel_passes_tests_of_the_sdist_where_there_is_no_checkout(tmp_path):
    pytest.importorskip("build")
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    for name in tracked:  # a copy: setuptools would take up what an earlier build has listed
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / "source" / name)
    build = [sys.executable, "-m", "build", "--no-isolation"]
    run(*build, "--outdir", tmp_path / "made", tmp_path / "source")
    (sdist,) = (tmp_path / "made").glob("*.tar.gz")
    (wheel,) = (tmp_path / "made").glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "sdist", **EXTRACTED)
    (unpacked,) = (tmp_path / "sdist").iterdir()
    assert {name for name in tracked if not (unpacked / name).exists()} == NOT_SHIPPED
    with zipfile.ZipFile(wheel) as archive:
        shipped = archive.namelist()
    assert {*(f"{package}/py.typed" for package in PACKAGES), "gaal/adbench.csv"} <= set(shipped)
    folders = {name.partition("/")[0] for name in shipped}
    assert {name for name in folders if not name.endswith(".dist-info")} == set(PACKAGES)

    for package in PACKAGES:  # what is tested is what is installed
        shutil.rmtree(unpacked / package)
    venv.create(tmp_path / "venv")
    bin = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = bin / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel
    )
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site,) = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").split()
    (Path(site) / "others.pth").write_text("\n".join(others))
    told = run(python, "-P", "-m", "pytest", "-q", "-m", "not slow", *PARTS, cwd=unpacked)
    assert " passed" in told
    found = run(python, "-P", "-c", "import gaal_alocc; print(gaal_alocc.__file__)", cwd=unpacked)
    assert found.startswith(site)
    assert "--stop_epochs" in run(bin / "so-gaal", "--help", cwd=unpacked)
