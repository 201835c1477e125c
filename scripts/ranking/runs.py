"""The cells of a benchmark's table: laid out, run in processes that can be ended, kept."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd
from common import processes

from gaal_alocc.files import write_aside
from ranking.detectors import TURNED, Detector

KEY = ["detector", "data", "protocol", "seed", "settings", "random_state"]
_own = threading.local()
_started: list[Worker] = []  # by the threads of this process
_leaving = threading.Event()


def cells(
    data: Iterable[str],
    detectors: Mapping[str, Detector],
    seeds: Iterable[int],
    protocols: Iterable[str],
    data_home: Path | None,
    offline: bool,
) -> list[dict]:
    """Lay the cells out, division by division: whoever stops early has fewer, but of all sets.

    A detector of one seed is seeded as its rows are divided, one of several by 0, 1, ...
    """
    home = None if data_home is None else str(data_home)
    settings = {name: entry.settings for name, entry in detectors.items()}
    return [
        {
            "detector": detector,
            "data": name,
            "protocol": protocol,
            "seed": seed,
            "settings": settings[detector],
            "random_state": seed if entry.seeds == 1 else own,
            "entry": dataclasses.asdict(entry),
            "data_home": home,
            "offline": offline,
            "alone": protocol == "whole",  # so that the peak of memory is its own
        }
        for protocol in protocols
        for seed in seeds
        for name in data
        for detector, entry in detectors.items()
        for own in range(entry.seeds)
    ]


class Worker:
    """A process that runs cells, and is ended where one takes too long."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close
        self.process = processes.start("ranking.worker", 1, self.errors)

    def answer(self, limit: float | None = None) -> dict:
        """Read an answer, ``{"error": ...}`` if there is none within ``limit`` seconds."""
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self.process.kill()

        timer = threading.Timer(limit or 0, end)
        if limit is not None:
            timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if line and not ended.is_set():
            return json.loads(line)
        said = f"longer than {limit:g} s" if ended.is_set() else processes.last_line(self.errors)
        self.close()
        return {"error": said}

    def run(self, cell: dict, limit: float | None) -> dict:
        """Run a cell; the limit is on its fit and score alone."""
        try:
            print(json.dumps(cell), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return self.answer()
        answer = self.answer()
        return self.answer(limit) if "ready" in answer else answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        with contextlib.suppress(ValueError, BrokenPipeError):  # it may have been closed
            self.process.communicate()
        self.errors.close()


def run(cell: dict, limit: float | None) -> list[dict]:
    """Run a cell in this thread's process; a cell that fails has rows too, which say why."""
    worker = getattr(_own, "worker", None)
    if cell["alone"] and worker is not None:
        worker.close()
    if worker is None or worker.process.poll() is not None:
        worker = _own.worker = Worker()
        _started.append(worker)
    answer = worker.run(cell, limit)
    if "rows" in answer:
        return answer["rows"]
    numbers = ("auc", "average_precision", "fit_s", "score_s", "memory_mb")
    ways = ("", TURNED) if cell["entry"]["turned"] else ("",)
    return [
        {**{k: cell[k] for k in KEY}, "detector": cell["detector"] + way,
         **dict.fromkeys(numbers, math.nan), "error": answer["error"]}
        for way in ways
    ]  # fmt: skip


def run_some(some: list[dict], limit: float | None) -> list[dict]:
    """Run cells one after the other; return the rows of all."""
    return [row for cell in some if not _leaving.is_set() for row in run(cell, limit)]


def read(path: Path) -> pd.DataFrame:
    """Read a table in which an empty error is none."""
    return pd.read_csv(path, dtype={"error": str}).fillna({"error": ""})


def collect(
    path: Path, wanted: list[dict], jobs: int, limit: float | None, retry: bool
) -> pd.DataFrame:
    """Run the cells that are not in the table yet, keep it up to date, and return what was wanted.

    Cells of a detector on a division go together: one process trains all of its seeds. ``retry``
    runs those that failed again.
    """
    from joblib import Parallel, delayed

    from gaal_alocc.progress import Progbar

    table = read(path) if path.exists() else pd.DataFrame(columns=[*KEY, "error"])
    known = table[table["error"] == ""] if retry else table
    known = set(known[KEY].itertuples(index=False, name=None))
    missing = [cell for cell in wanted if tuple(cell[k] for k in KEY) not in known]
    if len(missing) < len(wanted):
        print(f"{len(wanted) - len(missing)} of {len(wanted)} cells are there already", flush=True)
    together = itertools.groupby(missing, lambda cell: [cell[k] for k in KEY[:-1]])
    work = [delayed(run_some)(list(some), limit) for _, some in together]
    done, bar = 0, Progbar(len(missing), unit_name="cell") if missing else None
    parallel = Parallel(n_jobs=jobs, prefer="threads", return_as="generator_unordered")
    with ended(), contextlib.closing(parallel(work)) as made:
        for rows in made:
            table = replaced(table, rows)
            write_aside(path, lambda aside, table=table: table.to_csv(aside, index=False))
            done += sum(not row["detector"].endswith(TURNED) for row in rows)
            bar.update(done, finalize=done == len(missing))
    return kept(table, wanted)


def kept(table: pd.DataFrame, wanted: list[dict]) -> pd.DataFrame:
    """Take of a table of finished cells those that are wanted, in their order."""
    plain = table.assign(detector=table["detector"].str.removesuffix(TURNED))
    place = {tuple(cell[k] for k in KEY): i for i, cell in enumerate(wanted)}
    places = [place.get(key, math.nan) for key in plain[KEY].itertuples(index=False, name=None)]
    table = table.assign(place=places).dropna(subset="place")
    return table.sort_values("place", kind="stable", ignore_index=True).drop(columns="place")


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """End the processes of this one's threads, which go on to no further cell."""
    _leaving.clear()
    try:
        yield
    finally:
        _leaving.set()
        while _started:
            _started.pop().close()


def replaced(table: pd.DataFrame, rows: list[dict]) -> pd.DataFrame:
    """Put rows into a table, in place of those of the same cells."""
    new = pd.DataFrame(rows)
    if table.empty:
        return new
    old = ~pd.MultiIndex.from_frame(table[KEY]).isin(pd.MultiIndex.from_frame(new[KEY]))
    return pd.concat([table[old], new], ignore_index=True)
