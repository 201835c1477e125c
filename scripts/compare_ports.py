"""Compare SOGAAL, MOGAAL and ALOCC with their ports and with the detectors a user would reach for.

Same data, same seeds: ROC AUC, average precision, seconds and memory. Besides, every departure
of a port from the published program is measured by switching just it on in ours: a METHOD such
as so-gaal+shuffle, or "departures" for all of them. Runs go one by one into runs.csv, and those
that are there already are not made again. PyOD's need the extra "compare".
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gaal_alocc.cli

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))  # also where this file is loaded from elsewhere

import pandas as pd  # noqa: E402
from common import processes, studies  # noqa: E402
from porting import tables  # noqa: E402
from porting.methods import IMAGE_SETS, METHODS, Problem, load_problem, method  # noqa: E402
from porting.worker import words  # noqa: E402
from ranking.detectors import INSTALL  # noqa: E402

from gaal_alocc.files import write_aside  # noqa: E402

REPORTS = SCRIPTS.parent / "reports" / "ports"
ALL_DEPARTURES = "departures"
RUN = ["method", "data", "settings", "seed"]


class RunError(ValueError):
    """A run that failed, and with it ``lost`` runs of its process."""

    def __init__(self, message: str, lost: int) -> None:
        super().__init__(message)
        self.lost = lost


def departures() -> list[str]:
    """Name the published detectors and each of their departures, then each port's together."""
    from porting.departures import DEPARTURES, DETECTORS, PORTS

    names = []
    for algorithm in DETECTORS:
        names.append(f"{algorithm}+")
        names += [f"{algorithm}+{d}" for d in DEPARTURES if algorithm in DEPARTURES[d].algorithms]
    return names + ["+".join([algorithm, *port]) for algorithm, port in PORTS.values()]


def plan(names: list[str], data: list[str], args) -> tuple[list[Problem], dict[tuple, dict]]:
    """Lay out what is to be run.

    Returns
    -------
    problems : list of Problem
    runs : dict
        For every (method, data, settings, seed) what a worker has to know of its data.
    """
    problems, runs = [], {}
    for dataset in data:
        images = dataset in IMAGE_SETS
        chosen = {name: method(name) for name in names if method(name).images == images}
        for digit in (args.digits if images else [None]) if chosen else []:
            problem = load_problem(dataset, args.data_home, digit)
            problems.append(problem)
            where = {"data": dataset, "digit": digit}
            where |= {"data_home": args.data_home, "stop_epochs": args.stop_epochs}
            # Seeds outermost: the first seed of all methods is there before the second begins.
            for seed in range(args.seeds):
                for name, entry in chosen.items():
                    if entry.seeded or seed == 0:
                        text = words(entry.settings(problem, args.stop_epochs))
                        runs[name, problem.name, text, seed] = where
    return problems, runs


def tasks(runs: dict[tuple, dict], jobs: int, together: bool) -> list[dict]:
    """Share runs out among processes: one each where it is measured, else few processes."""
    alone, shared = [], {}
    for (name, data, _, seed), where in runs.items():
        if method(name).measured and not together:
            alone.append({**where, "runs": [(name, seed)]})
        else:
            shared.setdefault(data, (where, []))[1].append((name, seed))
    parts = [{**where, "runs": some[i::jobs]} for where, some in shared.values()
             for i in range(jobs)]  # fmt: skip
    return alone + [part for part in parts if part["runs"]]


def work(task: dict, threads: int, finished: queue.Queue) -> None:
    """Make a task's runs in a process of its own; put each one's rows, or the error."""
    left = len(task["runs"])
    with (
        tempfile.TemporaryFile("w+") as errors,
        processes.start("porting.worker", threads, errors) as process,
    ):
        with contextlib.suppress(BrokenPipeError):  # it has died already, and said why
            process.stdin.write(json.dumps(task))
            process.stdin.close()
        for line in process.stdout:
            finished.put(json.loads(line))
            left -= 1
        if process.wait() or left:
            name, seed = task["runs"][-left]
            said = processes.last_line(errors)
            finished.put(RunError(f"{name} on {task['data']}, seed {seed}: {said}", left))


