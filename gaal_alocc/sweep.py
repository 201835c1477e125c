"""The run manager: many runs of one estimator over parameters and seeds, in a CSV that grows.

It knows no estimator and no data: it is given an unfitted estimator, the settings, and a
function that fits and measures. One row a run is written as the run ends, so that a sweep may
be killed at any moment and started again with the same command.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils import check_random_state

from gaal_alocc.files import EXACTLY
from gaal_alocc.startup import starting_tensorflow

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_SWEPT = ("random_state", "verbose")  # the seeds are swept on their own
CATEGORIES = 12  # more numbers than these are drawn on a numeric axis


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, of which :func:`draw_settings` draws.

    Whole numbers where both ends are, both ends included; ``log`` draws their logarithm
    uniformly.
    """

    low: float
    high: float
    log: bool = False

    def rvs(self, random_state=None) -> float | int:
        """Draw one, as scipy's distributions do."""
        rng = check_random_state(random_state)
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if whole and not self.log:
            return int(rng.randint(self.low, self.high + 1))
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = float(rng.uniform(self.low, self.high))
        value = min(max(value, self.low), self.high)  # exp and log need not be inverse
        return round(value) if whole else value


def parse_space(texts: Sequence[str], estimator: BaseEstimator) -> dict[str, list | Range]:
    """Read ``name=value,value`` and ``name=low..high``.

    Parameters
    ----------
    texts : sequence of str
        ``stop_epochs=100,200``, ``lr_d=0.001..0.1`` or ``lr_d=log:0.001..0.1``. Values are
        whole numbers, numbers, ``none`` or words; 0 and 1, or false and true, for a switch.
    estimator : BaseEstimator
        Whose parameters they are.

    Returns
    -------
    dict
        From the names to lists of values and to :class:`Range`.

    Raises
    ------
    ValueError
        For another form, an unknown parameter, one named twice, or an empty range.
    """
    params = estimator.get_params()
    known = [name for name in params if name not in NOT_SWEPT]
    space = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not all(values.split(",")):
            raise ValueError(f"{text!r}: expected name=value,value or name=low..high.")
        if name not in known:
            raise ValueError(
                f"{text!r}: {type(estimator).__name__} has no parameter {name!r} to sweep; it"
                f" has {', '.join(known)}. Seeds are given on their own."
            )
        if name in space:
            raise ValueError(f"{text!r}: {name} is given twice.")
        ends = re.fullmatch(r"(log:)?(.+)\.\.(.+)", values)
        if ends is None:
            space[name] = [_value(value, params[name]) for value in values.split(",")]
            continue
        low, high = (_value(end, None) for end in ends.groups()[1:])
        log = ends[1] is not None
        if not all(isinstance(end, int | float) for end in (low, high)) or not low < high:
            raise ValueError(f"{text!r}: expected two numbers, the lower one first.")
        if log and low <= 0:
            raise ValueError(f"{text!r}: a logarithmic range must lie above 0.")
        space[name] = Range(low, high, log)
    return space


def _value(text: str, default: Any) -> Any:
    switch = {"0": False, "1": True, "false": False, "true": True}
    if isinstance(default, bool) and text.lower() in switch:
        return switch[text.lower()]
    for read in (int, float):
        with contextlib.suppress(ValueError):
            return read(text)
    return None if text.lower() == "none" else text


def draw_settings(
    space: dict[str, list | Range], draws: int | None = None, seed: int = 0
) -> list[dict]:
    """List the settings to run: the whole grid, or random draws.

    Parameters
    ----------
    space : dict
        As of :func:`parse_space`.
    draws : int, optional
        So many settings at random: of each parameter one of its values or a number of its
        range. Of lists alone, so many points of their grid.
    seed : int, default=0
        Of the draws: the same seed draws the same settings.

    Returns
    -------
    list of dict
        Without repetitions.

    Raises
    ------
    ValueError
        If there is a range, but no ``draws``, or ``draws`` is less than 1.
    """
    ranges = [name for name, values in space.items() if isinstance(values, Range)]
    if draws is None:
        if ranges:
            raise ValueError(
                f"{ranges[0]} is a range: give the number of draws (--draws), or a list."
            )
        settings = ParameterGrid(space)
    elif draws < 1:
        raise ValueError(f"draws is {draws}; expected 1 or more.")
    else:
        if not ranges:
            draws = min(draws, len(ParameterGrid(space)))
        settings = ParameterSampler(space, draws, random_state=seed)
    return list({_key(setting[name] for name in space): setting for setting in settings}.values())


