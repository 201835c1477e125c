"""Choose the rule of GAALEnsemble on the twelve published sets, from trainings made once.

Every training goes on to the longest candidate's last update and leaves the logits of D, of the
rows trained on and of the others, at all updates that a candidate asks for: a file a training,
and those that are there are not made again. All candidates are then computed from the files, and
the rule that was chosen is compared with plain detectors and drawn by what it depends on.
"""

import argparse
import functools
import itertools
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import gaal_alocc.cli
from gaal.datasets import PUBLISHED
from gaal_alocc.files import write_aside
from gaal_alocc.startup import choose_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import studies
from common.tables import markdown
from ranking.tables import by_set, holm, ranks
from reproduction.baselines import BASELINES

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "ensemble"
KINDS = {"SO": None, "MO2": 2, "MO5": 5, "MO10": 10, "MO20": 20}
WIDER = {"": 1.0, "wider1.2": 1.2, "wider1.5": 1.5, "wider2": 2.0}  # noise, as to the rows
TRAINED = [kind + how for kind in KINDS for how in ("", *(f"-{w}" for w in WIDER if w), "-still")]
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
STEP = 64  # updates a call of the graph, and between the snapshots that are linear in the update
LOG = tuple(dict.fromkeys(round(2 ** (j / 6)) for j in range(12, 6 * 13 + 1)))  # from 4 on
MOST_ROWS = 3000
WIDE = 100  # features; above them only one generator, and as short as several are trained
SHORT = 2048
SIZES = (1, 2, 3, 5, 10)
VALUES = ("D", "log D", "logit", "standardised", "rank")
CHOSEN = {
    "split": "all",
    "value": "log D",
    "members": "SO",
    "size": 1,
    "length": 2048,
    "spacing": "log 6 from 64",
    "weights": "equal",
}
MEMBERS = 3
LEAST_SETS = 3
SPACINGS = (CHOSEN["spacing"], "last")
PARTS = {"all": ("train", "y"), "half": ("new", "y_new")}
# By file: what is varied of the choice, its values as the table and as the figure has them.
FIGURES = {
    "seeds": ("size", {size: size for size in SIZES}, "members"),
    "updates": ("length", {length: length for length in LENGTHS}, "updates"),
    "snapshots": (
        "spacing",
        {"last": "the last", **{f"log {n} from 64": f"{n} an octave" for n in (1, 3, 6)}},
        "snapshots",
    ),
    "generators": ("members", {k: v or 1 for k, v in KINDS.items()}, "generators, k"),
    "noise": (
        "members",
        {f"SO-{kind}" if kind else "SO": width for kind, width in WIDER.items()},
        "width of the noise, as to the rows' range",
    ),
    "still": ("members", {"SO": "learns", "SO-still": "never learns"}, "the generator"),
}


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


def snapshots(X: np.ndarray, kind: str, seed: int, longest: int) -> list[list[np.ndarray]]:
    """D's weights after each of ``updates(longest)``, of the published training without a stop.

    A kind is that of the generators, and after a dash how the noise lies, or that none learns.
    """
    from gaal import MOGAAL, SOGAAL, doors
    from gaal.ensemble import Member

    k = KINDS[kind.partition("-")[0]]
    published = SOGAAL(random_state=seed) if k is None else MOGAAL(k, random_state=seed)
    if kind.endswith("-still"):
        published.set_params(lr_g=1e-12)
    member = Member(published, X.astype(np.float32))
    member.open(doors.Execution(1, STEP, jit_compile=False), share=True)
    kept, done = [], 0
    for end in updates(longest):
        member.advance(done, end)
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
    # Noise is uniform over [0, 1]: it is the wider, the less of that the rows fill.
    wider = WIDER.get(kind.partition("-")[2], 1.0)
    X, new = (0.5 + (rows - 0.5) / wider for rows in (X, new))
    if X.shape[1] > WIDE or kind != "SO":
        longest = min(longest, SHORT)
    start = time.process_time()
    kept = snapshots(X, kind, seed, longest)
    seconds = time.process_time() - start
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
    """By name (length, updates, weights): the share of each snapshot in the mean.

    NaN where the training has not gone on for so long.
    """
    made = {}
    for length in (*LENGTHS, "4n", "8n", "16n"):
        last = min(int(length[:-1]) * n, 2048) if isinstance(length, str) else length
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
                reached = last <= available[-1]
                made[length, spacing, weights] = (
                    shares / shares.sum() if reached else shares * np.nan
                )
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


