"""One process: a run whose time and memory are taken, or several runs one after the other.

Run as ``python -m porting.worker`` with what to do on standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator

from common.processes import peak_memory

from porting.methods import load_problem, method


def run(task: dict) -> Iterator[list[dict]]:
    """Make the runs of a task one by one.

    Parameters
    ----------
    task : dict
        ``data``, ``data_home``, ``digit`` and ``stop_epochs``; ``runs``, pairs of a method's name
        and a seed, on that data.

    Yields
    ------
    list of dict
        A run's rows, one a score: ROC AUC and average precision with the outliers as positives,
        seconds to fit and score, and the peak of memory, above what the process held with its
        libraries and the data loaded, and in all. Of several runs in one process no peak is
        known.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    problem = load_problem(task["data"], task["data_home"], task["digit"])
    alone = len(task["runs"]) == 1
    for name, seed in task["runs"]:
        chosen = method(name)
        settings = chosen.settings(problem, task["stop_epochs"])
        for module in chosen.modules:
            importlib.import_module(module)
        before, start = peak_memory(), time.perf_counter()
        fitted = chosen.fit(problem, settings, seed)
        seconds, peak = time.perf_counter() - start, peak_memory()
        rows = []
        for score, values in fitted.scores.items():
            rows.append(
                {
                    "method": name,
                    "data": problem.name,
                    "settings": words(settings),
                    "seed": seed,
                    "score": score,
                    "auc": float(roc_auc_score(problem.y_test, values)),
                    "average_precision": float(average_precision_score(problem.y_test, values)),
                    "seconds": seconds,
                    "memory_mb": peak - before if alone else math.nan,
                    "peak_mb": peak if alone else math.nan,
                    **{key: float(value) for key, value in (fitted.facts or {}).items()},
                }
            )
        yield rows


def words(settings: dict) -> str:
    """Say in words how a method is run."""
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "defaults"


def main() -> None:
    """Read the task, print a line of JSON a run."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=UserWarning)
    results = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # PyOD prints a line an epoch
        for rows in run(json.load(sys.stdin)):
            print(json.dumps(rows), file=results, flush=True)


if __name__ == "__main__":
    main()
