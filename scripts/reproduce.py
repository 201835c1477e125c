"""Regenerate the published figures and tables of GAAL and ALOCC, and write a report on them.

Published files are taken from --data-home or the folder named by GAAL_DATA_HOME, from Keras's
cache, or downloaded. --quick takes onecluster and MNIST if they can be had in seconds, and else
what stands in for them: synthetic points, and scikit-learn's digits; --full needs its files.
Ten seeds each; some targets take fewer, a few in a full run three times as many: the report says
how many. Finished targets are kept and skipped on the next run, and so are single runs of minutes;
a quick run leaves those of a full one.
"""

import argparse
import contextlib
import functools
import itertools
import os
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from common import studies
from common.processes import cluster
from reproduction import checking, longruns, report, sources, stored
from reproduction.target import Plan, Target
from reproduction.targets import TARGETS

import gaal_alocc.cli
from gaal_alocc.startup import choose_tensorflow, importing_tensorflow, starting_tensorflow

SHOWN = 3  # faults of a target
LONG = 30.0  # seconds of processor time: a run that is kept by itself
REPORTS = Path(__file__).resolve().parent.parent / "reports"


def run_pieces(
    name: str,
    run: Callable[..., dict],
    pieces: list[dict],
    threads: int,
    folder: Path | None = None,
) -> tuple[str, list[tuple[dict, float] | str]]:
    """Run pieces one after the other; in a ``folder`` long runs are kept, and taken from there.

    Returns the name, and of each the result and its seconds of processor time, or what went wrong.
    """
    with starting_tensorflow(), contextlib.suppress(RuntimeError):  # later pieces find it started
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    results = []
    for arguments in pieces:
        start = time.process_time()
        # A worker elsewhere has no such folder, and keeps nothing.
        kept = folder and folder.parent.is_dir() and folder / longruns.name(run, arguments, threads)
        if kept and kept.is_file():
            results.append(longruns.read(kept))
            continue
        try:
            with warnings.catch_warnings():
                # ALOCC is stopped early on purpose, and the report says after how many epochs.
                warnings.filterwarnings("ignore", "The training will make")
                result = run(**arguments)
            results.append((result, time.process_time() - start))
            if kept and results[-1][1] >= LONG:
                longruns.write(kept, *results[-1])
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
    return [work_of(target, some) for some in chunks]


def work_of(target: Target, pieces: list[dict]) -> tuple[Callable, list[dict]]:
    """Tell what makes some pieces alike: a function, and its arguments for each."""
    run = pieces[0].get("run", target.run)
    return run, [{k: v for k, v in piece.items() if k != "run"} for piece in pieces]


def run_targets(
    targets: list[Target], plan: Plan, jobs: int, output: Path, force: bool = False
) -> dict[str, str]:
    """Run the pieces of all targets, spread over processes, and store each target when it is done.

    One queue for all of them: no process waits for the last piece of a target, nor for figures.
    All processes but one begin with long pieces, which in the end would be left to one of them.
    Long runs are kept in the folder .runs, whether their targets are finished or not, and not made
    again unless ``force`` is given.
    Returns what went wrong, by the names of the targets that are not stored.
    """
    from joblib import Parallel, delayed

    from gaal_alocc.progress import Progbar

    chunks = {target.name: one_after_the_other(target, plan) for target in targets}
    uses = Counter(str(chunk) for some in chunks.values() for chunk in some)
    long = [chunk for target in targets if target.long for chunk in chunks[target.name]]
    queue = [*long[: jobs - 1], *(chunk for some in chunks.values() for chunk in some)]
    queue = {str(chunk): chunk for chunk in queue}
    folder = output / ".runs"
    if force:
        for run, pieces in queue.values():
            for piece in pieces:
                (folder / longruns.name(run, piece, plan.threads)).unlink(missing_ok=True)
    work = [
        delayed(run_pieces)(name, *chunk, plan.threads, folder) for name, chunk in queue.items()
    ]
    finished = {}  # and still to be used
    jobs = min(jobs, len(work) or 1)
    wrong = {}
    with contextlib.closing(Parallel(n_jobs=jobs, return_as="generator_unordered")(work)) as made:
        for target in targets:
            expected = sum(len(pieces) for _, pieces in chunks[target.name])
            print(f"{target.name}: {target.title}, {expected} runs", flush=True)
            progress = Progbar(expected, unit_name="run")
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
            stored.store(target, plan, target.pieces(plan), results, output)
            report.write(TARGETS.values(), output)
    return wrong


