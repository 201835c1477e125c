"""Where the work of the programs here is done: processes of one's own, or a cluster's."""

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

SCRIPTS = Path(__file__).resolve().parents[1]
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def start(module: str, threads: int | None, errors: IO | None, *arguments: str) -> subprocess.Popen:
    """Start a module of these scripts as a process that is spoken to in lines of text."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SCRIPTS), *(p for p in sys.path if p)]),
        **({} if threads is None else dict.fromkeys(THREADS, str(threads))),
    }
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=environment,
    )


def printed(processes: Sequence[subprocess.Popen]) -> list[str]:
    """Wait for processes whose errors are piped, and give what the first has printed, by lines."""
    told = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, told):
        if process.returncode:
            raise RuntimeError(f"{' '.join(process.args[2:])} failed: {errors.strip()}")
    return told[0][0].splitlines()


def last_line(errors: IO) -> str:
    """Read what a process said last on its standard error."""
    errors.seek(0)
    return (errors.read().strip().splitlines() or ["no message"])[-1]


def peak_memory() -> float:
    """Largest resident memory of this process so far, in MB; NaN where the system does not tell.

    Not ru_maxrss, in which Linux counts the parent process too.
    """
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return math.nan
    return int(line.split()[1]) / 1024


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Send joblib's work to a Dask scheduler, where one is given."""
    if address is None:
        yield
        return
    import joblib

    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--dask needs the extra `cluster`: pip install '.[cluster]'.") from None
    # Workers that run elsewhere import the work from what this client sends them.
    with Client(address) as client, joblib.parallel_config("dask", client=client):
        yield