def sweep(
    estimator: BaseEstimator,
    settings: Sequence[dict],
    seeds: Sequence[int],
    run: Callable[[BaseEstimator, Any], dict[str, float]],
    data: Any,
    path: str | os.PathLike,
    *,
    measures: Sequence[str],
    jobs: int = 1,
    dask: str | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Run an estimator with every setting and every seed, and write a table of the results.

    Runs already in the table are not run again, so that the same call goes on where another
    ended, and a call with more settings or seeds adds theirs.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted; gives the parameters that no setting names. It has a ``random_state``.
    settings : sequence of dict
        Parameters of each run, as of :func:`draw_settings`. All are checked before the first
        run, by the estimator's own constraints.
    seeds : sequence of int
        ``random_state`` of each run: every setting is run with each.
    run : callable
        Takes an estimator and ``data``, fits it and returns its ``measures``. It must be
        importable, or simple enough for cloudpickle, where it runs in other processes. What
        it raises is kept as the text of the row's error; a ConvergenceWarning counts too.
    data : object
        Given to ``run``. Only its hash is kept, with which a table of other data is refused.
    path : path-like
        The CSV: a row a run, in the order in which runs end, with columns for all parameters,
        ``seed``, the measures, ``seconds``, ``error`` and ``data``. Each row is on the disk
        before the next is awaited; half a row, left by a kill, is dropped by the next call.
    measures : sequence of str
        Names of the numbers that ``run`` returns.
    jobs : int, default=1
        Runs at the same time, each in a process of its own; -1 for as many as there are
        cores. Each process gives TensorFlow cores / jobs threads. The numbers do not depend
        on it, but for the last digits of floats, which depend on the number of threads.
    dask : str, optional
        Address of a Dask scheduler, to whose workers the runs go in place of ``jobs``
        processes. Workers have one thread each (``dask worker --nthreads 1``), for
        TensorFlow runs in it, and the same packages.
    verbose : {0, 1}, default=0
        Show a progress bar.

    Returns
    -------
    DataFrame
        The table, with all that was in it before.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of its range, there is no setting or no seed, or the
        table holds runs of other data, of other values of parameters that are not swept,
        other columns, or a row of another length.
    ImportError
        If ``dask`` is given and distributed is not installed.
    OSError
        If the table cannot be written or another sweep writes it, the scheduler cannot be
        reached, or a worker dies.
    """
    tasks = [{**setting, "random_state": int(seed)} for setting in settings for seed in seeds]
    if not tasks:
        raise ValueError(f"{len(settings)} settings, {len(seeds)} seeds: there is nothing to run.")
    names = [name for name in estimator.get_params() if name not in NOT_SWEPT]
    rows = {}
    for task in tasks:
        candidate = clone(estimator).set_params(**task)
        candidate._validate_params()
        params = candidate.get_params()
        rows[_key([*(params[name] for name in names), task["random_state"]])] = task
    swept = set().union(*settings)
    fixed = {name: _cell(estimator.get_params()[name]) for name in names if name not in swept}
    fixed["data"] = joblib.hash(data)[:16]

    path = Path(os.path.expanduser(path))
    columns = [*names, "seed", *measures, "seconds", "error", "data"]
    with _workers(jobs, dask, data) as (n_jobs, siblings), _held(path):
        done = _open_table(path, columns, fixed)
        seen = {_key(row[name] for name in [*names, "seed"]) for row in done}
        todo = [task for key, task in rows.items() if key not in seen]
        ends = joblib.Parallel(n_jobs, batch_size=1, return_as="generator_unordered")(
            joblib.delayed(_run)(run, estimator, data, task, siblings) for task in todo
        )
        for task, measured, seconds, error in _shown(ends, len(todo), verbose):
            params = {**estimator.get_params(), **task}
            row = {name: params[name] for name in names} | {"seed": task["random_state"]}
            row |= {name: measured.get(name, math.nan) for name in measures}
            row |= {"seconds": round(seconds, 3), "error": error, "data": fixed["data"]}
            _append(path, (row[name] for name in columns))
    return pd.read_csv(path, **EXACTLY)


def _share_the_machine(siblings: int) -> None:
    """Leave the other workers their cores; read when TensorFlow starts, the user's settings win."""
    if siblings > 1:
        threads = str(max(1, joblib.cpu_count() // siblings))
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", threads)
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def _start_worker(siblings: int) -> None:
    """Start TensorFlow in a worker, before it is handed an estimator, whose import would."""
    _share_the_machine(siblings)
    with starting_tensorflow():
        pass


def _run(run: Callable, estimator: BaseEstimator, data: Any, task: dict, siblings: int) -> tuple:
    """Run one task in a worker; what it raises becomes text."""
    _share_the_machine(siblings)
    start = time.perf_counter()
    measured, error = {}, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            measured = run(clone(estimator).set_params(**task), data)
    except Exception as raised:
        error = f"{type(raised).__name__}: {' '.join(str(raised).split())}"
    return task, measured, time.perf_counter() - start, error


@contextlib.contextmanager
def _workers(jobs: int, dask: str | None, data: Any) -> Iterator[tuple[int, int]]:
    """Choose joblib's back end; gives its number of jobs, and how many share a machine."""
    deaths: tuple = (BrokenProcessPool,)
    with contextlib.ExitStack() as stack:
        if dask is None:
            n_jobs = siblings = joblib.effective_n_jobs(jobs)
            start = {"initializer": _start_worker, "initargs": (siblings,)}
            stack.enter_context(joblib.parallel_config("loky", **start))
        else:
            try:
                import distributed
            except ImportError as error:
                raise ImportError(
                    "Dask needs the package distributed: pip install 'gaal-alocc[cluster]'."
                ) from error
            deaths = (distributed.KilledWorker,)
            try:
                client = stack.enter_context(
                    distributed.Client(dask, timeout=10, set_as_default=False)
                )
                client.wait_for_workers(1, timeout=10)
            except (OSError, ValueError) as error:
                raise OSError(f"dask is {dask!r}: no scheduler with workers there.") from error
            workers = client.nthreads()
            if max(workers.values()) > 1:
                raise ValueError(
                    "The Dask workers have more than one thread, which would train in one"
                    " TensorFlow: start them with --nthreads 1."
                )
            machines = [address.rsplit(":", 1)[0] for address in workers]
            siblings = max(machines.count(machine) for machine in machines)
            n_jobs = -1
            stack.enter_context(joblib.parallel_config("dask", client=client, scatter=[data]))
        try:
            yield n_jobs, siblings
        except deaths as error:
            raise ChildProcessError(
                "A worker died, for want of memory perhaps. The runs that had ended are kept:"
                " the same sweep goes on after them, with fewer jobs if need be."
            ) from error


def _shown(ends: Iterator[tuple], count: int, verbose: int) -> Iterator[tuple]:
    if not verbose or not count:
        yield from ends
        return
    from gaal_alocc.progress import Progbar

    progress = Progbar(count, unit_name="run")
    progress.update(0)
    for n, end in enumerate(ends, 1):
        yield end
        progress.update(n)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Make a table if there is none, and keep other sweeps from it."""
    with _writing(path):
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    # The lock is the open file's, which no worker inherits: a killed sweep leaves none.
    with file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"{path} is being written by another sweep: wait for its end, or name another file."
            ) from error
        except OSError:
            pass  # a file system without locks
        yield


def _open_table(path: Path, columns: list[str], fixed: dict[str, str]) -> list[dict[str, str]]:
    """Read the rows of a table, or begin one; refuse one of other columns or settings."""
    written = path.read_bytes()
    whole = written.rfind(b"\n") + 1  # a row without its end was being written at a kill
    if whole < len(written):
        os.truncate(path, whole)
    if not written[:whole].strip():
        _append(path, columns)
        return []
    reader = csv.reader(io.StringIO(written[:whole].decode()))
    table = (cells for cells in reader if cells)  # who deletes a row may leave its line
    header = next(table)
    if header != columns:
        differ = sorted(set(header) ^ set(columns)) or ["their order"]
        raise ValueError(
            f"{path} holds a table of other columns ({', '.join(differ)}): name another file."
        )
    rows = []
    for cells in table:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {reader.line_num}: the row has {len(cells)} values; expected"
                f" {len(header)}. Delete it to have it run again."
            )
        rows.append(dict(zip(header, cells)))
    for row, (name, value) in itertools.product(rows, fixed.items()):
        if row[name] != value:
            raise ValueError(
                f"{path} holds runs with {name}={row[name] or None}, these have"
                f" {name}={value or None}: name another file{', or sweep it' * (name != 'data')}."
            )
    return rows


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}") from error


def _append(path: Path, values: Iterable[Any]) -> None:
    with _writing(path), path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(map(_cell, values))
        file.flush()
        os.fsync(file.fileno())


def _cell(value: Any) -> str:
    """Text of a value in the table; two values are the same where their texts are."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _key(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(_cell, values))


def varied(results: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Those of the parameters that have more than one value in a table of :func:`sweep`."""
    return [name for name in names if results[name].nunique(dropna=False) > 1]


def plot_sweep(results: pd.DataFrame, names: Sequence[str], measure: str) -> Figure:
    """Plot a measure against each parameter, a point a run.

    Parameters
    ----------
    results : DataFrame
        As of :func:`sweep`. Failed runs are left out.
    names : sequence of str
        Parameters, a panel each; none for one panel of the seeds.
    measure : str
        Column of ``results``.

    Returns
    -------
    matplotlib Figure
        Where a parameter has few values, the seeds stand side by side over each, with a bar
        at the median; where it has many, on an axis of numbers, logarithmic over more than
        two decades.
    """
    from matplotlib.figure import Figure

    names = list(names) or ["seed"]
    figure = Figure((max(4.0, 3.2 * len(names)), 3.6), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    results = results[results[measure].notna()]
    seeds = results["seed"].rank(method="dense")
    beside = 0.25 * (2 * (seeds - 1) / max(1, seeds.max() - 1) - 1) if len(results) else seeds
    for ax, name in zip(axes, names):
        values = results[name].astype(object).where(results[name].notna(), "none")
        number = pd.to_numeric(values, errors="coerce")
        if values.nunique() > CATEGORIES and number.notna().all():
            ax.plot(number, results[measure], "o", alpha=0.6, ms=4)
            if number.min() > 0 and number.max() > 100 * number.min():
                ax.set_xscale("log")
        else:
            groups = list(results.groupby(values, sort=False)[measure])
            with contextlib.suppress(TypeError):  # numbers and words have no order
                groups.sort(key=lambda group: group[0])
            ticks = {value: tick for tick, (value, _) in enumerate(groups)}
            x = values.map(ticks).astype(float) + (0 if name == "seed" else beside)
            ax.plot(x, results[measure], "o", alpha=0.6, ms=4)
            medians = [group.median() for _, group in groups]
            low, high = ([tick + side for tick in range(len(groups))] for side in (-0.35, 0.35))
            ax.hlines(medians, low, high, color="tab:red", label="median")
            ax.set_xticks(range(len(groups)), [_cell(value) for value, _ in groups])
        ax.set_xlabel(name)
        ax.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel(measure)
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(fontsize="small")
    return figure