def evaluate(
    runs: Path, names: list[str], kinds: list[str], seeds: list[int], sizes: list[int]
) -> pd.DataFrame:
    """AUC of every candidate on every set and split, a row each.

    For ensembles of more than one member the AUC is the mean over the runs of seeds from each
    of the seeds on.
    """
    from gaal.training import auc_by_epoch

    rows = []
    groups = [(kind,) for kind in kinds]
    if {"SO", "MO10"} <= {*kinds}:
        groups.append(("SO", "MO10"))
    for name, split, value in itertools.product(names, ("all", "half"), VALUES):
        scores = {}
        for kind, seed in itertools.product(kinds, seeds):
            path = runs / f"{name}-{split}-{kind}-{seed}.npz"
            if not path.exists() or ("-" in kind and value != CHOSEN["value"]):
                continue
            with np.load(path) as run:
                asked, y = (run[part] for part in PARTS[split])
                made = candidates(len(run["y"]), run["updates"])
                shares = np.array([*made.values()])
                scores[kind, seed] = shares @ values(value, run["train"], asked), y == 1
        for members, size in itertools.product(groups, sizes):
            there = [s for s in seeds if all((kind, s) in scores for kind in members)]
            if len(there) < size or (split == "half" and size > 1):  # others split otherwise
                continue
            aucs = []
            for i in range(len(there) if size < len(there) else 1):
                chosen = [there[(i + j) % len(there)] for j in range(size)]
                total = sum(scores[kind, s][0] for kind in members for s in chosen)
                aucs.append(auc_by_epoch(total, scores[members[0], chosen[0]][1]))
            aucs = pd.DataFrame(aucs)
            which = (name, split, value, "+".join(members), size)
            rows += [(*which, *m, *pair) for m, *pair in zip(made, aucs.mean(), aucs.std())]
    columns = ["name", "split", "value", "members", "size", "length", "spacing", "weights"]
    return pd.DataFrame(rows, columns=[*columns, "auc", "spread"]).dropna(subset="auc")


def cells(runs: Path, names: list[str], split: str, seeds: list[int], home: str | None):
    """AUC and average precision of the choice and of plain detectors: a row a set and seed.

    On all rows MEMBERS seeds together, from each seed on; on a half, which every seed divides
    otherwise, one.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    rows = []
    for name in names:
        logs, labels = {}, {}
        for seed in seeds:
            path = runs / f"{name}-{split}-SO-{seed}.npz"
            if not path.exists():
                continue
            with np.load(path) as run:
                asked, labels[seed] = (run[part] for part in PARTS[split])
                made = candidates(len(run["y"]), run["updates"])
                shares = np.array([made[CHOSEN["length"], how, "equal"] for how in SPACINGS])
                logs[seed], last = -(shares @ values("log D", run["train"], asked))
            X, new, *_ = rows_of(name, split, seed, home)
            found = {m: BASELINES[m](X, new if len(new) else X[:1], seed) for m in BASELINES}
            found = {m: scores[split == "half"] for m, scores in found.items()}
            found["the last D of one member"] = last
            rows += [(name, seed, labels[seed], *pair) for pair in found.items()]
        there = [*logs]
        for i in range(len(there)):
            together = MEMBERS if split == "all" else 1
            chosen = [there[(i + j) % len(there)] for j in range(together)]
            score = sum(logs[s] for s in chosen)
            rows.append((name, there[i], labels[there[i]], "GAALEnsemble", score))
    return pd.DataFrame(
        [
            (name, seed, detector, roc_auc_score(y, score), average_precision_score(y, score))
            for name, seed, y, detector, score in rows
        ],
        columns=["data", "seed", "detector", "auc", "average_precision"],
    )


def compared(cells: pd.DataFrame) -> list[str]:
    """Lay out means over the sets, ranks and spread, and Wilcoxon's test against ours (Holm)."""
    from scipy.stats import wilcoxon

    ours = "GAALEnsemble"
    auc, precision = by_set(cells), by_set(cells, "average_precision")
    others = auc.columns.drop(ours)
    p = holm(np.array([wilcoxon(auc[ours], auc[other]).pvalue for other in others]))
    tested = dict(zip(others, p))
    spread = cells.groupby(["detector", "data"])["auc"].std().groupby("detector").median()
    rank = ranks(auc).mean()
    rows = [
        [
            name,
            f"{auc[name].mean():.3f}",
            f"{precision[name].mean():.3f}",
            f"{rank[name]:.2f}",
            f"{spread[name]:.3f}",
            f"{tested[name]:.2g}" if name in tested else "",
        ]
        for name in [ours, *others]
    ]
    head = [f"{len(auc)} sets", "AUC", "average precision", "mean rank", "SD", f"p against {ours}"]
    return markdown(head, rows)


