"""Time this package by turns against PyOD's port, its own slow door, and growing data.

Every comparison alternates between its sides in one run and reports medians and their ratio.
PyOD is the extra "compare"; without it its rows are left out, and said to be.
"""

import argparse
import importlib
import json
import os
import sys
import warnings
from pathlib import Path

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import importing_tensorflow

# Each a function of that name in a module of benchmarking, imported when it is its turn.
FIGURES = {
    "ports": lambda args: _measure("ports", "ports", args.turns, args.stop_epochs),
    "scores": lambda args: _measure("scoring", "scores", args.turns),
    "ensemble": lambda args: _measure("scoring", "ensemble", args.turns),
    "doors": lambda args: _measure("fits", "doors", args.turns),
    "first_fit": lambda args: _measure("fits", "first_fit", args.turns),
    "mo_growth": lambda args: _measure("fits", "mo_growth", args.turns),
    "quantiles": lambda args: _measure("fits", "quantiles", args.turns, args.data_home),
    "memory": lambda args: _measure("memory", "measured", "rows", str(args.rows)),
    "parquet": lambda args: _measure("memory", "parquet", 10 * args.rows),
    "alocc": lambda args: _measure("alocc_update", "alocc", args.turns),
    "distribution": lambda args: _measure("distribution", "distribution", args.turns),
}


def _measure(module: str, function: str, *arguments) -> list[dict]:
    return getattr(importlib.import_module(f"benchmarking.{module}"), function)(*arguments)


def main(argv: list[str] | None = None) -> int:
    """Run the chosen figures, print a table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--turns", type=int, default=3, help="times each side runs")
    parser.add_argument(
        "--stop-epochs", default="20,200,1000", metavar="N,...", help="of the fits against PyOD"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=1_000_000,
        help="of the memory figure; ten times as many are scored from Parquet",
    )
    parser.add_argument(
        "--data-home", type=os.path.expanduser, help="folder of the published files"
    )
    parser.add_argument("--json", type=gaal_alocc.cli.path, default=Path("reports/benchmark.json"))
    args = parser.parse_args(argv)
    unknown = set(args.figures) - set(FIGURES)
    if unknown:
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    with importing_tensorflow():
        pass
    warnings.filterwarnings("ignore", category=UserWarning)

    args.json.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in args.figures or FIGURES:
        for row in FIGURES[name](args):
            rows.append(row)
            values = ", ".join(
                f"{key} {value:.3g}" for key, value in row.items() if isinstance(value, float)
            )
            note = f" [{row['note']}]" if row.get("note") else ""
            goal = f"  (goal {row['goal']})" if row["goal"] else ""
            print(f"{row['figure']:<58} {values}{goal}{note}", flush=True)
        text = json.dumps(rows, indent=1) + "\n"
        write_aside(args.json, lambda aside, text=text: aside.write_text(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
