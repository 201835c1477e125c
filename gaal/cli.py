"""Command lines so-gaal and mo-gaal, with the published programs' flags, and gaal-ensemble.

TensorFlow and the rest are imported when a run starts, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gaal_alocc.cli
from gaal_alocc.cli import FOLDER, INT_OR_AUTO, auto_or
from gaal_alocc.startup import starting_tensorflow

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# stop_epochs and k, as in the published scripts; without a stop it is the ensemble
SCRIPT_DEFAULTS = {"so-gaal": (240, None), "mo-gaal": (300, 10), "gaal-ensemble": (None, None)}
SWEEP_MEASURES = ("auc_end", "auc_stop", "auc_best", "update_best")
WHAT = {name: f"{name.upper()} as in Liu et al. (2019)" for name in ("so-gaal", "mo-gaal")}
WHAT["gaal-ensemble"] = "GAALEnsemble, GAAL by the mean of its training,"


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 nor 1")
    return text == "1"


def _parser(name: str) -> argparse.ArgumentParser:
    parser = _begin_parser(
        name,
        prog=name,
        description=f"Train {WHAT[name]} and print the AUC on the training data. Labels are used"
        " for that AUC alone.",
        epilog=f"{name} sweep --help: many runs, over parameters and seeds.",
    )
    add = parser.add_argument
    add("--seed", type=int, help="seed of weights, shuffling and noise; at random if left out")
    add("--output", **FOLDER, help="folder for history, scores, curves and model")
    gaal_alocc.cli.add_run_arguments(parser, "folder for snapshots of the run")
    add("--quiet", action="store_true", help="print the final AUC only")
    return parser


def _sweep_parser(name: str) -> argparse.ArgumentParser:
    parser = _begin_parser(
        name,
        prog=f"{name} sweep",
        description=f"Train {WHAT[name]} with many settings and seeds. The AUC is of the training"
        " data, at the end, at its best and, where the generator stops, then; labels are used for"
        " nothing else.",
    )
    gaal_alocc.cli.add_sweep_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the settings of --draws")
    parser.add_argument("--quiet", action="store_true", help="show neither progress nor summary")
    return parser


def _begin_parser(name: str, **words: str) -> argparse.ArgumentParser:
    """Begin with the options of one run and of a sweep alike: the data, and the parameters."""
    parser = argparse.ArgumentParser(formatter_class=gaal_alocc.cli.HelpFormatter, **words)
    stop_epochs, k = SCRIPT_DEFAULTS[name]
    add = parser.add_argument
    add(
        "--path",
        type=os.path.expanduser,
        default="WDBC",
        help="a file, of the published format (text: id, nor/out, features in [0, 1]), .npz with"
        " X and y, .npy or Parquet, or the name of a published data set",
    )
    if k is not None:
        add("--k", type=int, default=k, help="number of sub-generators")
    if stop_epochs is None:
        add("--k", type=int, help="number of sub-generators of a member; one generator if left out")
        for option, default, what in (
            ("--n_estimators", 3, "members"),
            ("--n_updates", 2000, "updates of each"),
            ("--n_snapshots", 30, "how often D is looked at, evenly in log(update)"),
        ):
            add(option, type=int, default=default, metavar="N", help=what)
    else:
        add(
            "--stop_epochs",
            type=auto_or(int),
            default=stop_epochs,
            metavar="N",
            help="freeze the generator after these; auto: where its loss's downward trend slows",
        )
        add(
            "--whether_stop",
            type=_switch,
            default="1",
            metavar="{0,1}",
            help="whether to freeze the generator at all",
        )
    add(
        "--scale",
        choices=("none", "minmax"),
        default="minmax" if stop_epochs is None else "none",
        help="minmax: scale features to [0, 1] by their range in this file, also in the saved"
        " detector",
    )
    add("--lr_d", type=float, default=0.01, help="learning rate of the discriminator")
    add("--lr_g", type=float, default=0.0001, help="learning rate of the generator")
    add("--decay", type=float, default=1e-6, help="decay of the learning rates")
    add("--momentum", type=float, default=0.9, help="momentum of SGD")
    add("--data_home", **FOLDER, help="folder of the published files, also from GAAL_DATA_HOME")
    add(
        "--steps_per_execution",
        **INT_OR_AUTO,
        metavar="N",
        help="updates a call of the graph; 1 trains by train_on_batch",
    )
    return parser


def _load(path: str, data_home: str | None):
    from gaal import datasets

    known = {name.lower() for name in datasets.PUBLISHED}
    if Path(path).is_dir():
        raise IsADirectoryError(f"--path {path} is a folder; expected a file")
    if Path(path).is_file():
        return datasets.load_table(path)
    # "Data/onecluster" is how the published programs name their data.
    if path.lower() in known or (Path(path).name.lower() in known and os.sep in path):
        return datasets.load_dataset(Path(path).name, data_home=data_home)
    raise FileNotFoundError(
        f"--path {path}: no such file, and no published data set of that name; those are"
        f" {', '.join(datasets.PUBLISHED)}"
    )


def _write_output(folder: Path, detector, data, settings: dict) -> None:
    from matplotlib.figure import Figure

    from gaal import plots

    detector.history_.to_csv(folder / "history.csv")
    scores = detector.score_samples(data.data)
    table = data.frame[[name for name in ("id", "label") if name in data.frame]]
    table.assign(outlier_score=1 - scores).to_csv(folder / "scores.csv", index=False)
    figure = Figure(layout="constrained")
    plots.plot_training(detector.history_, figure.subplots())
    figure.savefig(folder / "curves.png", dpi=150)
    detector.save(folder / "detector.zip")
    (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")


def _outliers(data) -> str:
    if data.target is None:
        return "no labels"
    source = data.get("labels_from")
    return f"{sum(data.target)} outliers" + (f" (labels: {source})" if source else "")


def _detector(name: str, args: argparse.Namespace, **more) -> BaseEstimator:
    """Make the detector of a command, unfitted."""
    from gaal import MOGAAL, SOGAAL, GAALEnsemble

    kind = {"so-gaal": SOGAAL, "mo-gaal": MOGAAL, "gaal-ensemble": GAALEnsemble}[name]
    scale = None if args.scale == "none" else args.scale
    return kind(**{**gaal_alocc.cli.params(args, kind), "scale": scale, **more})


def _labels(data):
    """Labels that allow an AUC, or None."""
    one_class = data.target is not None and data.target.min() == data.target.max()
    return None if one_class else data.target


def _warn_of_unscaled(X, scale: str) -> None:
    """Warn before training, where the remedy is an option."""
    from gaal.estimator import unscaled

    problem = unscaled(X)
    if problem is not None and scale == "none":
        warnings.warn(f"{problem} Scale them with --scale minmax.", stacklevel=2)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Keep the warning of unscaled features, whose remedy is of Python, from coming as well."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The features of X lie in")
        yield


def _fit_and_measure(detector, data: tuple) -> dict[str, float]:
    """Fit on (X, y); the AUCs of a run that a sweep keeps, none where y allows none."""
    X, y = data
    with _told():
        detector.fit(X, y)
    history = detector.history_
    if "auc" not in history:
        return {}
    auc = history["auc"]
    measured = {"auc_end": auc.iloc[-1], "auc_best": auc.max(), "update_best": auc.idxmax()}
    if not hasattr(detector, "stop_epochs_"):
        return measured
    return {**measured, "auc_stop": auc.iloc[detector._stop_node(len(X)) - 1]}


def _sweep(name: str, args: argparse.Namespace) -> None:
    with starting_tensorflow():
        data = _load(args.path, args.data_home)

    swept = any(text.startswith("scale=") for text in args.grid)
    _warn_of_unscaled(data.data, "swept" if swept else args.scale)
    gaal_alocc.cli.run_sweep(
        args, _detector(name, args), _fit_and_measure, (data.data, _labels(data)), SWEEP_MEASURES
    )


def _run(name: str, args: argparse.Namespace) -> None:
    if not gaal_alocc.cli.distribute(args):  # another process writes, and shows progress
        args.output, args.quiet = None, True
    with contextlib.ExitStack() as stack:
        if args.output is not None:
            from gaal_alocc.files import staged_folder

            aside = stack.enter_context(staged_folder(Path(args.output)))
        with starting_tensorflow():
            data = _load(args.path, args.data_home)

        detector = _detector(name, args, random_state=args.seed, verbose=0 if args.quiet else 1)
        if not args.quiet:
            print(
                f"{name} on {args.path}: {len(data.data)} rows, {data.data.shape[1]} features,"
                f" {_outliers(data)}"
            )
        _warn_of_unscaled(data.data, args.scale)
        start = time.perf_counter()
        with _told():
            gaal_alocc.cli.fit(args, detector, "gaal.tensorboard", data.data, _labels(data))
        seconds = time.perf_counter() - start
        auc = detector.history_.get("auc")
        final = None if auc is None or math.isnan(auc.iloc[-1]) else float(auc.iloc[-1])
        if args.output is not None:
            settings = {"program": name, "path": args.path, **detector.get_params()}
            settings |= {"auc": final, "seconds": seconds, "source": data.source}
            if hasattr(detector, "stop_epochs_"):
                settings["stop_epochs_"] = detector.stop_epochs_
            _write_output(aside, detector, data, settings)
    if data.target is None:
        print("AUC undefined: there are no labels that tell outliers")
    elif auc is None:
        print("AUC undefined: the labels are of one class")
    elif final is None:
        print("AUC undefined: the training diverged, scores are not finite")
    else:
        print(f"AUC {final:.4f} after {len(detector.history_)} updates", end="")
        print("" if args.quiet else f" (best {auc.max():.4f}) in {seconds:.1f} s")
    if args.output is not None and not args.quiet:
        print(f"written to {args.output}")


def _main(name: str, argv: Sequence[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else list(argv)
    command, parser, end = _run, _parser(name), ", nothing written"
    if argv[:1] == ["sweep"]:
        argv = argv[1:]
        command, parser, end = _sweep, _sweep_parser(name), "; the same command goes on"
    args = parser.parse_args(argv)
    return gaal_alocc.cli.run(
        name,
        lambda: command(name, args),
        error=parser.prog,
        interrupted=f"{parser.prog}: interrupted{end}",
    )


def so_gaal(argv: Sequence[str] | None = None) -> int:
    """Run the command so-gaal, by default with the process's arguments; gives the exit status.

    0, 2 for bad arguments or data, 130 where interrupted.
    """
    return _main("so-gaal", argv)


def mo_gaal(argv: Sequence[str] | None = None) -> int:
    """Run the command mo-gaal, see :func:`so_gaal`."""
    return _main("mo-gaal", argv)


def gaal_ensemble(argv: Sequence[str] | None = None) -> int:
    """Run the command gaal-ensemble, see :func:`so_gaal`."""
    return _main("gaal-ensemble", argv)
