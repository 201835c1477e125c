"""Kill training runs at random moments, resume them, and compare with runs left in peace.

Every run is a process of its own that is ended by SIGKILL: after a random time, some epochs into
the training, or while a snapshot lies half written beside the whole ones. It is resumed and killed
again until it comes to its end; history, weights and scores must equal, bit for bit, those of a
run that was never killed and wrote no checkpoint. Prints the table of docs/checkpoints.md.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from gaal_alocc.startup import importing_tensorflow

with importing_tensorflow():
    from alocc import ALOCC
    from gaal import MOGAAL, SOGAAL
    from gaal_alocc.checkpoints import ASIDE

MOMENTS = ("training", "writing", "any")
DOORS = {"train_on_batch": 1, "graph": "auto"}
SYNC_SECONDS = 0.01  # a slow disk, so that there is time to be killed while it syncs


DRAWN = np.random.default_rng(0).random((64, 16, 16), dtype=np.float32)
TABLE = (DRAWN[:, 0, :4], (np.arange(64) < 6).astype(int))  # labels, 6 outliers
GAAL = {"stop_epochs": 20, "epochs": 60, "batch_size": 20, "shuffle": True}
IMAGES = {"epochs": 12, "batch_size": 16, "gf_dim": 2, "df_dim": 2}
ALGORITHMS = {
    "SO-GAAL": lambda **params: (SOGAAL(**GAAL, **params), *TABLE),
    "MO-GAAL": lambda **params: (MOGAAL(k=3, **GAAL, **params), *TABLE),
    "ALOCC": lambda **params: (ALOCC(**IMAGES, **params), DRAWN, None),
}


def outcome(detector, X: np.ndarray) -> dict[str, np.ndarray]:
    """History, weights and scores of a fitted detector."""
    networks = {"generator": detector.generator_, "discriminator": detector.discriminator_}
    arrays = {f"history {name}": column for name, column in detector.history_.items()}
    for name, network in networks.items():
        arrays |= {f"{name} {i}": w for i, w in enumerate(network.get_weights())}
    for epoch, pair in enumerate(getattr(detector, "epoch_weights_", ())):
        for name, weights in pair.items():
            arrays |= {f"epoch {epoch} {name} {i}": w for i, w in enumerate(weights)}
    return {"scores": detector.score_samples(X), **arrays}


def fit(algorithm: str, door: str, seed: int, output: Path, **checkpointing) -> None:
    """Fit a detector and write its outcome to a file."""
    sync = os.fsync

    def slowly(descriptor: int) -> None:
        sync(descriptor)
        time.sleep(SYNC_SECONDS)

    os.fsync = slowly
    detector, X, y = ALGORITHMS[algorithm](steps_per_execution=DOORS[door], random_state=seed)
    detector.fit(X, y, **checkpointing)
    np.savez(output, **outcome(detector, X))


FORKED = multiprocessing.get_context("fork")  # while TensorFlow is imported, not yet at work


def start(*args, **kwargs) -> multiprocessing.Process:
    """Fit in a process of its own, which forking spares TensorFlow's start."""
    process = FORKED.Process(target=fit, args=args, kwargs=kwargs)
    process.start()
    return process


def ended(process: multiprocessing.Process, seconds: float | None = 0) -> bool:
    """Whether a run has ended by itself, and well, within so many seconds."""
    process.join(seconds)
    if process.exitcode:
        raise RuntimeError(f"the run failed, status {process.exitcode}")
    return process.exitcode is not None


def newest(folder: Path) -> str | None:
    """Name of the newest snapshot."""
    return max((path.name for path in folder.glob("snapshot_*")), default=None)


