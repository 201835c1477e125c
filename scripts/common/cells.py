"""Cells of a table: run in processes that can be ended, kept as they finish, not run again."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from common import processes
from gaal_alocc.files import EXACTLY, write_aside
from gaal_alocc.startup import choose_tensorflow

_own = threading.local()
_started: list[Worker] = []  # by the threads of this process
_leaving = threading.Event()


class Worker:
    """A process that runs cells, and is ended where one takes too long.

    It is of a ``module`` of these scripts that calls :func:`serve`.
    """

    def __init__(self, module: str, threads: int) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close
        self.process = processes.start(module, threads, self.errors)

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
        """Run a cell; the limit is on what comes after it is ready."""
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


def serve(prepare: Callable[[dict], Callable[[], list[dict]]]) -> None:
    """Be the process of a :class:`Worker`: answer cells, a line of JSON each, until there are none.

    ``prepare(cell)`` loads and imports what the cell needs, then a line is said that it is ready;
    what it returns is called to give the rows.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks for cells ends this process
    choose_tensorflow()
    warnings.simplefilter("ignore")
    answers = sys.stdout

    def say(what: dict) -> None:
        print(json.dumps(what), file=answers, flush=True)

    with contextlib.redirect_stdout(sys.stderr):  # PyOD prints a line an epoch
        for line in sys.stdin:
            try:
                measure = prepare(json.loads(line))
                say({"ready": True})
                say({"rows": measure()})
            except Exception as error:  # costs this cell alone
                say({"error": f"{type(error).__name__}: {error}"})


def run(cell: dict, module: str, threads: int = 1, limit: float | None = None) -> dict:
    """Run a cell in this thread's process, one that is ``alone`` in a new one.

    Returns ``{"rows": ...}``, or ``{"error": ...}`` with what went wrong.
    """
    worker = getattr(_own, "worker", None)
    if cell["alone"] and worker is not None:
        worker.close()
    if worker is None or worker.process.poll() is not None:
        worker = _own.worker = Worker(module, threads)
        _started.append(worker)
    return worker.run(cell, limit)


def one_by_one(work: Callable[[dict], object], cells: list[dict]) -> list:
    """Work on cells one after the other, unless it is time to leave."""
    return [work(cell) for cell in cells if not _leaving.is_set()]


def spread(work: Callable[[dict], object], some: Iterable[list[dict]], jobs: int) -> Iterator[list]:
    """Work in threads, each on a list of cells at a time; give what came of one when it is done.

    The processes of the threads are ended with it, and go on to no further cell.
    """
    from joblib import Parallel, delayed

    _leaving.clear()
    parallel = Parallel(n_jobs=jobs, prefer="threads", return_as="generator_unordered")
    queue = (delayed(one_by_one)(work, cells) for cells in some)
    try:
        with contextlib.closing(parallel(queue)) as made:
            yield from made
    finally:
        _leaving.set()
        while _started:
            _started.pop().close()


def read(path: Path) -> pd.DataFrame:
    """Read a table in which an empty error, or name of a score, is none."""
    text = ("error", "score")
    types = dict.fromkeys(text, str)
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""], **EXACTLY)
    return table.fillna({name: "" for name in text if name in table})


def collect(
    path: Path,
    key: Sequence[str],
    wanted: list[dict],
    make: Callable[[list[dict]], Iterator[pd.DataFrame]],
    show: Callable[[pd.DataFrame, int, int], object],
    retry: bool = False,
) -> pd.DataFrame | None:
    """Run the cells that are not in the table yet, and keep it up to date.

    The table is the CSV of the finished cells; ``key`` are the columns that tell a cell from the
    others, and the names under which a cell that is ``wanted`` has its values, among others.
    ``make(cells)`` runs some, and gives the rows of one or several of them when they are done;
    ``show`` is called with these rows, the number of cells done and that of all to be run. With
    ``retry`` those that have an "error" are run again. All of the table is returned, other cells
    too; None if it has none. Raises ValueError if the table lacks a column of ``key``.
    """
    table = read(path) if path.exists() else None
    if table is not None and (absent := [name for name in key if name not in table]):
        told = f"{path} has no column {', '.join(absent)}"
        raise ValueError(f"{told}: it is of another version, take another --output")
    known = table[table["error"] == ""] if retry and table is not None else table
    known = set() if known is None else set(known[[*key]].itertuples(index=False, name=None))
    missing = {key_of(cell, key): cell for cell in wanted}
    missing = {name: cell for name, cell in missing.items() if name not in known}
    if len(missing) < len(wanted):
        told = f"{len(wanted) - len(missing)} of {len(wanted)}"
        print(f"{told} are there already", flush=True)
    done = 0
    with contextlib.closing(make([*missing.values()])) as made:
        for rows in made:
            table = replaced(table, rows, key)
            write_aside(path, lambda aside, table=table: table.to_csv(aside, index=False))
            done += len(missing.keys() & {*rows[[*key]].itertuples(index=False, name=None)})
            show(rows, done, len(missing))
    return table


def key_of(cell: dict, key: Sequence[str]) -> tuple:
    """Give what tells a cell from the others."""
    return tuple(cell[name] for name in key)


def kept(table: pd.DataFrame, wanted: list[dict], key: Sequence[str]) -> pd.DataFrame:
    """Take of a table of finished cells those that are wanted, in their order."""
    place = {key_of(cell, key): i for i, cell in enumerate(wanted)}
    places = [place.get(name) for name in table[[*key]].itertuples(index=False, name=None)]
    table = table.assign(place=places).dropna(subset="place")
    return table.sort_values("place", kind="stable", ignore_index=True).drop(columns="place")


def replaced(table: pd.DataFrame | None, rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Put rows into a table, in place of those of the same cells."""
    if table is None or table.empty:
        return rows
    old = pd.MultiIndex.from_frame(table[[*key]]).isin(pd.MultiIndex.from_frame(rows[[*key]]))
    return pd.concat([table[~old], rows], ignore_index=True)
