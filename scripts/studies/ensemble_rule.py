"""Choose the rule of GAALEnsemble on the twelve published sets, from trainings made once.

Every training goes on to the longest candidate's last update and leaves the logits of D, of the
rows trained on and of the others, at all updates that a candidate asks for: a file a training,
and those that are there are not made again. All candidates are then computed from the files.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.tables import markdown

from gaal_alocc.files import write_aside

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "ensemble"
KINDS = {"SO": None, "MO2": 2, "MO5": 5, "MO10": 10, "MO20": 20}
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
STEP = 64  # updates a call of the graph, and between the snapshots that are linear in the update
LOG = tuple(dict.fromkeys(round(2 ** (j / 6)) for j in range(12, 6 * 13 + 1)))  # from 4 on
MOST_ROWS = 3000
WIDE = 100  # features; above them only one generator, to WIDE_LENGTH
WIDE_LENGTH = 2048
SIZES = (1, 2, 3, 5)
VALUES = ("D", "log D", "logit", "standardised", "rank")


def updates(longest: int) -> list[int]:
    """All updates after which some candidate looks at D."""
    return sorted({t for t in (*LOG, *range(STEP, LENGTHS[-1] + 1, STEP)) if t <= longest})


def rows_of(name: str, split: str, seed: int, home: str | None) -> tuple[np.ndarray, ...]:
    """Rows to train on and others, min-max scaled by the first, and both's labels."""
    from sklearn.model_selection import train_test_split

    from gaal.datasets import load_dataset

    X, y = load_dataset(name, data_home=home, return_X_y=True)
    if len(X) > MOST_ROWS:
        X, _, y, _ = train_test_split(X, y, train_size=MOST_ROWS, stratify=y, random_state=0)
    if split == "all":
        return X, X[:0], y, y[:0]
    X, new, y, y_new = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    low, high = X.min(axis=0), X.max(axis=0)
    width = np.where(high > low, high - low, 1)
    return (X - low) / width, (new - low) / width, y, y_new


def snapshots(
    X: np.ndarray, k: int | None, seed: int, longest: int, learns: bool = True
) -> list[list[np.ndarray]]:
    """D's weights after each of ``updates(longest)``, of the published training without a stop."""
    from gaal import MOGAAL, SOGAAL, training
    from gaal.ensemble import Member

    published = SOGAAL(random_state=seed) if k is None else MOGAAL(k, random_state=seed)
    if not learns:
        published.set_params(lr_g=1e-12)
    member = Member(published, X.astype(np.float32))
    calls = longest // STEP
    execution = training.plan_execution("auto", calls, STEP, member.noise_shape, k or 1, True)
    member.open(execution, share=True)
    kept, done = [], 0
    for end in updates(longest):
        member.advance(done, end - done)
        kept.append(member.gan.discriminator_weights())
        done = end
    return kept


