"""What tests of several folders share."""

import contextlib
import gc
import os
import sys

import pytest

# Programs that tests start.
collect_ignore = ["alocc/distributed.py", "gaal/distributed.py", "gaal/written_for_pyod.py"]

if "PYTEST_XDIST_WORKER" in os.environ:  # several share the cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


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
