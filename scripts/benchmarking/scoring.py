"""How long scores take, and GAALEnsemble's fit, beside PyOD's GAALs and IsolationForest."""

import contextlib
import functools
import io
import time

import numpy as np
from sklearn.ensemble import IsolationForest

from alocc import ALOCC
from benchmarking.ports import installed
from benchmarking.timing import by_turns, medians, seconds
from gaal import SOGAAL, GAALEnsemble
from gaal.datasets import load_dataset


def milliseconds(sides: dict, turns: int, clock=time.perf_counter) -> dict[str, float]:
    """Give the median time of each side; the first calls, which trace, are left out."""
    by_turns(sides, 1)
    return {side: 1000 * t for side, t in medians(sides, turns, clock).items()}


def scores(turns: int) -> list[dict]:
    """Compare scoring with PyOD's, which computes in float32, and ALOCC's with the bare models."""
    rng = np.random.default_rng(0)
    X = rng.random((1_000_000, 20), dtype=np.float32)
    scorers = {"ours": SOGAAL(1, epochs=1, random_state=0).fit(X[:2000]).score_samples}
    if installed():
        from pyod.models.so_gaal import SO_GAAL

        with contextlib.redirect_stdout(io.StringIO()):
            scorers["PyOD"] = SO_GAAL(stop_epochs=1).fit(X[:2000]).decision_function
    goals = {1: "0.5 ms", 1000: "0.7 ms"}
    rows = []
    for n in (1, 1000, 100_000, 1_000_000):
        repeat = max(1, min(100, 100_000 // n))

        def again(score, block=X[:n], repeat=repeat):
            for _ in range(repeat):
                score(block)

        sides = {side: functools.partial(again, score) for side, score in scorers.items()}
        t = {side: ms / repeat for side, ms in milliseconds(sides, turns).items()}
        row = {"figure": f"SO-GAAL of 2000 x 20: {n} rows scored", "ours_ms": t["ours"]}
        if "PyOD" in t:
            row |= {"PyOD_ms": t["PyOD"], "to_PyOD": t["ours"] / t["PyOD"]}
        rows.append({**row, "goal": goals.get(n, "within twice PyOD")})

    images = rng.random((2000, 28, 28), dtype=np.float32)
    fitted = ALOCC(epochs=1, random_state=0).fit(images[:128])
    for n in (1, 128, 2000):
        sides = {
            "ours": lambda part=images[:n]: fitted.score_samples(part),
            "model": lambda part=images[:n, ..., None]: fitted.generator_(
                part, training=False
            ).numpy(),
        }
        t = milliseconds(sides, max(turns, 5))
        rows.append(
            {
                "figure": f"ALOCC, 28 x 28: {n} images scored by reconstruction",
                "ours_ms": t["ours"],
                "model_called_ms": t["model"],
                "to_model": t["ours"] / t["model"],
                "goal": "5 ms" if n == 1 else "within 1.2 of the model",
            }
        )
    return rows


def ensemble(turns: int) -> list[dict]:
    """Time GAALEnsemble beside IsolationForest and PyOD's GAALs: a fit on WDBC, and scores.

    Processor time is that of all threads together: it does not grow beside other work.
    """
    X = load_dataset("WDBC").data
    sides = {
        "ours": lambda: GAALEnsemble(random_state=0).fit(X),
        "IsolationForest": lambda: IsolationForest(random_state=0).fit(X),
    }
    if installed():
        from pyod.models.mo_gaal import MO_GAAL
        from pyod.models.so_gaal import SO_GAAL

        sides |= {"PyOD_SO": lambda: SO_GAAL().fit(X), "PyOD_MO": lambda: MO_GAAL().fit(X)}
    first = seconds(sides["ours"], time.process_time)
    times = {f"{side}_s": t for side, t in medians(sides, turns).items()}
    times |= {
        f"{side}_processor_s": t for side, t in medians(sides, turns, time.process_time).items()
    }
    figure = "GAALEnsemble: a default fit on WDBC, after the first"
    rows = [{"figure": figure, **times, "first_processor_s": first, "goal": "1 s"}]
    Z = np.random.default_rng(0).random((100_000, 20))
    fitted = {
        "ours": GAALEnsemble(random_state=0).fit(Z[:1000]),
        "IsolationForest": IsolationForest(random_state=0).fit(Z[:1000]),
    }
    for n, goal in ((1, "2 ms"), (1000, ""), (100_000, "500 ms")):
        sides = {
            side: functools.partial(detector.score_samples, Z[:n])
            for side, detector in fitted.items()
        }
        times = {
            f"{side}_{name}ms": ms
            for name, clock in (("", time.perf_counter), ("processor_", time.process_time))
            for side, ms in milliseconds(sides, max(turns, 5), clock).items()
        }
        figure = f"GAALEnsemble of 1000 x 20: {n} rows scored"
        rows.append({"figure": figure, **times, "goal": goal})
    return rows
