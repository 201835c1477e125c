"""Score GAALEnsemble beside plain detectors on ADBench's sets that its rule was not chosen on.

As scripts/adbench.py does, but with what fewer members and updates would have given, and on rows
of its own drawing. Split as ADBench splits: 70% of the rows to train on and 30% to score, at
random within the classes; at most 10,000 rows, and fewer than 1,000 drawn up to 1,000 with
replacement, or, with --as-they-are, left. Runs that are there already are not made again; all are
compared at the end, on the divisions that every detector has scored.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ranking.tables import by_set, draw
from studies.ensemble_rule import compared

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "ensemble"
CHOSEN_ON = "Ionosphere PageBlocks pendigits Pima annthyroid shuttle SpamBase Stamps Waveform WDBC"
LEAST, MOST = 1000, 10_000
SIZES = (1, 2, 3, 5, 10)
LENGTHS = (250, 500, 1000, 2000)
KEYS = ("name", "seed", "run", "drawn_up")
METHODS = ("GAALEnsemble", "IForest", "KNN", "LOF", "ECOD")


def split(path: Path, seed: int, draw_up: bool) -> list[np.ndarray]:
    """X, X_new, y, y_new, scaled to [0, 1] by X."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    with np.load(path, allow_pickle=False) as file:
        X, y = file["X"].astype(float), file["y"].astype(int)
    rng = np.random.default_rng(seed)
    if len(X) < LEAST and draw_up:
        rows = rng.choice(len(X), LEAST)
        X, y = X[rows], y[rows]
    elif len(X) > MOST:
        rows = rng.choice(len(X), MOST, replace=False)
        X, y = X[rows], y[rows]
    X, new, y, y_new = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    scaler = MinMaxScaler().fit(X)
    return [scaler.transform(X), scaler.transform(new), y, y_new]


def scores(method: str, X: np.ndarray, new: np.ndarray, seed: int, most: int) -> dict:
    """Outlier scores of the new rows, by what varies."""
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from pyod.models.lof import LOF

    if method != "GAALEnsemble":
        kinds = {"IForest": IForest, "KNN": KNN, "LOF": LOF, "ECOD": ECOD}
        detector = IForest(random_state=seed) if method == "IForest" else kinds[method]()
        return {(method, "", ""): detector.fit(X).decision_function(new)}
    from gaal import GAALEnsemble
    from gaal.ensemble import mean_log_scorer

    detector = GAALEnsemble(most, random_state=seed, scale=None).fit(X)
    looks = [
        [mean_log_scorer([w[i : i + 1, j] for w in detector.weights_])(new.astype(np.float32))
         for j in range(len(detector.updates_))]
        for i in range(most)
    ]  # fmt: skip
    looks = np.array(looks)
    found = {}
    for size in (s for s in SIZES if s <= most):
        for length in LENGTHS:
            seen = detector.updates_ <= length
            found["GAALEnsemble", size, length] = -looks[:size][:, seen].mean(axis=(0, 1))
    found["last D", 1, 2000] = -looks[0, -1]
    return found


def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing and compare the detectors."""
    import pandas as pd
    from sklearn.metrics import average_precision_score, roc_auc_score

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data-home", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--as-they-are", action="store_true")
    parser.add_argument("--features", type=int, default=200, help="most features of a set (200)")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument(
        "--methods", nargs="+", default=["GAALEnsemble", "IForest", "KNN", "LOF", "ECOD"]
    )
    parser.add_argument("--output", type=Path, default=REPORTS / "adbench.csv")
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    skipped = {name.lower() for name in CHOSEN_ON.split()}
    rows = pd.read_csv(args.output).to_dict("records") if args.output.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    paths = [
        p for p in args.data_home.glob("*.npz") if p.stem.split("_", 1)[1].lower() not in skipped
    ]
    paths.sort(key=os.path.getsize)
    for seed in args.seeds:
        for path in paths:
            name = path.stem.split("_", 1)[1]
            for method in args.methods:
                key = (name, seed, method, not args.as_they_are)
                if key in done:
                    continue
                X, new, _, y_new = split(path, seed, not args.as_they_are)
                if X.shape[1] > args.features or (args.as_they_are and len(X) > 700):
                    continue
                start = time.perf_counter()
                for (label, size, length), values in scores(
                    method, X, new, seed, args.members
                ).items():
                    rows.append({
                        "name": name, "seed": seed, "run": method, "drawn_up": key[3],
                        "method": label, "size": size, "length": length, "n": len(X),
                        "d": X.shape[1], "auc": roc_auc_score(y_new, values),
                        "ap": average_precision_score(y_new, values),
                        "seconds": time.perf_counter() - start,
                    })  # fmt: skip
                pd.DataFrame(rows).to_csv(args.output, index=False)
                print(key, f"{time.perf_counter() - start:.1f} s", flush=True)
    table = pd.DataFrame(rows)
    chosen = (table["size"] == args.members) & (table["length"] == LENGTHS[-1])
    plain = table["method"].isin(METHODS[1:])
    cells = table[(chosen | plain) & (table["drawn_up"] != args.as_they_are)]
    cells = cells.rename(
        columns={"name": "data", "method": "detector", "ap": "average_precision"}
    ).replace({"detector": {"IForest": "IsolationForest", "KNN": "kNN"}})
    whole = cells.groupby(["data", "seed"])["detector"].transform("nunique") == len(METHODS)
    cells = cells[whole]
    print(*compared(cells), sep="\n")
    draw(by_set(cells)).savefig(args.output.with_name("ranks.png"), dpi=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
