"""One process that fits and scores, ``python -m ranking.worker``: see ``common.cells.serve``."""

import functools
import math
import time
from collections.abc import Callable

from common.cells import serve
from common.processes import peak_memory

from ranking import protocol
from ranking.detectors import TURNED, Detector, outlier_scores


@functools.lru_cache(maxsize=1)
def division(data: str, data_home: str | None, offline: bool, seed: int, how: str):
    """Divide a set's rows; the last division is kept for the next detector."""
    return protocol.divide(*protocol.load(data, data_home, offline), seed, how)


def run(cell: dict, chosen: Detector, parts: protocol.Division) -> list[dict]:
    """Fit and score: a row for the detector, and one for it turned round where it has that.

    Times are of the processor, which another's work beside this one does not lengthen.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    before, start = peak_memory(), time.process_time()
    detector = chosen.build(cell["random_state"], parts.X_train.shape[1]).fit(parts.X_train)
    fitted = time.process_time()
    scores = outlier_scores(detector, parts.X_test)
    scored = time.process_time()
    ways = {"": scores, TURNED: -scores} if chosen.turned else {"": scores}
    return [
        {
            **{k: cell[k] for k in ("data", "protocol", "seed", "settings", "random_state")},
            "detector": cell["detector"] + way,
            "auc": float(roc_auc_score(parts.y_test, values)),
            "average_precision": float(average_precision_score(parts.y_test, values)),
            "fit_s": fitted - start,
            "score_s": scored - fitted,
            "memory_mb": peak_memory() - before if cell["alone"] else math.nan,
            "error": "",
        }
        for way, values in ways.items()
    ]


def prepare(cell: dict) -> Callable[[], list[dict]]:
    """Divide the rows of a cell, import its detector, and leave it to be fitted."""
    where = (cell["data"], cell["data_home"], cell["offline"], cell["seed"])
    parts = division(*where, cell["protocol"])
    chosen = Detector(**cell["entry"])
    chosen.kind()
    return functools.partial(run, cell, chosen, parts)


if __name__ == "__main__":
    serve(prepare)
