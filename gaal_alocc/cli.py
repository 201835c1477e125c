"""What the command lines share. As they are, it is light until something runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

SUMMARY_ROWS = 20


def path(text: str) -> Path:
    """Read a path, in which ~ stands for the home folder wherever the shell left it so."""
    return Path(os.path.expanduser(text))


def seeds(text: str) -> list[int]:
    """Read ``5`` (seeds 0 to 4), ``3,7`` or ``10..19``."""
    try:
        if ".." in text:
            first, last = map(int, text.split(".."))
            numbers = list(range(first, last + 1))
        elif "," in text:
            numbers = [int(number) for number in text.split(",") if number]
        else:
            numbers = list(range(int(text)))
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or max(numbers) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number of seeds nor a list like 3,7 or 10..19"
        )
    return numbers


@contextlib.contextmanager
def warnings_of(program: str) -> Iterator[None]:
    """Tell warnings as ``program: warning: ...``, without the path and line of the source.

    What stdout cannot encode, as letters of a name, is printed as an escape.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is from the start

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"{program}: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a sweep, which are the same for every detector."""
    add = parser.add_argument_group("sweep").add_argument
    add(
        "--grid",
        nargs="+",
        default=[],
        metavar="NAME=VALUES",
        help="parameters of the detector and their values, as in stop_epochs=100,200"
        " lr_d=0.01,0.001; with --draws also ranges, lr_d=0.001..0.1 or lr_d=log:0.001..0.1."
        " They take the place of the options of the same meaning",
    )
    add("--draws", type=int, metavar="N", help="N settings at random in place of the whole grid")
    add(
        "--seeds",
        type=seeds,
        default="5",
        help="every setting is run with each: a number N for 0 to N - 1, or a list like 3,7"
        " or 10..19",
    )
    add("--jobs", type=int, default=1, help="runs at the same time; -1 for one a core")
    add("--dask", metavar="ADDRESS", help="run on the workers of this Dask scheduler instead")
    add(
        "--output",
        type=path,
        required=True,
        metavar="DIR",
        help="folder for sweep.csv, a row a run, and sweep.png; runs that are in it already are"
        " not run again",
    )


def run_sweep(
    args: argparse.Namespace,
    estimator: BaseEstimator,
    run: Callable[[BaseEstimator, Any], dict[str, float]],
    data: Any,
    measures: Sequence[str],
) -> None:
    """Run the sweep that the options of :func:`add_sweep_arguments` describe.

    Parameters
    ----------
    args : Namespace
        The options, and ``seed``, of random draws, and ``quiet``.
    estimator : BaseEstimator
        Unfitted, with the parameters that are not swept.
    run, data, measures
        See :func:`gaal_alocc.sweep.sweep`. The first measure is summarised and plotted.

    Raises
    ------
    ValueError, OSError, ImportError
        As there.
    """
    from gaal_alocc.sweep import draw_settings, parse_space, plot_sweep, sweep, varied

    space = parse_space(args.grid, estimator)
    settings = draw_settings(space, args.draws, args.seed)
    table = args.output / "sweep.csv"
    if not args.quiet:
        print(f"{len(settings)} settings with {len(args.seeds)} seeds each, into {table}")
    results = sweep(
        estimator,
        settings,
        args.seeds,
        run,
        data,
        table,
        measures=measures,
        jobs=args.jobs,
        dask=args.dask,
        verbose=0 if args.quiet else 1,
    )
    names = varied(results, list(results.columns[: results.columns.get_loc("seed")]))
    aside = args.output / f".sweep.{os.getpid()}.png"
    try:
        plot_sweep(results, names, measures[0]).savefig(aside, dpi=120)
        os.replace(aside, args.output / "sweep.png")
    finally:
        aside.unlink(missing_ok=True)
    if not args.quiet:
        print(_summary(results, names, measures[0]))
    failed = results[results["error"].notna()]
    ended = f"{len(results)} runs in {table}"
    if len(failed):
        ended += f", {len(failed)} of them failed, the first with {failed['error'].iloc[0]}"
    print(ended)


def _summary(results: pd.DataFrame, names: Sequence[str], measure: str) -> str:
    """Tell the measure of each setting over its seeds."""
    results = results.assign(setting="all") if not names else results
    groups = results.groupby(list(names) or "setting", dropna=False)[measure]
    summary = groups.agg(["count", "median", "min", "max"]).add_prefix(f"{measure} ")
    shown = summary.head(SUMMARY_ROWS).reset_index().to_string(index=False)
    more = len(summary) - SUMMARY_ROWS
    return shown if more <= 0 else f"{shown}\n... and {more} settings more"
