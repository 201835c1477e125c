"""Compare SOGAAL, MOGAAL and ALOCC with their ports and with the detectors a user would reach for.

Same data, same seeds: ROC AUC, average precision, seconds and memory. Besides, every departure
of a port from the published program is measured by switching just it on in ours: a METHOD such
as so-gaal+shuffle, or "departures" for all of them. Runs go one by one into runs.csv, and those
that are there already are not made again. PyOD's need the extra "compare".
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from common import cells, studies
from porting import tables
from porting.methods import IMAGE_SETS, METHODS, Problem, load_problem, method
from ranking.detectors import INSTALL

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import choose_tensorflow

REPORTS = Path(__file__).resolve().parent.parent / "reports" / "ports"
ALL_DEPARTURES = "departures"
RUN = ["method", "data", "settings", "seed"]


def departures() -> list[str]:
    """Name the published detectors and each of their departures, then each port's together."""
    from porting.departures import DEPARTURES, DETECTORS, PORTS

    names = []
    for algorithm in DETECTORS:
        names.append(f"{algorithm}+")
        names += [f"{algorithm}+{d}" for d in DEPARTURES if algorithm in DEPARTURES[d].algorithms]
    return names + ["+".join([algorithm, *port]) for algorithm, port in PORTS.values()]


def plan(names: list[str], data: list[str], args) -> tuple[list[Problem], list[dict]]:
    """Lay out what is to be run: the problems, and the runs, each with what a worker has to know.

    A run is alone in its process where its memory is measured.
    """
    problems, runs = [], []
    for dataset in data:
        images = dataset in IMAGE_SETS
        chosen = {name: method(name) for name in names if method(name).images == images}
        for digit in (args.digits if images else [None]) if chosen else []:
            problem = load_problem(dataset, args.data_home, digit)
            problems.append(problem)
            # Seeds outermost: the first seed of all methods is there before the second begins.
            runs += [
                {
                    "method": name,
                    "data": problem.name,
                    "settings": words(entry.settings(problem, args.stop_epochs)),
                    "seed": seed,
                    "set": dataset,
                    "digit": digit,
                    "data_home": args.data_home,
                    "stop_epochs": args.stop_epochs,
                    "alone": entry.measured and not args.together,
                }
                for seed in range(args.first_seed, args.first_seed + args.seeds)
                for name, entry in chosen.items()
                if entry.seeded or seed == args.first_seed
            ]
    return problems, runs


def words(settings: dict) -> str:
    """Say in words how a method is run."""
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "defaults"


def collect(path: Path, runs: list[dict], jobs: int, threads: int) -> pd.DataFrame:
    """Make the runs that are missing in the table, keep it up to date, return what was asked for.

    Raises ValueError if a run fails, when the others are made.
    """
    errors = []

    def work(run: dict) -> tuple[dict, dict]:
        return run, cells.run(run, "porting.worker", threads)

    def make(missing: list[dict]) -> Iterator[pd.DataFrame]:
        for run, made in itertools.chain.from_iterable(
            cells.spread(work, ([run] for run in missing), jobs)
        ):
            if "rows" in made:
                yield pd.DataFrame(made["rows"])
            else:
                errors.append(
                    f"{run['method']} on {run['data']}, seed {run['seed']}: {made['error']}"
                )

    table = cells.collect(path, RUN, runs, make, show)
    if errors:
        raise ValueError(errors[0])
    return cells.kept(table, runs, RUN)


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
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="N seeds (5)")
    parser.add_argument("--first-seed", type=int, default=0, metavar="N", help="from N on (0)")
    parser.add_argument(
        "--stop_epochs",
        type=gaal_alocc.cli.auto_or(int),
        metavar="N|auto",
        help="of GAAL, by default the published ones; auto is for ours alone",
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
    choose_tensorflow()
    for name in ("seeds", "jobs", "threads", "stop_epochs"):
        value = getattr(args, name)
        if value not in (None, "auto") and value < 1:
            parser.error(f"--{name} is {value}; expected at least 1")
    if args.list:
        show_list()
        return 0
    names = chosen_methods(args.methods, parser)
    problems, runs = plan(names, args.data, args)
    if not runs:
        parser.error("none of these methods goes with this data")
    args.output.mkdir(parents=True, exist_ok=True)
    table = collect(args.output / "runs.csv", runs, args.jobs, args.threads)
    sources = [problem.source for problem in problems]
    text = tables.summary(table, studies.called("compare_ports", argv), sources)
    write_aside(args.output / "summary.md", lambda aside: aside.write_text(text))
    figure = tables.draw(table)
    write_aside(args.output / "auc.png", lambda aside: figure.savefig(aside, format="png"))
    print(f"{args.output / 'summary.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
