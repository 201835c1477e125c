"""One process that fits and scores, a cell of the table after the other.

Run as ``python -m ranking.worker``: a line of JSON comes in with a cell, one goes out when
its data are there and the detector is imported, and one with its rows.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import signal
import sys
import time
import warnings

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


def main() -> None:
    """Answer cells until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks for cells ends this process
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    answers = sys.stdout

    def say(what) -> None:
        print(json.dumps(what), file=answers, flush=True)

    with contextlib.redirect_stdout(sys.stderr):  # PyOD prints a line an epoch
        for line in sys.stdin:
            cell = json.loads(line)
            try:
                where = (cell["data"], cell["data_home"], cell["offline"], cell["seed"])
                parts = division(*where, cell["protocol"])
                chosen = Detector(**cell["entry"])
                chosen.kind()
                say({"ready": True})
                say({"rows": run(cell, chosen, parts)})
            except Exception as error:  # costs this cell alone
                say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
