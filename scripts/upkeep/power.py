"""Measure how often a target's statements of order are told, by the runs of a report.

    python scripts/upkeep/power.py docs/report division --pairs 10 20 30

Pairs are drawn with replacement from those that the report's raw numbers give, and judged together
as the target's are. Then again with the sign of every pair by chance, which is a program without
any order: what is told of it is told in error.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import gaal_alocc.cli

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reproduction import stored, verdicts
from reproduction.target import Target
from reproduction.targets import TARGETS


def pairs_of(target: Target, report: Path) -> dict[str, np.ndarray]:
    """Take the differences of the pairs of every statement of order from the raw numbers.

    By the data that it is of and its words: one and the same may be made of several sets.
    """
    folder = report / target.name
    raw = stored.read_runs(folder) if stored.read(folder) else []
    judged = target.judge([run["numbers"] for run in raw]).comparisons if raw else []
    return {f"{c.of}: {c.what}": np.array(c.pairs) for c in judged if c.pairs}


def told(pairs: dict[str, np.ndarray], n: int, draws: int, by_chance: bool) -> dict[str, float]:
    """Compute the share of draws of ``n`` pairs in which each statement is told.

    As it is recorded, or ``by_chance`` of it or against it.
    """
    rng = np.random.default_rng(0)
    counted = dict.fromkeys(pairs, 0)
    for _ in range(draws):
        judged = []
        for what, of in pairs.items():
            drawn = rng.choice(of, n)
            if by_chance:
                drawn *= rng.choice([-1, 1], n)
            judged.append(verdicts.ordered(what, drawn, np.zeros(n), "", ""))
        for c in verdicts.together(judged):
            counted[c.what] += c.verdict != verdicts.UNTOLD
    return {what: count / draws for what, count in counted.items()}


def main(argv: list[str] | None = None) -> int:
    """Print a line a statement and number of pairs, return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=gaal_alocc.cli.path, help="folder of a report")
    parser.add_argument("target", choices=TARGETS, metavar="TARGET")
    parser.add_argument("--pairs", type=int, nargs="+", default=[10, 20, 30], help="(10 20 30)")
    parser.add_argument("--draws", type=int, default=300, help="draws of each number (300)")
    args = parser.parse_args(argv)
    pairs = pairs_of(TARGETS[args.target], args.report)
    if not pairs:
        parser.error(f"{args.target} states no order, or {args.report} keeps no raw numbers of it")
    for n in args.pairs:
        right, wrong = (told(pairs, n, args.draws, by_chance) for by_chance in (False, True))
        for what in pairs:
            print(f"{n} pairs: {right[what]:6.1%} told, without order {wrong[what]:.1%}: {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
