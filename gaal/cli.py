"""Command lines so-gaal and mo-gaal, with the published programs' flags, and gaal-ensemble.

TensorFlow and the rest are imported when a run starts, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import gaal_alocc.cli
from gaal_alocc.startup import starting_tensorflow

# stop_epochs and k, as in the published scripts; without a stop it is the ensemble
SCRIPT_DEFAULTS = {"so-gaal": (240, None), "mo-gaal": (300, 10), "gaal-ensemble": (None, None)}
SWEEP_MEASURES = ("auc_end", "auc_stop", "auc_best", "update_best")
WHAT = {name: f"{name.upper()} as in Liu et al. (2019)" for name in ("so-gaal", "mo-gaal")}
WHAT["gaal-ensemble"] = "GAALEnsemble, GAAL by the mean of its training,"


def _auto_or_int(text: str) -> int | str:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a whole number")
    return text if text == "auto" else int(text)


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 nor 1")
    return text == "1"


def _parser(name: str, stop_epochs: int | None, k: int | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"Train {WHAT[name]} and print the AUC on the training data. Labels are used"
        " for that AUC alone.",
        epilog=f"{name} sweep --help: many runs, over parameters and seeds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_settings(parser, stop_epochs, k)
    add = parser.add_argument
    add("--seed", type=int, help="seed of weights, shuffling and noise; at random if left out")
    add(
        "--output",
        type=gaal_alocc.cli.path,
        metavar="DIR",
        help="folder for history, scores, curves and model",
    )
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
    add(
        "--checkpoint_dir",
        type=gaal_alocc.cli.path,
        metavar="DIR",
        help="folder for snapshots of the run",
    )
    add(
        "--checkpoint_every",
        type=_auto_or_int,
        default="auto",
        metavar="EPOCHS",
        help="epochs from one snapshot to the next; auto: as often as costs little time",
    )
    add(
        "--resume",
        action="store_true",
        help="go on from the last snapshot in --checkpoint_dir, where there is one",
    )
    add(
        "--tensorboard",
        type=os.path.expanduser,
        metavar="DIR",
        help="folder for what TensorBoard shows of this run",
    )
    add("--quiet", action="store_true", help="print the final AUC only")
    return parser


def _sweep_parser(name: str, stop_epochs: int | None, k: int | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{name} sweep",
        description=f"Train {WHAT[name]} with many settings and seeds. The AUC is of the training"
        " data, at the end, at its best and, where the generator stops, then; labels are used for"
        " nothing else.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_settings(parser, stop_epochs, k)
    gaal_alocc.cli.add_sweep_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the settings of --draws")
    parser.add_argument("--quiet", action="store_true", help="show neither progress nor summary")
    return parser


def _add_settings(parser: argparse.ArgumentParser, stop_epochs: int | None, k: int | None) -> None:
    """Add the options of one run and of a sweep alike: the data, and the parameters."""
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
            type=_auto_or_int,
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
    add(
        "--data_home",
        type=gaal_alocc.cli.path,
        metavar="DIR",
        help="folder of the published files, also read from GAAL_DATA_HOME",
    )
    add(
        "--steps_per_execution",
        type=_auto_or_int,
        default="auto",
        metavar="N",
        help="updates a call of the graph; 1 trains by train_on_batch",
    )


def _load(path: str, data_home: Path | None):
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


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Make the folder and one in it to write to; what lies there in the end is moved up.

    Opened before the training, so that a folder that cannot be written to costs nobody a run.
    Where anything fails, neither files nor folders are left behind.
    """
    made = list(itertools.takewhile(lambda path: not path.exists(), [folder, *folder.parents]))
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            aside = tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-")
        except OSError as error:
            raise OSError(f"--output {folder} cannot be written to: {error.strerror}") from error
        with aside:
            yield Path(aside.name)
            files = list(Path(aside.name).iterdir())
            for file in files:
                if (folder / file.name).is_dir():
                    raise IsADirectoryError(f"--output: {folder / file.name} is a folder")
            for file in files:
                os.replace(file, folder / file.name)
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()  # empty ones only


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


def _params(args: argparse.Namespace) -> dict:
    names = "n_estimators n_updates n_snapshots stop_epochs whether_stop"
    names += " lr_d lr_g decay momentum steps_per_execution k"
    params = {name: getattr(args, name) for name in names.split() if hasattr(args, name)}
    return {**params, "scale": None if args.scale == "none" else args.scale}