def collect(
    path: Path, runs: dict[tuple, dict], jobs: int, threads: int, together: bool = False
) -> pd.DataFrame:
    """Read the table of finished runs, make those that are missing, and keep it up to date."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.exists() else None
    known = set() if table is None else set(table[RUN].itertuples(index=False, name=None))
    missing = {key: where for key, where in runs.items() if key not in known}
    done = len(runs) - len(missing)
    if done:
        print(f"{done} of {len(runs)} runs are there already", flush=True)
    finished, errors = queue.Queue(), []
    with ThreadPoolExecutor(jobs) as executor:
        for task in tasks(missing, jobs, together):
            executor.submit(work, task, threads, finished)
        try:
            while done + sum(error.lost for error in errors) < len(runs):
                rows = finished.get()
                if isinstance(rows, RunError):  # the others go on
                    errors.append(rows)
                    continue
                rows = pd.DataFrame(rows)
                table = rows if table is None else pd.concat([table, rows], ignore_index=True)
                write_aside(path, lambda aside, table=table: table.to_csv(aside, index=False))
                done += 1
                show(rows, done, len(runs))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    if errors:
        raise errors[0]
    # Only what was asked for, and in its order: the table may hold more.
    places = {key: place for place, key in enumerate(runs)}
    keys = table[RUN].itertuples(index=False, name=None)
    table = table.assign(place=[places.get(key, -1) for key in keys]).fillna({"score": ""})
    table = table[table["place"] >= 0].sort_values("place", kind="stable")
    return table.drop(columns="place")


def show(rows: pd.DataFrame, done: int, total: int) -> None:
    """Print a progress bar, and the run that has just finished."""
    run = rows.iloc[0]
    auc = ", ".join(f"{r.score} {r.auc:.3f}".strip() for r in rows.itertuples())
    print(
        f"[{'#' * round(20 * done / total):.<20}] {done}/{total} {run['method']} on {run['data']},"
        f" seed {run['seed']}: AUC {auc} ({run['seconds']:.1f} s)",
        flush=True,
    )


def chosen_methods(names: list[str], parser: argparse.ArgumentParser) -> list[str]:
    """Resolve the METHODs asked for; refuse those that are unknown or not installed."""
    if not names:
        absent = [name for name in METHODS if METHODS[name].missing]
        if absent:
            print(f"not installed, left out: {', '.join(absent)}. {INSTALL}", file=sys.stderr)
        return [name for name in METHODS if name not in absent]
    resolved = [n for name in names for n in (departures() if name == ALL_DEPARTURES else [name])]
    for name in resolved:
        try:
            missing = method(name).missing
        except ValueError as error:
            parser.error(str(error))
        if missing:
            parser.error(f"{name} needs {' and '.join(missing)}, not installed here. {INSTALL}")
    return list(dict.fromkeys(resolved))


def show_list() -> None:
    """Print the methods and the departures."""
    from porting.departures import DEPARTURES

    for name, entry in METHODS.items():
        note = f" (needs {' and '.join(entry.missing)})" if entry.missing else ""
        print(f"{name:<18} {entry.title}{note}")
    print("\ndepartures, after so-gaal+ or mo-gaal+ and joined by +:")
    for name, departure in DEPARTURES.items():
        print(f"{name:<20} {departure.what}")


@studies.ending("compare_ports")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing, write tables and figures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "methods", nargs="*", metavar="METHOD", help="see --list; by default all but departures"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=["WDBC", "onecluster", "digits"],
        metavar="NAME",
        help="published data sets, synthetic (a made onecluster), mnist or digits",
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument(
        "--stop_epochs", type=int, metavar="N", help="of GAAL, by default the published ones"
    )
    parser.add_argument("--digits", type=int, nargs="+", default=[1], help="target classes")
    parser.add_argument(
        "--data-home",
        type=os.path.expanduser,
        metavar="DIR",
        help="folder of GAAL's published files and of mnist.npz",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each run")
    parser.add_argument(
        "--together",
        action="store_true",
        help="make many runs in one process: faster, but no peak of memory is known",
    )
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    parser.add_argument("--list", action="store_true", help="list the methods and leave")
    args = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("seeds", "jobs", "threads", "stop_epochs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} is {value}; expected at least 1")
    if args.list:
        show_list()
        return 0
    names = chosen_methods(args.methods, parser)
    problems, runs = plan(names, args.data, args)
    if not runs:
        parser.error("none of these methods goes with this data")
    args.output.mkdir(parents=True, exist_ok=True)
    table = collect(args.output / "runs.csv", runs, args.jobs, args.threads, args.together)
    sources = [problem.source for problem in problems]
    text = tables.summary(table, studies.called("compare_ports", argv), sources)
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(text))
    figure = tables.draw(table)
    write_aside(args.output / "auc.png", lambda aside: figure.savefig(aside, format="png"))
    print(f"{args.output / 'summary.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
