"""What fits and scores take of memory, each in a process of its own.

Run as ``python -m benchmarking.memory rows N`` or ``parquet FILE``, which print a line of JSON.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import processes
from common.processes import peak_memory


def measured(*arguments: str) -> list[dict]:
    """Give the rows that this module prints in a process of its own; none but on Linux."""
    if not Path("/proc/self/status").exists():
        print("memory is measured on Linux only", file=sys.stderr)
        return []
    run = processes.start("benchmarking.memory", None, subprocess.PIPE, *arguments)
    return [json.loads(line) for line in processes.printed([run])]


def parquet(n: int) -> list[dict]:
    """Score n x 20 rows of a Parquet file, written for the purpose."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    group, rng = 100_000, np.random.default_rng(0)
    schema = pa.schema([(f"x{i}", pa.float32()) for i in range(20)])
    with tempfile.TemporaryDirectory() as folder:
        needed, free = 150 * n, shutil.disk_usage(folder).free
        if free < needed:
            print(f"{folder} has {free} bytes free, {n} rows need {needed}", file=sys.stderr)
            return []
        path = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, n, group):
                part = rng.random((min(group, n - start), 20), dtype=np.float32)
                writer.write_table(pa.table(list(part.T), schema=schema))
        return measured("parquet", str(path))


def _rows(n: int) -> None:
    from gaal import SOGAAL

    rng = np.random.default_rng(0)
    SOGAAL(1, epochs=1).fit(rng.random((1000, 20), dtype=np.float32))
    before = peak_memory()
    X = rng.random((n, 20), dtype=np.float32)
    detector = SOGAAL(1, epochs=1).fit(X, (np.arange(n) % 20 == 0).astype(int))
    detector.score_samples(X)
    _say(
        f"SO-GAAL, {n} x 20 float32: peak memory above TensorFlow's",
        ours_MB=peak_memory() - before,
        goal="< 1500",
    )


def _parquet(path: str) -> None:
    from gaal import SOGAAL

    small = np.random.default_rng(0).random((20_000, 20), dtype=np.float32)
    detector = SOGAAL(1, epochs=1).fit(small)
    detector.score_samples(small)
    before, start = peak_memory(), time.perf_counter()
    n = len(detector.score_samples(path))
    spent = time.perf_counter() - start
    _say(
        f"SO-GAAL, {n} x 20 rows scored from Parquet",
        peak_MB_above_a_small_fit=peak_memory() - before,
        rows_per_s=n / spent,
        ours_s=spent,
        goal="< 1000 MB",
    )


def _say(figure: str, **row: float | str) -> None:
    print(json.dumps({"figure": figure, **row}), flush=True)


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    {"rows": lambda n: _rows(int(n)), "parquet": _parquet}[what](*given)
