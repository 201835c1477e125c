"""Run detectors on the data sets of ADBench by its protocol, and write tables of what they do.

70% of a set's rows are trained on and 30% scored, divided at random within the classes; the
features are scaled to [0, 1]. All 47 classical sets by default, downloaded once; --offline takes
those that are at hand. Finished cells go into cells.csv, and are not run again. PyOD's detectors
need the extra "compare". --quick takes what scikit-learn ships, and the three smallest sets that
are at hand, for two minutes: one division, one seed, no detector that takes long.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from common import processes, studies
from ranking import protocol, runs, tables
from ranking.detectors import DETECTORS, INSTALL, Detector, named

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import choose_tensorflow

REPORTS = Path(__file__).resolve().parent.parent / "reports" / "adbench"
QUICK_SETS = 3  # of --data-home
QUICK_LIMIT = 20.0  # seconds
PAGE = """# Detectors on ADBench's data sets

Made by `{command}`.

<!-- overall --><!-- end -->

![Mean ranks]({figure})

## Set by set

<!-- sets --><!-- end -->

## The ports

<!-- ports --><!-- end -->

## By kind of set: rank correlation of AUC, above the mean of all, with what the set is like

<!-- kinds --><!-- end -->

## By protocol

<!-- protocols --><!-- end -->

## Whole sets

