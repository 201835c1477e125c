"""What tests of several folders share."""

import contextlib
import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # several share the cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


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