def draw(table: pd.DataFrame, column: str, shown: dict, label: str) -> Figure:
    """Draw the AUC by one choice, the others as chosen: thin the sets, thick their mean.

    What fewer than LEAST_SETS have run with is left out.
    """
    for name, value in CHOSEN.items():
        if name != column:
            table = table[table[name] == value]
    auc = table.pivot_table(index="name", columns=column, values="auc")
    auc = auc[[value for value in shown if value in auc]].dropna(axis=1, thresh=LEAST_SETS).dropna()
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    ax = figure.subplots()
    places = np.arange(auc.shape[1])
    ax.plot(places, auc.to_numpy().T, color="0.75", linewidth=0.8)
    ax.plot(places, auc.mean(), "o-", color="tab:blue", linewidth=2)
    for place, mean in zip(places, auc.mean()):
        ax.annotate(f"{mean:.3f}", (place, mean), (0, 6), textcoords="offset points", ha="center")
    ax.set_xticks(places, [shown[value] for value in auc])
    ax.margins(x=0.1)
    ax.set(xlabel=label, ylabel="ROC AUC", title=f"mean over {len(auc)} sets, and each")
    return figure


@studies.ending("ensemble_rule")
def main(argv: list[str] | None = None) -> int:
    """Make the trainings that are missing, write the AUC of every candidate; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="DATA_SET", help="by default all twelve")
    parser.add_argument("--data-home", type=os.path.expanduser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument(
        "--kinds", nargs="+", choices=TRAINED, default=["SO", "MO10"], metavar="KIND"
    )
    parser.add_argument("--splits", nargs="+", choices=PARTS, default=["all", "half"])
    parser.add_argument("--longest", type=int, choices=LENGTHS, default=LENGTHS[-1])
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS)
    parser.add_argument("--train-only", action="store_true", help="make no tables and figures")
    args = parser.parse_args(argv)
    if not args.train_only:  # for what the tables compare, all others with the choice
        if args.longest < CHOSEN["length"]:
            parser.error(f"--longest {args.longest}: the tables are of {CHOSEN['length']} and more")
        if CHOSEN["members"] not in args.kinds:
            parser.error(f"--kinds {' '.join(args.kinds)}: the tables need {CHOSEN['members']} too")
    choose_tensorflow()
    names = args.names or list(PUBLISHED)
    warnings.filterwarnings("ignore", category=UserWarning)
    runs = args.output / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for seed, kind, name, split in itertools.product(args.seeds, args.kinds, names, args.splits):
        if name == "Arrhythmia" and kind.startswith("MO"):  # 259 features: minutes a run
            continue
        path = runs / f"{name}-{split}-{kind}-{seed}.npz"
        if not path.exists():
            make(path, name, split, kind, seed, args.longest, args.data_home)
    if args.train_only:
        return 0
    table = evaluate(runs, names, args.kinds, args.seeds, SIZES)
    write_aside(args.output / "rule.csv", lambda aside: table.to_csv(aside, index=False))
    alone = table[(table["size"] == 1) & (table["weights"] == "equal")]
    keys = ["members", "value", "length", "spacing", "split"]
    groups = alone.groupby(keys)["auc"]
    means = groups.mean().where(groups.size() == groups.size().max()).unstack("split")
    means["mean"] = means.mean(axis=1)
    means = means.sort_values("mean", ascending=False).head(20).round(4).reset_index()
    print("\n".join(markdown(list(means), means.to_numpy().tolist())))
    for split in args.splits:
        found = cells(runs, names, split, args.seeds, args.data_home)
        write_aside(args.output / f"{split}.csv", functools.partial(found.to_csv, index=False))
        auc = by_set(found).round(3).reset_index()
        print("", split, *compared(found), "", *markdown(list(auc), auc.values.tolist()), sep="\n")
    for name, (column, shown, label) in FIGURES.items():
        if len({*shown} & {*table[column]}) > 1:
            draw(table, column, shown, label).savefig(args.output / f"{name}.png", dpi=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