def with_data(
    plan: Plan, targets: list[Target], data_home: Path | None, offline: bool
) -> tuple[Plan, list[str]]:
    """Find the published files that the targets take; a quick plan does without some of them.

    Returns the plan with the files, and a line on each file of a quick plan: where it comes from,
    or what stands in for it. Raises OSError if ``data_home`` is no folder, or a full plan's file
    is missing and not to be downloaded, ValueError if a file is not the published one.
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
    folders = {name: sources.find_folder(name, data_home) for name in sources.FOLDERS}
    plan = replace(plan, **folders)
    # As if all were there, to learn which are asked for.
    pieces = [p for t in targets for p in t.pieces(replace(plan, gaal_home=Path(), mnist=Path()))]
    names = {p["name"] for p in pieces if "name" in p} | needs.keys()
    names = [name for name in datasets.PUBLISHED if name in names]
    if names:
        plan = replace(plan, gaal_home=sources.everything(names, data_home, offline))
    if "mnist" in needs or any("mnist" in piece for piece in pieces):
        plan = replace(plan, mnist=sources.all_of_mnist(data_home, offline))
    return plan, []


def verify(targets: list[Target], args: argparse.Namespace) -> int:
    """Check the report in a folder, print a line on each target, return the exit status."""
    faults = checking.verify(targets, args.verify)
    if not args.names:
        faults |= checking.verify_pages(targets, args.verify)
    for name, found in faults.items():
        states = {None: "no raw numbers kept", True: "NOT AS STATED", False: "as stated"}
        print(f"{name:22} {states[None if found is None else bool(found)]}")
        for fault in (found or [])[:SHOWN]:
            print(f"{'':22} {fault}")
        if len(found or []) > SHOWN:
            print(f"{'':22} and {len(found) - SHOWN} more")
    bad = any(faults.values())
    if args.again:
        bad |= not again(targets, args)
    unchecked = sum(found is None for found in faults.values())
    good = f"as stated, but {unchecked} could not be checked" if unchecked else "as stated"
    print(good if not bad else "reproduce: not as stated", flush=True)
    return int(bad)


def again(targets: list[Target], args: argparse.Namespace) -> bool:
    """Make some runs of a report once more, print what came of each, say whether all are good."""
    from joblib import Parallel, delayed

    seed = random.SystemRandom().randrange(10**6) if args.draw is None else args.draw
    find = functools.partial(with_data, data_home=args.data_home, offline=args.offline)
    drawn, told = checking.draw(targets, args.verify, args.again, seed, find)
    for line in told:
        print(f"not drawn from {line}")
    print(f"{len(drawn)} runs made again, drawn by --draw {seed}", flush=True)
    work = [
        delayed(run_pieces)(one.target.name, run, [arguments], one.plan.threads)
        for one in drawn
        for run, (arguments,) in [work_of(one.target, [one.piece])]
    ]
    all_good = bool(drawn)
    for one, (_, (made,)) in zip(drawn, Parallel(n_jobs=min(args.jobs, len(work) or 1))(work)):
        good, line = False, made  # what went wrong
        if not isinstance(made, str):
            good, line = checking.compare(one, made[0], args.verify)
        print(f"{one.target.name:22} {one.named()}: {line}")
        all_good &= good
    return all_good


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
        "--seeds",
        type=int,
        default=10,
        help="of each setting (10; some targets fewer or more)",
    )
    parser.add_argument(
        "--first-seed", type=int, default=0, metavar="N", help="seeds from N on (default: 0)"
    )
    parser.add_argument(
        "--data-home",
        type=gaal_alocc.cli.path,
        help="folder of GAAL's published files, mnist.npz, UCSDped2 and 256_ObjectCategories",
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
    check = parser.add_argument_group("checking a report")
    check.add_argument(
        "--verify",
        type=gaal_alocc.cli.path,
        metavar="FOLDER",
        help="recompute what a report states from its raw numbers, and run nothing",
    )
    check.add_argument(
        "--again", type=int, default=0, metavar="N", help="make N of its runs again and compare"
    )
    check.add_argument("--draw", type=int, metavar="SEED", help="seed by which they are drawn")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; the targets are {', '.join(TARGETS)}")
    for name, least in (("seeds", 1), ("first_seed", 0), ("jobs", 1), ("threads", 1), ("again", 0)):
        value = getattr(args, name)
        if value < least:
            parser.error(f"--{name.replace('_', '-')} is {value}; expected at least {least}")
    if (args.again or args.draw is not None) and args.verify is None:
        parser.error("--again and --draw are of --verify FOLDER, which is not given")
    return args


@studies.ending("reproduce")
def main(argv: list[str] | None = None) -> int:
    """Run the targets asked for, write the report, return the exit status."""
    args = parse(argv)
    if args.list:
        for target in TARGETS.values():
            print(f"{target.name:22} {target.title}\n{'':22} {target.source}")
        return 0
    choose_tensorflow()
    start = time.perf_counter()
    try:
        plan = Plan(args.full, args.seeds, args.first_seed, args.threads)
        targets = [TARGETS[name] for name in args.names or TARGETS]
        if args.verify is not None:
            return verify(targets, args)
        # A quick run leaves TensorFlow to its processes, which start the sooner.
        with importing_tensorflow() if args.full else contextlib.nullcontext():
            plan, told = with_data(plan, targets, args.data_home, args.offline)
        if told:
            print(f"data: {'; '.join(told)}", flush=True)
        args.output.mkdir(parents=True, exist_ok=True)
        wanted = []
        for target in targets:
            kept = "" if args.force else stored.kept(target, plan, args.output)
            if kept:
                print(f"{target.name}: {kept}")
            else:
                wanted.append(target)
        with cluster(args.dask):
            wrong = run_targets(wanted, plan, args.jobs, args.output, args.force)
        results = report.write(TARGETS.values(), args.output)
    except KeyboardInterrupt:
        print("\nreproduce: interrupted; what is finished is kept", file=sys.stderr)
        return 130
    for result in results:
        if result["name"] in {target.name for target in targets} - wrong.keys():
            print(f"  {result['verdict']:20} {result['title']}: {result['summary']}")
    print(f"{args.output / 'index.html'} written in {time.perf_counter() - start:.0f} s")
    for name, line in wrong.items():
        print(f"reproduce: {name}, {line}", file=sys.stderr)
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
