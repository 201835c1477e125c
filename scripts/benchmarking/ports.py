"""The first and the later fits of a process beside PyOD's, on one thread each.

Run as ``python -m benchmarking.ports TURNS STOP_EPOCHS,...``, which prints a line of JSON a row.
"""

import importlib.metadata
import importlib.util
import json
import statistics
import subprocess
import sys

from common import processes

from benchmarking.timing import seconds


def installed() -> bool:
    """Whether PyOD is there; say so where it is not."""
    there = importlib.util.find_spec("pyod") is not None
    if not there:
        print("PyOD is not installed (extra: compare): no comparison with it", file=sys.stderr)
    return there


def ports(turns: int, stop_epochs: str) -> list[dict]:
    """Compare fits with PyOD's in a process of its own."""
    if not installed():
        return []
    run = processes.start("benchmarking.ports", 1, subprocess.PIPE, str(turns), stop_epochs)
    return [json.loads(line) for line in processes.printed([run])]


def main(turns: int, epochs: list[int]) -> None:
    """Print a row a detector, data set and length of fit."""
    from pyod.models.mo_gaal import MO_GAAL
    from pyod.models.so_gaal import SO_GAAL

    from gaal import MOGAAL, SOGAAL, datasets
    from gaal_alocc import programs

    port = f"PyOD {importlib.metadata.version('pyod')}_s"
    data = {
        "WDBC": datasets.load_dataset("WDBC"),
        "onecluster": datasets.make_onecluster(random_state=0),
    }
    cases = [
        (name, bunch.data.astype("float32"), bunch.target, ours, theirs, stop)
        for name, bunch in data.items()
        for ours, theirs in ((SOGAAL, SO_GAAL), (MOGAAL, MO_GAAL))
        for stop in epochs
    ]
    for name, X, y, ours, theirs, stop in cases:
        # Their epochs take one time: of a long fit 100 are measured.
        shown = min(stop, 100)
        note = "PyOD's time extrapolated from stop_epochs 20 and 100" if stop > shown else ""
        times = {"first": [], "later": [], "theirs": [], "short": []}
        for seed in range(turns):
            programs.clear()
            detector = ours(stop_epochs=stop, random_state=seed)
            for side in ("first", "later"):
                times[side].append(seconds(lambda: detector.fit(X, y)))  # noqa: B023 - called now
            times["theirs"].append(seconds(lambda: theirs(stop_epochs=shown).fit(X)))  # noqa: B023
            if stop > shown:
                times["short"].append(seconds(lambda: theirs(stop_epochs=20).fit(X)))  # noqa: B023
        t = {side: statistics.median(values) for side, values in times.items() if values}
        if stop > shown:
            t["theirs"] += (stop - shown) * (t["theirs"] - t["short"]) / (shown - 20)
        row = {
            "figure": f"{ours.__name__}, {name}, stop_epochs={stop}: whole fit",
            "first_s": t["first"],
            "later_s": t["later"],
            port: t["theirs"],
            "first_ratio": t["theirs"] / t["first"],
            "ratio": t["theirs"] / t["later"],
            "later_to_first": t["later"] / t["first"],
            "goal": "later fits faster",
            "note": note,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(e) for e in sys.argv[2].split(",")])