def logits(weights: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """Compute D's last layer before its sigmoid."""
    kernel, bias, out, last = weights
    return (np.maximum(X.astype(np.float32) @ kernel + bias, 0) @ out + last)[:, 0]


def make(
    path: Path, name: str, split: str, kind: str, seed: int, longest: int, home: str | None
) -> None:
    """Train once and keep the logits of all snapshots."""
    X, new, y, y_new = rows_of(name, split, seed, home)
    if X.shape[1] > WIDE:
        longest = WIDE_LENGTH
    start = time.perf_counter()
    kept = snapshots(X, KINDS[kind.removesuffix("-still")], seed, longest, "still" not in kind)
    seconds = time.perf_counter() - start
    arrays = {
        "updates": updates(longest),
        "y": y,
        "y_new": y_new,
        "train": np.array([logits(w, X) for w in kept], np.float32),
        "new": np.array([logits(w, new) for w in kept], np.float32),
    }
    write_aside(path, lambda aside: np.savez(aside, **arrays))
    print(f"{path.stem}: {len(X)} x {X.shape[1]}, {seconds:.1f} s", flush=True)


def candidates(n: int, available: np.ndarray) -> dict[tuple, np.ndarray]:
    """By name (length, updates, weights): the share of each snapshot in the mean."""
    made = {}
    for length in (*LENGTHS, "4n", "8n", "16n"):
        last = min(int(length[:-1]) * n, 2048) if isinstance(length, str) else length
        last = min(last, available[-1])
        log = {
            f"log {per} from {first}": [t for t in LOG if first <= t <= last][:: -6 // per][::-1]
            for per in (1, 3, 6)
            for first in (4, 16, 64)
        }
        log["late half of log 3 from 16"] = log["log 3 from 16"][len(log["log 3 from 16"]) // 2 :]
        log["linear"] = range(STEP, last + 1, STEP)
        log["last"] = [t for t in available if t <= last][-1:]
        for spacing, chosen in log.items():
            member = np.isin(available, list(chosen)).astype(float)
            for weights in ("equal", "growing"):
                shares = member if weights == "equal" else member * member.cumsum()
                made[length, spacing, weights] = shares / shares.sum()
    return made


def values(kind: str, train: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Give what is averaged, of logits (snapshots, rows)."""
    from scipy.special import expit, log_expit

    if kind == "logit":
        return asked
    if kind == "log D":
        return log_expit(asked)
    if kind == "D":
        return expit(asked)
    D, trained = expit(asked.astype(float)), expit(train.astype(float))
    if kind == "standardised":
        spread = trained.std(axis=1, keepdims=True)
        return (D - trained.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    return np.array([np.searchsorted(np.sort(t), a) / len(t) for t, a in zip(trained, D)])


def evaluate(runs: Path, names: list[str], kinds: list[str], seeds: list[int], sizes: list[int]):
    """AUC of every candidate on every set and split, a row each.

    For ensembles of more than one member the AUC is the mean over the runs of seeds from each
    of the seeds on.
    """
    import pandas as pd

    from gaal.training import auc_by_epoch

    rows = []
    both = [("SO", "MO10")] if {"SO", "MO10"} <= {*kinds} else []
    for name, split in itertools.product(names, ("all", "half")):
        for value in VALUES:
            scores = {}
            for kind, seed in itertools.product(kinds, seeds):
                path = runs / f"{name}-{split}-{kind}-{seed}.npz"
                if not path.exists():
                    continue
                with np.load(path) as run:
                    part = ("train", "y") if split == "all" else ("new", "y_new")
                    asked, y = (run[name] for name in part)
                    made = candidates(len(run["y"]), run["updates"])
                    shares = np.array([*made.values()])
                    scores[kind, seed] = shares @ values(value, run["train"], asked), y
            for members, size in itertools.product([(k,) for k in kinds] + both, sizes):
                there = [s for s in seeds if all((kind, s) in scores for kind in members)]
                if len(there) < size or (split == "half" and size > 1):  # others split otherwise
                    continue
                aucs = []
                for i in range(len(there) if size < len(there) else 1):
                    chosen = [there[(i + j) % len(there)] for j in range(size)]
                    total = sum(scores[kind, s][0] for kind in members for s in chosen)
                    aucs.append(auc_by_epoch(total, scores[members[0], chosen[0]][1] == 1))
                aucs = np.array(aucs)
                for (length, spacing, weights), auc, spread in zip(
                    made, aucs.mean(axis=0), aucs.std(axis=0)
                ):
                    which = (name, split, value, "+".join(members), size)
                    rows.append((*which, length, spacing, weights, auc, spread))
    columns = ["name", "split", "value", "members", "size", "length", "spacing", "weights"]
    return pd.DataFrame(rows, columns=[*columns, "auc", "spread"])


def main(argv: list[str] | None = None) -> int:
    """Make the trainings that are missing and write the AUC of every candidate."""
    from gaal.datasets import PUBLISHED

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="DATA_SET", help="by default all twelve")
    parser.add_argument("--data-home", type=os.path.expanduser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--kinds", nargs="+", default=["SO", "MO10"])
    parser.add_argument("--splits", nargs="+", default=["all", "half"])
    parser.add_argument("--longest", type=int, choices=LENGTHS, default=LENGTHS[-1])
    parser.add_argument("--output", type=Path, default=REPORTS)
    args = parser.parse_args(argv)
    names = args.names or list(PUBLISHED)
    warnings.filterwarnings("ignore", category=UserWarning)
    runs = args.output / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for name, split, kind, seed in itertools.product(names, args.splits, args.kinds, args.seeds):
        if name == "Arrhythmia" and kind != "SO":  # ten generators of 274 features: minutes a run
            continue
        path = runs / f"{name}-{split}-{kind}-{seed}.npz"
        if not path.exists():
            make(path, name, split, kind, seed, args.longest, args.data_home)
    table = evaluate(runs, names, args.kinds, args.seeds, SIZES)
    write_aside(args.output / "rule.csv", lambda aside: table.to_csv(aside, index=False))
    alone = table[(table["size"] == 1) & (table["weights"] == "equal")]
    keys = ["members", "value", "length", "spacing", "split"]
    means = alone.groupby(keys)["auc"].mean().unstack("split")
    means["mean"] = means.mean(axis=1)
    means = means.sort_values("mean", ascending=False).head(20).round(4).reset_index()
    print("\n".join(markdown(list(means), means.to_numpy().tolist())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
