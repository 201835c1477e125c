"""What the command lines share. As they are, it is light until something runs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaal_alocc.startup import starting_tensorflow

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

FOLDER = {"type": os.path.expanduser, "metavar": "DIR"}  # of an option that names one
FILE = {"type": os.path.expanduser, "metavar": "FILE"}
SUMMARY_ROWS = 20


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


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


def auto_or(number: type) -> Callable[[str], Any]:
    """Make a reader of a number, int or float, or the word auto."""

    def read(text: str) -> Any:
        try:
            return text if text == "auto" else number(text)
        except ValueError:
            kind = "whole number" if number is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a {kind}") from None

    return read


# Of an option that is a number, or left to the program.
INT_OR_AUTO = {"type": auto_or(int), "default": "auto"}
FLOAT_OR_AUTO = {"type": auto_or(float), "default": "auto"}


def run(program: str, command: Callable[[], None], *, error: str, interrupted: str) -> int:
    """Run a command: gives 0, 2 for what the user can mend, 130 where interrupted.

    Both are told in one line on stderr, the former after ``error``, the latter by ``interrupted``;
    warnings as :func:`warnings_of` does.
    """
    with warnings_of(program):
        try:
            command()
        except KeyboardInterrupt:
            print(f"\n{interrupted}", file=sys.stderr)
            return 130
        except (OSError, ValueError, ImportError) as raised:
            print(f"{error}: {' '.join(str(raised).split())}", file=sys.stderr)
            return 2
    return 0


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


def params(args: argparse.Namespace, estimator: type) -> dict[str, Any]:
    """Give the parameters of an estimator that are options of the same name."""
    known = estimator().get_params()
    return {name: value for name, value in vars(args).items() if name in known}


def add_run_arguments(parser: argparse._ActionsContainer, snapshots: str) -> None:
    """Add the options of one training, which are the same for every detector."""
    add = parser.add_argument
    add(
        "--strategy",
        choices=("mirrored", "multiworker"),
        help="train on all GPUs of this machine, or on the machines of TF_CONFIG",
    )
    add(
        "--devices",
        type=int,
        metavar="N",
        help="train on the first N GPUs, or on the CPU in N parts where there are none",
    )
    add("--checkpoint_dir", **FOLDER, help=snapshots)
    add(
        "--checkpoint_every",
        **INT_OR_AUTO,
        metavar="EPOCHS",
        help="epochs from one snapshot to the next; auto: as often as costs little time",
    )
    add(
        "--resume",
        action="store_true",
        help="go on from the last snapshot in --checkpoint_dir, where there is one",
    )
    add("--tensorboard", **FOLDER, help="folder for what TensorBoard shows of this run")


def fit(args: argparse.Namespace, detector: BaseEstimator, tensorboard: str, *data: Any) -> None:
    """Fit a detector to data as the options of :func:`add_run_arguments` say.

    ``tensorboard`` is the module of its callback; of ``strategy`` the detector knows.
    """
    callbacks = []
    if args.tensorboard is not None:
        callback = importlib.import_module(tensorboard).TensorBoard
        callbacks.append(callback(args.tensorboard, detector))
    detector.fit(
        *data,
        callbacks=callbacks,
        checkpoint_dir=args.checkpoint_dir,
        checkpoint_every=args.checkpoint_every,
        resume=args.resume,
    )


def distribute(args: argparse.Namespace) -> bool:
    """Set up --strategy and --devices, and tell whether this process writes the results."""
    if args.strategy is None and args.devices is None:
        return True
    with starting_tensorflow():
        from gaal_alocc import distribution

        args.strategy = distribution.from_command_line(
            args.strategy, args.devices, args.tensorboard
        )
    return distribution.is_chief(args.strategy)


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
        **FOLDER,
        required=True,
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
    """Run the sweep that the options of :func:`add_sweep_arguments` describe, and ``seed``.

    The estimator is unfitted, with the parameters that are not swept; for the rest, and what is
    raised, see :func:`gaal_alocc.sweep.sweep`. The first measure is summarised and plotted.
    """
    from gaal_alocc.files import write_aside
    from gaal_alocc.sweep import draw_settings, parse_space, plot_sweep, sweep, varied

    space = parse_space(args.grid, estimator)
    settings = draw_settings(space, args.draws, args.seed)
    folder = Path(args.output)
    table = folder / "sweep.csv"
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
    figure = plot_sweep(results, names, measures[0])
    write_aside(folder / "sweep.png", lambda aside: figure.savefig(aside, dpi=120))
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
