"""Regenerate the published figures and tables of GAAL and ALOCC, and write a report on them.

--quick needs no download: WDBC is rebuilt from scikit-learn, onecluster is a synthetic
look-alike, and scikit-learn's digits stand in for MNIST. --full takes the published files, from
--data-home or downloaded, and ten seeds (some targets fewer: the report says how many). Finished
targets are kept and skipped on the next run; a quick run leaves those of a full one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from reproduction import report
from reproduction.target import Plan, Target
from reproduction.targets import GAAL, TARGETS

import gaal_alocc.cli

REPORTS = Path(__file__).resolve().parent.parent / "reports"


def run_piece(run: Callable[..., dict], arguments: dict) -> dict | str:
    """Run one piece of a target in a process of its own, on one core; return what went wrong.

    One thread each, however many processes there are: the last digits of a sum depend on the
    number of threads, and training amplifies them.
    """
    import keras
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # the second piece finds TensorFlow started
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    try:
        result = run(**arguments)
    except Exception as error:  # raised here, it would end the runs of other targets
        told = ", ".join(f"{name} {value}" for name, value in arguments.items())
        return f"{told}: {type(error).__name__}: {error}"
    keras.utils.clear_session()  # joblib starts a process anew that keeps growing
    return result


def run_targets(targets: list[Target], plan: Plan, jobs: int, output: Path) -> dict[str, str]:
    """Run the pieces of all targets, spread over processes, and store each target when it is done.

    One queue for all of them: no process waits for the last piece of a target, nor for figures.
    Returns what went wrong, by the names of the targets that are not stored.
    """
    import keras
    from joblib import Parallel, delayed

    pieces = {target.name: target.pieces(plan) for target in targets}
    queue = [delayed(run_piece)(t.run, piece) for t in targets for piece in pieces[t.name]]
    jobs = min(jobs, len(queue) or 1)
    start, wrong = time.perf_counter(), {}
    with contextlib.closing(Parallel(n_jobs=jobs, return_as="generator")(queue)) as made:
        for target in targets:
            expected = len(pieces[target.name])
            print(f"{target.name}: {target.title}, {expected} runs", flush=True)
            progress = keras.utils.Progbar(expected, unit_name="run") if expected else None
            results = []
            for result in itertools.islice(made, expected):
                results.append(result)
                progress.update(len(results), finalize=len(results) == expected)
            failed = [result for result in results if isinstance(result, str)]
            if failed:
                wrong[target.name] = failed[0]
                continue
            outcome = target.show(plan, results)
            now = time.perf_counter()
            seeds = sorted({piece["seed"] for piece in pieces[target.name] if "seed" in piece})
            report.store(target, plan, outcome, seeds, now - start, output)
            report.write(TARGETS.values(), output)
            start = now
    return wrong


def published_files(targets: list[Target], plan: Plan) -> None:
    """Refuse a plan whose files are not there before anything is trained.

    Raises
    ------
    OSError
        If a file is missing and cannot be downloaded.
    ValueError
        If a file is not the published one.
    """
    from gaal import datasets

    if plan.full and any(
        "mnist" in piece and piece["mnist"] is None for t in targets for piece in t.pieces(plan)
    ):
        raise FileNotFoundError(
            f"{plan.data_home / 'mnist.npz'} is not there; ALOCC's targets need it"
        )
    # WDBC is rebuilt where it is not there.
    if plan.gaal_home is not None and any(target in GAAL for target in targets):
        for name in datasets.PUBLISHED if plan.full else ("onecluster",):
            datasets.load_dataset(name, data_home=plan.gaal_home, download=False)


def download() -> Path:
    """Fetch what --full needs into Keras's cache; return a folder that leads to all of it."""
    from alocc.datasets import load_mnist
    from gaal import datasets

    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    folder = cache / "gaal-alocc"
    (folder / "gaal").mkdir(parents=True, exist_ok=True)

    def mnist() -> Path:
        load_mnist()  # Keras checks and keeps the file
        return cache / "datasets" / "mnist.npz"

    wanted = {folder / "mnist.npz": mnist}
    for name in datasets.PUBLISHED:
        if name != "WDBC":  # rebuilt, equal to the file
            wanted[folder / "gaal" / name] = lambda name=name: datasets.load_dataset(name).filename
    for link, fetch in wanted.items():
        if not link.exists():
            link.unlink(missing_ok=True)  # one that leads nowhere any more
            link.symlink_to(Path(fetch()).resolve())
    return folder


@contextlib.contextmanager
def cluster(address: str | None):
    """Send joblib's work to a Dask scheduler, where one is given."""
    if address is None:
        yield
        return
    import joblib

    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--dask needs the extra `cluster`: pip install '.[cluster]'.") from None
    # Workers that run elsewhere import the targets from what this client sends them.
    with Client(address) as client, joblib.parallel_config("dask", client=client):
        yield


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="targets; all by default")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small settings, no download (default)")
    size.add_argument("--full", action="store_true", help="published data and settings")
    parser.add_argument("--seeds", type=int, help="runs of each setting (3; 10 in --full)")
    parser.add_argument(
        "--data-home",
        type=gaal_alocc.cli.path,
        help="folder of GAAL's published files, and of mnist.npz",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
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
    for name in ("seeds", "jobs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} is {value}; expected at least 1")
    if args.seeds is None:
        args.seeds = 10 if args.full else 3
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the targets asked for, write the report, return the exit status."""
    args = parse(argv)
    if args.list:
        for target in TARGETS.values():
            print(f"{target.name:22} {target.title}\n{'':22} {target.source}")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    start = time.perf_counter()
    try:
        data_home = args.data_home
        if args.full and data_home is None:
            data_home = download()
        plan = Plan(args.full, args.seeds, data_home)
        targets = [TARGETS[name] for name in args.names or TARGETS]
        published_files(targets, plan)
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
