"""How long fits and their updates take, by the rows, the door and the quantiles."""

import functools
import statistics

import numpy as np

from benchmarking.timing import by_turns, per_epoch, seconds
from gaal import MOGAAL, SOGAAL, datasets


def doors(turns: int) -> list[dict]:
    """Compare an update through the graph with one through train_on_batch."""
    data = datasets.make_onecluster(random_state=0)
    X, y = data.data.astype("float32"), data.target
    made = {"SO-GAAL": SOGAAL(1000), "MO-GAAL k=10": MOGAAL(10, stop_epochs=1000)}
    lengths = {"auto": (2000, 4000), 1: (50, 300)}

    def fit(detector, door, epochs):
        detector.set_params(steps_per_execution=door, epochs=epochs, random_state=0).fit(X, y)

    fits = {
        (name, door): (functools.partial(fit, detector, door), *pair)
        for name, detector in made.items()
        for door, pair in lengths.items()
    }
    epoch = per_epoch(fits, turns)
    return [
        {
            "figure": f"{name}, 1000 x 2: one update",
            "graph_ms": epoch[name, "auto"] / 2 * 1000,  # two updates an epoch
            "train_on_batch_ms": epoch[name, 1] / 2 * 1000,
            "ratio": epoch[name, 1] / epoch[name, "auto"],
            "goal": ">= 10",
        }
        for name in made
    ]


def first_fit(turns: int) -> list[dict]:
    """From the call to the scores on WDBC, stop_epochs=20."""
    X, y = datasets.load_dataset("WDBC", return_X_y=True)
    sides = {
        "SO-GAAL": lambda: SOGAAL(stop_epochs=20).fit(X, y).score_samples(X),
        "MO-GAAL": lambda: MOGAAL(stop_epochs=20).fit(X, y).score_samples(X),
    }
    return [
        {
            "figure": f"{name}, WDBC, stop_epochs=20: fit and score",
            "first_s": times[0],
            "ours_s": statistics.median(times),
            "goal": "< 3 s",
        }
        for name, times in by_turns(sides, turns).items()
    ]


def mo_growth(turns: int) -> list[dict]:
    """Compare an epoch of MO-GAAL on 1,000 to 100,000 rows, with all quantiles and sampled ones."""

    def fit(X, size, epochs):
        MOGAAL(epochs=epochs, quantile_sample_size=size, random_state=0).fit(X)

    X = np.random.default_rng(0).random((100_000, 20), dtype=np.float32)
    lengths = {1000: (250, 500), 10_000: (10, 20), 100_000: (1, 2)}
    alone = per_epoch(
        {
            (n, size): (functools.partial(fit, X[:n], size), *pair)
            for n, pair in lengths.items()
            for size in (None, 1000)
        },
        turns,
    )
    return [
        {
            "figure": f"MO-GAAL k=10, {n} x 20: one epoch",
            "all_rows_ms": 1000 * alone[n, None],
            "sample_of_1000_ms": 1000 * alone[n, 1000],
            "growth_all_rows": alone[n, None] / alone[1000, None],
            "growth_sample": alone[n, 1000] / alone[1000, 1000],
            "goal": "",
        }
        for n in lengths
    ]


def quantiles(turns: int, data_home: str | None) -> list[dict]:
    """Train MO-GAAL as published with quantiles of all rows and of samples; a seed a turn."""
    rows = []
    for name in ("Annthyroid", "PageBlocks"):
        X, y = datasets.load_dataset(name, data_home=data_home, return_X_y=True)
        stop_epochs = datasets.PUBLISHED[name].mo_stop_epochs
        auc, times = {}, {}
        for seed in range(1, turns + 1):
            for size in (None, 1000, 500, 100):
                detector = MOGAAL(
                    stop_epochs=stop_epochs, quantile_sample_size=size, random_state=seed
                )
                spent = seconds(functools.partial(detector.fit, X, y))
                times.setdefault(size, []).append(spent)
                auc.setdefault(size, []).append(float(detector.history_["auc"].iloc[-1]))
        rows += [
            {
                "figure": f"MO-GAAL k=10, {name}, quantiles of {size or 'all'} rows: fit",
                "ours_s": statistics.median(spent),
                "ratio": statistics.median(np.divide(spent, times[None])),
                "auc_mean": statistics.mean(auc[size]),
                "auc": auc[size],
                "goal": "",
            }
            for size, spent in times.items()
        ]
    return rows