<!-- whole --><!-- end -->
"""


def cost(name: str) -> int:
    """Numbers in a data set of ADBench, by which small ones come first."""
    from gaal.datasets import ADBENCH

    rows = min(max(ADBENCH[name].rows, protocol.LEAST), protocol.MOST)
    return rows * ADBENCH[name].features


def chosen_sets(names: list[str], quick: bool, data_home: Path | None, offline: bool) -> list[str]:
    """Resolve the names of sets, small ones first; say which are not at hand where that matters.

    Raises ValueError if there is no such set, OSError if one that is named is not at hand and must
    not be downloaded, or a download fails.
    """
    from gaal.adbench import ADBENCH, adbench_name

    if names:
        names = [n if n in protocol.SHIPPED else adbench_name(n) for n in names]
        for name in names:
            protocol.load(name, data_home, offline)
        return names
    found, absent = [], []
    for name in sorted(ADBENCH, key=cost):
        try:
            protocol.load(name, data_home, offline or quick)
            found.append(name)
        except FileNotFoundError:
            absent.append(name)
        if quick and len(found) == QUICK_SETS:
            break
    if quick:
        return [*protocol.SHIPPED, *found]
    if absent:
        print(f"not at hand, left out: {', '.join(absent)}", flush=True)
    return found


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET", help="by name or number; all by default")
    parser.add_argument(
        "--detectors",
        nargs="+",
        metavar="NAME",
        help="see --list; by default all installed ones. Parameters follow after a colon:"
        ' "GAALEnsemble: n_estimators=1, n_updates=500"',
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    parser.add_argument(
        "--protocol",
        nargs="+",
        choices=protocol.PROTOCOLS,
        default=["published"],
        help="; ".join(f"{name}: {what}" for name, what in protocol.PROTOCOLS.items()),
    )
    parser.add_argument("--quick", action="store_true", help="one seed and small sets")
    parser.add_argument(
        "--limit", type=float, metavar="S", help="seconds a fit and its score may take (none)"
    )
    parser.add_argument("--jobs", type=int, help="processes at once (1; with --quick all cores)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler that spreads the cells")
    parser.add_argument(
        "--data-home", type=gaal_alocc.cli.path, metavar="DIR", help="folder of the .npz files"
    )
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument("--retry", action="store_true", help="run cells that failed again")
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    parser.add_argument(
        "--page", type=gaal_alocc.cli.path, metavar="FILE", help="page.md, from its page.csv"
    )
    parser.add_argument("--list", action="store_true", help="list the detectors and leave")
    args = parser.parse_args(argv)
    try:
        args.detectors = args.detectors and {name: named(name) for name in args.detectors}
    except ValueError as error:
        parser.error(str(error))
    for name, value in (("jobs", args.jobs), ("limit", args.limit)):
        if value is not None and not value > 0:
            parser.error(f"--{name} is {value}; expected more than 0")
    return args


def chosen_detectors(asked: dict[str, Detector] | None, quick: bool) -> dict[str, Detector]:
    """Take the detectors asked for, or all; quick ones with one seed each.

    Raises ValueError if one that is asked for is not installed; others are left out then.
    """
    found = asked or {name: entry for name, entry in DETECTORS.items() if not entry.asked}
    absent = {name: entry.missing for name, entry in found.items() if entry.missing}
    if asked and absent:
        name, packages = next(iter(absent.items()))
        raise ValueError(f"{name} needs {' and '.join(packages)}, not installed here. {INSTALL}")
    if absent:
        print(f"not installed, left out: {', '.join(absent)}. {INSTALL}", file=sys.stderr)
    found = {name: entry for name, entry in found.items() if name not in absent}
    if quick:
        found = {name: replace(one, seeds=1) for name, one in found.items() if one.quick or asked}
    return found


def write_page(page: Path, text: str) -> None:
    """Write a page with the tables of the CSV beside it, and the figure of ranks beside both."""
    table = runs.read(page.with_suffix(".csv"))
    write_aside(page, lambda aside: aside.write_text(tables.fill(text, table)))
    published = tables.alike(table[table["protocol"] == table["protocol"].iloc[0]])
    scores = tables.ranked(tables.by_set(published))
    if scores.shape[1] > 2 and len(scores) > 1:
        figure = tables.draw(scores)
        path = page.with_name(f"{page.stem}_ranks.png")
        write_aside(path, lambda aside: figure.savefig(aside, format="png"))


@studies.ending("adbench")
def main(argv: list[str] | None = None) -> int:
    """Run the cells that are missing, write tables and figure; return the exit status."""
    args = parse(argv)
    if args.list:
        for name, detector in DETECTORS.items():
            note = f" (needs {' and '.join(detector.missing)})" if detector.missing else ""
            print(f"{name:<16} {detector.module}.{detector.name}{note}")
        return 0
    if args.page is not None:
        write_page(args.page, args.page.read_text())
        return 0
    start = time.perf_counter()
    choose_tensorflow()
    cells, wanted, status = args.output / "cells.csv", [], 0
    try:
        detectors = chosen_detectors(args.detectors, args.quick)
        sets = chosen_sets(args.sets, args.quick, args.data_home, args.offline)
        seeds = args.seeds[:1] if args.quick else args.seeds
        limit = args.limit or (QUICK_LIMIT if args.quick else None)
        jobs = args.jobs or (os.cpu_count() if args.quick else 1)
        wanted = runs.cells(sets, detectors, seeds, args.protocol, args.data_home, args.offline)
        args.output.mkdir(parents=True, exist_ok=True)
        with processes.cluster(args.dask):
            runs.collect(cells, wanted, jobs, limit, args.retry)
    except KeyboardInterrupt:
        print("\nadbench: interrupted; call again to go on", file=sys.stderr)
        status = 130
    table = runs.kept(runs.read(cells) if cells.exists() else None, wanted)
    if table.empty:
        return status
    kinds = pd.DataFrame(
        {name: protocol.describe(*protocol.load(name, args.data_home, True)) for name in sets}
    ).T
    long = tables.by_division(table, kinds)
    write_aside(args.output / "adbench.csv", lambda aside: long.to_csv(aside, index=False))
    page = args.output / "adbench.md"
    command = studies.called("adbench", argv)
    write_page(page, PAGE.format(command=command, figure=f"{page.stem}_ranks.png"))
    failed = table[table["error"] != ""]
    for row in failed.drop_duplicates(["detector", "data", "error"]).itertuples():
        print(f"adbench: {row.detector} on {row.data}: {row.error}", file=sys.stderr)
    print(f"{page} written in {time.perf_counter() - start:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
