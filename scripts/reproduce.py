"""Regenerate the published figures and tables of GAAL and ALOCC, and write a report on them.

Published files are taken from --data-home or the folder named by GAAL_DATA_HOME, from Keras's
cache, or downloaded. --quick takes onecluster and MNIST if they can be had in seconds, and else
what stands in for them: synthetic points, and scikit-learn's digits; --full needs its files.
Ten seeds each (some targets fewer: the report says how many). Finished targets are kept and
skipped on the next run; a quick run leaves those of a full one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from common.processes import cluster
from reproduction import report, sources
from reproduction.target import Plan, Target
from reproduction.targets import TARGETS

import gaal_alocc.cli
from gaal_alocc.startup import importing_tensorflow, starting_tensorflow

REPORTS = Path(__file__).resolve().parent.parent / "reports"


def run_pieces(
    name: str, run: Callable[..., dict], pieces: list[dict], threads: int
) -> tuple[str, list[dict | str]]:
    """Run pieces one after the other; return the name, and a result or what went wrong of each."""
    with starting_tensorflow(), contextlib.suppress(RuntimeError):  # later pieces find it started
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    results = []
    for arguments in pieces:
        try:
            with warnings.catch_warnings():
                # ALOCC is stopped early on purpose, and the report says after how many epochs.
                warnings.filterwarnings("ignore", "The training will make")
                results.append(run(**arguments))
        except Exception as error:  # raised here, it would end the runs of other targets
            told = ", ".join(f"{name} {value}" for name, value in arguments.items())
            results.append(f"{told}: {type(error).__name__}: {error}")
    return name, results


def one_after_the_other(target: Target, plan: Plan) -> list[tuple[Callable, list[dict]]]:
    """Put together the pieces that differ in their seed only: one program serves all of them.

    But for long ones, beside which the tracing of a program is nothing.
    """

    def alike(piece: dict) -> dict:
        return {name: value for name, value in piece.items() if target.long or name != "seed"}

    chunks = [list(some) for _, some in itertools.groupby(target.pieces(plan), alike)]
    return [
        (some[0].get("run", target.run), [{k: v for k, v in p.items() if k != "run"} for p in some])
        for some in chunks
    ]


def run_targets(targets: list[Target], plan: Plan, jobs: int, output: Path) -> dict[str, str]:
    """Run the pieces of all targets, spread over processes, and store each target when it is done.

    One queue for all of them: no process waits for the last piece of a target, nor for figures.
    All processes but one begin with long pieces, which in the end would be left to one of them.
    Returns what went wrong, by the names of the targets that are not stored.
    """
    from joblib import Parallel, delayed

    from gaal_alocc.progress import Progbar

    chunks = {target.name: one_after_the_other(target, plan) for target in targets}
    uses = Counter(str(chunk) for some in chunks.values() for chunk in some)
    long = [chunk for target in targets if target.long for chunk in chunks[target.name]]
    queue = [*long[: jobs - 1], *(chunk for some in chunks.values() for chunk in some)]
    queue = {str(chunk): chunk for chunk in queue}
    work = [delayed(run_pieces)(name, *chunk, plan.threads) for name, chunk in queue.items()]
    finished = {}  # and still to be used
    jobs = min(jobs, len(work) or 1)
    start, wrong = time.perf_counter(), {}
    with contextlib.closing(Parallel(n_jobs=jobs, return_as="generator_unordered")(work)) as made:
        for target in targets:
            expected = sum(len(pieces) for _, pieces in chunks[target.name])
            print(f"{target.name}: {target.title}, {expected} runs", flush=True)
            progress = Progbar(expected, unit_name="run") if expected else None
            results = []
            for chunk in map(str, chunks[target.name]):
                while chunk not in finished:
                    finished.update([next(made)])
                uses[chunk] -= 1
                results += finished[chunk] if uses[chunk] else finished.pop(chunk)
                progress.update(len(results), finalize=len(results) == expected)
            failed = [result for result in results if isinstance(result, str)]
            if failed:
                wrong[target.name] = failed[0]
                continue
            outcome = target.show(plan, results)
            now = time.perf_counter()
            seeds = {p["seed"] for _, some in chunks[target.name] for p in some if "seed" in p}
            report.store(target, plan, outcome, sorted(seeds), now - start, output)
            report.write(TARGETS.values(), output)
            start = now
    return wrong


def with_data(
    plan: Plan, targets: list[Target], data_home: Path | None, offline: bool
) -> tuple[Plan, list[str]]:
    """Find the published files that the targets take; a quick plan does without some of them.

    Returns
    -------
    plan : Plan
        With the files.
    told : list of str
        A line on each file of a quick plan: where it comes from, or what stands in for it.

    Raises
    ------
    OSError
        If ``data_home`` is no folder, or a full plan's file is missing and not to be downloaded.
    ValueError
        If a file is not the published one.
    """
    from gaal import datasets

    if data_home is not None and not data_home.is_dir():
        raise NotADirectoryError(f"--data-home {data_home} is no folder")
    needs = dict.fromkeys(name for target in targets for name in target.needs)
    if not plan.full:
        found, told = {}, []
        for name in needs:
            found[name], line = sources.find(name, data_home, offline)
            told.append(line)
        onecluster = found.get("onecluster")
        home = None if onecluster is None else onecluster.parent
        return replace(plan, gaal_home=home, mnist=found.get("mnist")), told
    # As if all were there, to learn which are asked for.
    pieces = [p for t in targets for p in t.pieces(replace(plan, gaal_home=Path(), mnist=Path()))]
    names = {p["name"] for p in pieces if "name" in p} | needs.keys()
    names = [name for name in datasets.PUBLISHED if name in names]
    if names:
        plan = replace(plan, gaal_home=sources.everything(names, data_home, offline))
    if "mnist" in needs or any("mnist" in piece for piece in pieces):
        plan = replace(plan, mnist=sources.all_of_mnist(data_home, offline))
    return plan, []


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="targets; all by default")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small settings (default)")
    size.add_argument("--full", action="store_true", help="published data and settings")
    parser.add_argument(
        "--seeds", type=int, default=10, help="runs of each setting (10; some targets take fewer)"
    )
    parser.add_argument(
        "--first-seed", type=int, default=0, metavar="N", help="seeds from N on (default: 0)"
    )
    parser.add_argument(
        "--data-home",
        type=gaal_alocc.cli.path,
        help="folder of GAAL's published files, and of mnist.npz",
    )
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of each process (1, as in the report)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler that spreads the runs")
    parser.add_argument("--force", action="store_true", help="run finished targets again")
    parser.add_argument(
        "--output", type=gaal_alocc.cli.path, default=REPORTS, help="folder (default: reports/)"
    )
    parser.add_argument("--list", action="store_true", help="list the targets and stop")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; the targets are {', '.join(TARGETS)}")
    for name, least in (("seeds", 1), ("first_seed", 0), ("jobs", 1), ("threads", 1)):
        value = getattr(args, name)
        if value < least:
            parser.error(f"--{name.replace('_', '-')} is {value}; expected at least {least}")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the targets asked for, write the report, return the exit status."""
    args = parse(argv)
    if args.list:
        for target in TARGETS.values():
            print(f"{target.name:22} {target.title}\n{'':22} {target.source}")
        return 0
    start = time.perf_counter()
    try:
        plan = Plan(args.full, args.seeds, args.first_seed, args.threads)
        targets = [TARGETS[name] for name in args.names or TARGETS]
        with importing_tensorflow():
            plan, told = with_data(plan, targets, args.data_home, args.offline)
        if told:
            print(f"data: {'; '.join(told)}", flush=True)
        args.output.mkdir(parents=True, exist_ok=True)
        wanted = []
        for target in targets:
            kept = "" if args.force else report.kept(target, plan, args.output)
            if kept:
                print(f"{target.name}: {kept}")
            else:
                wanted.append(target)
        with cluster(args.dask):
            wrong = run_targets(wanted, plan, args.jobs, args.output)
        stored = report.write(TARGETS.values(), args.output)
    except (OSError, ValueError) as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nreproduce: interrupted; what is finished is kept", file=sys.stderr)
        return 130
    for result in stored:
        if result["name"] in {target.name for target in targets} - wrong.keys():
            print(f"  {result['verdict']:20} {result['title']}: {result['summary']}")
    print(f"{args.output / 'index.html'} written in {time.perf_counter() - start:.0f} s")
    for name, line in wrong.items():
        print(f"reproduce: {name}, {line}", file=sys.stderr)
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
