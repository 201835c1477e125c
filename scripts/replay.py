"""Replay a recorded run of a published program and print the largest differences as JSON."""

import argparse
import json
import os
import sys
import zipfile
from collections.abc import Callable

import gaal_alocc.cli
from gaal_alocc.startup import starting_tensorflow


def recorded_algorithm(path: str) -> str | None:
    """Read which program made the record; None where the file does not tell."""
    import numpy as np

    if os.path.isfile(path) and not zipfile.is_zipfile(path):
        raise ValueError("it is no npz file.")
    with np.load(path, allow_pickle=False) as trace:
        if "loss_names" in trace:
            return "alocc_authors"
        if "config" not in trace:
            raise ValueError("it holds no config, so it is no recorded run.")
        return json.loads(str(trace["config"])).get("algorithm")


def program_of(path: str) -> tuple[Callable, Callable]:
    """Find the replay of the program that made the record, and its tolerances."""
    algorithm = recorded_algorithm(path)
    if algorithm == "alocc":
        from alocc.replay import replay, tolerance
    elif algorithm == "alocc_authors":
        from alocc.replay import replay_authors as replay
        from alocc.replay import tolerance
    else:
        from gaal.replay import replay, tolerance
    return replay, tolerance


def main(argv: list[str] | None = None) -> int:
    """Exit with 0 within the tolerances, 1 outside them, 2 where there is nothing to replay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=gaal_alocc.cli.path, help="npz file of a recorded run")
    parser.add_argument(
        "--steps_per_execution",
        **gaal_alocc.cli.INT_OR_AUTO,
        help="1 replays by train_on_batch, N or auto (default) by the graph",
    )
    args = parser.parse_args(argv)

    try:
        with starting_tensorflow():
            replay, tolerance = program_of(args.trace)
        differences = replay(args.trace, args.steps_per_execution)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"replay: {args.trace}: {error}", file=sys.stderr)
        return 2
    # Not "difference > tolerance", which a NaN would pass.
    outside = [name for name, value in differences.items() if not value <= tolerance(name)]
    print(json.dumps({"differences": differences, "outside_tolerance": outside}, indent=1))
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
