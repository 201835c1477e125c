"""One process that makes runs, ``python -m porting.worker``: see ``common.cells.serve``."""

import functools
import importlib
import math
import time
from collections.abc import Callable

from common.cells import serve
from common.processes import peak_memory

from porting.methods import Method, Problem, load_problem, method

loaded = functools.lru_cache(maxsize=1)(load_problem)


def prepare(cell: dict) -> Callable[[], list[dict]]:
    """Load the data of a run, import what it needs, and leave it to be made."""
    problem = loaded(cell["set"], cell["data_home"], cell["digit"])
    chosen = method(cell["method"])
    settings = chosen.settings(problem, cell["stop_epochs"])
    for module in chosen.modules:
        importlib.import_module(module)
    return functools.partial(run, cell, chosen, problem, settings)


def run(cell: dict, chosen: Method, problem: Problem, settings: dict) -> list[dict]:
    """Make a run, and give its rows, one a score.

    ROC AUC and average precision have the outliers as positives. Seconds are to fit and score.
    The peak of memory is that above what the process held with its libraries and the data loaded,
    and that in all; of a run that is not alone in its process none is known.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    before, start = peak_memory(), time.perf_counter()
    fitted = chosen.fit(problem, settings, cell["seed"])
    seconds, peak = time.perf_counter() - start, peak_memory()
    return [
        {
            "method": cell["method"],
            "data": problem.name,
            "settings": cell["settings"],
            "seed": cell["seed"],
            "score": score,
            "auc": float(roc_auc_score(problem.y_test, values)),
            "average_precision": float(average_precision_score(problem.y_test, values)),
            "seconds": seconds,
            "memory_mb": peak - before if cell["alone"] else math.nan,
            "peak_mb": peak if cell["alone"] else math.nan,
            **{key: float(value) for key, value in (fitted.facts or {}).items()},
        }
        for score, values in fitted.scores.items()
    ]


if __name__ == "__main__":
    serve(prepare)