def _detector_class(name: str) -> type:
    from gaal import MOGAAL, SOGAAL, GAALEnsemble

    return {"so-gaal": SOGAAL, "mo-gaal": MOGAAL, "gaal-ensemble": GAALEnsemble}[name]


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
    batch_size = min(detector.batch_size, len(X))
    epochs = 3 * detector.stop_epochs_ if detector.epochs is None else detector.epochs
    active = detector._algorithm.active_updates(
        detector.stop_epochs_, len(X) // batch_size, epochs, detector.whether_stop
    )
    return {**measured, "auc_stop": auc.iloc[min(active, len(auc)) - 1]}


def _sweep(name: str, argv: Sequence[str]) -> int:
    args = _sweep_parser(name, *SCRIPT_DEFAULTS[name]).parse_args(argv)
    try:
        with starting_tensorflow():
            data = _load(args.path, args.data_home)

        detector = _detector_class(name)(**_params(args))
        swept = any(text.startswith("scale=") for text in args.grid)
        _warn_of_unscaled(data.data, "swept" if swept else args.scale)
        pair = (data.data, _labels(data))
        gaal_alocc.cli.run_sweep(args, detector, _fit_and_measure, pair, SWEEP_MEASURES)
    except KeyboardInterrupt:
        print(f"\n{name} sweep: interrupted; the same command goes on", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        print(f"{name} sweep: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _run(name: str, argv: Sequence[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["sweep"]:
        return _sweep(name, argv[1:])
    args = _parser(name, *SCRIPT_DEFAULTS[name]).parse_args(argv)
    try:
        if args.strategy is not None or args.devices is not None:
            with starting_tensorflow():
                from gaal_alocc import distribution

                args.strategy = distribution.from_command_line(
                    args.strategy, args.devices, args.tensorboard
                )
            if not distribution.is_chief(args.strategy):  # who writes, and shows progress
                args.output, args.quiet = None, True
        with _staging(args.output) if args.output is not None else nullcontext() as aside:
            with starting_tensorflow():
                data = _load(args.path, args.data_home)

            params = {
                **_params(args),
                "strategy": args.strategy,
                "random_state": args.seed,
            }
            detector = _detector_class(name)(**params, verbose=0 if args.quiet else 1)
            if not args.quiet:
                print(
                    f"{name} on {args.path}: {len(data.data)} rows, {data.data.shape[1]} features,"
                    f" {_outliers(data)}"
                )
            _warn_of_unscaled(data.data, args.scale)
            callbacks = []
            if args.tensorboard is not None:
                from gaal.tensorboard import TensorBoard

                callbacks.append(TensorBoard(args.tensorboard, detector))
            start = time.perf_counter()
            with _told():
                detector.fit(
                    data.data,
                    _labels(data),
                    callbacks=callbacks,
                    checkpoint_dir=args.checkpoint_dir,
                    checkpoint_every=args.checkpoint_every,
                    resume=args.resume,
                )
            seconds = time.perf_counter() - start
            auc = detector.history_.get("auc")
            final = None if auc is None or math.isnan(auc.iloc[-1]) else float(auc.iloc[-1])
            if aside is not None:
                result = {"auc": final, "seconds": seconds, "source": data.source}
                if hasattr(detector, "stop_epochs_"):
                    result["stop_epochs_"] = detector.stop_epochs_
                settings = {"program": name, "path": args.path, **params, **result}
                _write_output(aside, detector, data, settings)
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted, nothing written", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
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
    return 0


def so_gaal(argv: Sequence[str] | None = None) -> int:
    """Run the command so-gaal.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process if left out.

    Returns
    -------
    int
        Exit status: 0, 2 for bad arguments or data, 130 where interrupted.
    """
    with gaal_alocc.cli.warnings_of("so-gaal"):
        return _run("so-gaal", argv)


def mo_gaal(argv: Sequence[str] | None = None) -> int:
    """Run the command mo-gaal, see :func:`so_gaal`."""
    with gaal_alocc.cli.warnings_of("mo-gaal"):
        return _run("mo-gaal", argv)


def gaal_ensemble(argv: Sequence[str] | None = None) -> int:
    """Run the command gaal-ensemble, see :func:`so_gaal`."""
    with gaal_alocc.cli.warnings_of("gaal-ensemble"):
        return _run("gaal-ensemble", argv)