def written_last(path: Path) -> int | None:
    """When a file was last written to; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def kill(
    child: multiprocessing.Process, folder: Path, draw: random.Random, seconds: float, moment: str
) -> bool:
    """Kill a run at a moment that is drawn; whether it was still running.

    Moments are "any", a time up to ``seconds``; "training", some snapshots and a while later;
    "writing", when after some snapshots another file lies aside half written.
    """
    aside = folder / ASIDE
    left = written_last(aside)  # by the process killed before
    if moment == "any":
        time.sleep(draw.uniform(0, seconds))
    else:
        for _ in range(draw.randint(1, 4)):
            before = newest(folder)
            while newest(folder) == before:
                if ended(child):
                    return False
                time.sleep(0.002)
        time.sleep(draw.uniform(0, 4 * SYNC_SECONDS))
    while moment == "writing" and written_last(aside) in (None, left):
        if ended(child):
            return False
        time.sleep(0.001)
    if ended(child):
        return False
    child.kill()
    child.join()
    return True


@dataclass
class Row:
    """A line of the table."""

    algorithm: str
    door: str
    kills: int = 0
    while_writing: int = 0  # kills that left a file half written
    resumed: int = 0  # kills after which another process went on from a snapshot
    runs: int = 0  # that the kills befell
    equal: int = 0  # of those, at their end, to the run left in peace


def row(algorithm: str, door: str, kills: int, seed: int = 0) -> Row:
    """Kill runs of an algorithm by a door so many times, at least 1, and compare their ends.

    The seed is that of the runs and of the moments.
    """
    draw = random.Random(seed)
    line = Row(algorithm, door)
    with tempfile.TemporaryDirectory() as work:
        whole, killed = Path(work, "whole.npz"), Path(work, "killed.npz")
        began = time.monotonic()
        ended(start(algorithm, door, seed, whole), None)
        seconds = time.monotonic() - began
        while line.kills < kills:
            folder = Path(work, f"run {line.runs}")
            folder.mkdir()
            job = (algorithm, door, seed, killed)
            checkpointing = {"checkpoint_dir": folder, "resume": True}
            while line.kills < kills:
                checkpointing["checkpoint_every"] = draw.choice([1, 2, 3, "auto"])
                child = start(*job, **checkpointing)
                left = written_last(folder / ASIDE)
                moment = MOMENTS[line.kills % len(MOMENTS)]
                if not kill(child, folder, draw, seconds, moment):
                    break  # it came to its end
                line.kills += 1
                line.while_writing += written_last(folder / ASIDE) not in (None, left)
                line.resumed += newest(folder) is not None
            killed.unlink(missing_ok=True)
            ended(
                start(*job, **checkpointing), None
            )  # at its end already, it returns the same again
            line.runs += 1
            line.equal += same(whole, killed)
    return line


def same(one: Path, other: Path) -> bool:
    """Whether two outcomes are the same, bit for bit."""
    with np.load(one) as first, np.load(other) as second:
        return set(first) == set(second) and all(
            first[name].dtype == second[name].dtype
            and first[name].tobytes() == second[name].tobytes()
            for name in first
        )


def main(argv: list[str] | None = None) -> int:
    """Print the table, or JSON lines; exit status 1 where a run came out otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithm", choices=ALGORITHMS, help="this one only")
    parser.add_argument("--door", choices=DOORS, help="this one only")
    parser.add_argument("--kills", type=int, default=20, help="of each algorithm by each door")
    parser.add_argument("--seed", type=int, default=0, help="of the runs and the moments")
    parser.add_argument("--json", action="store_true", help="print a line of JSON a row")
    args = parser.parse_args(argv)
    if not args.json:
        print("| algorithm | door | kills | while writing | resumed | runs | equal at the end |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
    bad = False
    for algorithm in [args.algorithm] if args.algorithm else ALGORITHMS:
        for door in [args.door] if args.door else DOORS:
            line = row(algorithm, door, args.kills, args.seed)
            values = vars(line)
            text = (
                json.dumps(values) if args.json else f"| {' | '.join(map(str, values.values()))} |"
            )
            print(text, flush=True)
            bad |= line.equal < line.runs
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
