"""The console script alocc: train, sweep, test, score.

Nothing heavy is imported until a command runs, so that ``alocc --help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaal_alocc.cli import add_sweep_arguments, run_sweep, warnings_of
from gaal_alocc.startup import starting_tensorflow

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.utils import Bunch

    from alocc.detector import ALOCC

MODEL_FILE = "model.alocc"
SCORE_LABELS = {"reconstruction": "reconstruction", "d_x": "D(x)", "d_rx": "D(R(x))"}
BATCH_SIZE = 128
# Published are 5 epochs of the thousands of images of an MNIST digit. Of scikit-learn's digits a
# class has about 145: that would be 5 updates, and these are 160.
ON_DIGITS = {"epoch": 40, "batch_size": 32}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


class UserError(Exception):
    """What is told in one line, without a traceback."""


# ---------------------------------------------------------------------------------------
# Arguments


def build_parser() -> argparse.ArgumentParser:
    """Parser of the four commands; options keep the spelling of the published programs."""
    parser = argparse.ArgumentParser(
        prog="alocc",
        description="ALOCC, adversarially learned one-class classifier for novelty detection"
        " (Sabokrou et al., CVPR 2018).",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="train|sweep|test|score"
    )

    train = _add_command(commands, "train", "train on one class of images", _train)
    network = _add_training(train)
    network.add_argument(
        "--strategy",
        choices=("mirrored", "multiworker"),
        help="train on all GPUs of this machine, or on the machines of TF_CONFIG",
    )
    network.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="train on the first N GPUs, or on the CPU in N parts where there are none",
    )
    network.add_argument(
        "--checkpoint_dir",
        type=os.path.expanduser,
        metavar="DIR",
        help="keep the weights of every epoch here, and snapshots of the run",
    )
    network.add_argument(
        "--checkpoint_every",
        type=_auto_or(int),
        default="auto",
        metavar="EPOCHS",
        help="epochs from one snapshot to the next; auto: as often as costs little time",
    )
    network.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last snapshot in --checkpoint_dir, where there is one",
    )
    train.add_argument(
        "--tensorboard",
        type=os.path.expanduser,
        metavar="DIR",
        help="folder for what TensorBoard shows of this run",
    )
    train.add_argument(
        "--output",
        type=os.path.expanduser,
        required=True,
        metavar="DIR",
        help="folder for the model, history.csv, scores.csv, figures and settings.json",
    )

    sweep = _add_command(
        commands,
        "sweep",
        "train with many settings and seeds; the AUC is of the test images, whose labels are used"
        " for nothing else",
        _sweep,
    )
    _add_training(sweep, "of the draws of --draws and --outlier_share")
    add_sweep_arguments(sweep)

    test = _add_command(commands, "test", "test a trained model on labelled images", _test)
    _add_model(test)
    _add_data(test)
    test.add_argument(
        "--output",
        type=os.path.expanduser,
        metavar="DIR",
        help="folder for scores.csv, tutorial.csv and figures",
    )

    score = _add_command(commands, "score", "score images by a trained model", _score)
    score.add_argument(
        "input",
        type=os.path.expanduser,
        help="an image, a folder of images, or an npy or npz file of an array",
    )
    _add_model(score)
    score.add_argument("--array", metavar="NAME", help="which array of an npz file")
    _add_reading(score)
    score.add_argument(
        "--output",
        type=os.path.expanduser,
        metavar="FILE",
        help="a csv file; by default the terminal",
    )
    score.add_argument("--quiet", action="store_true", help="say nothing but the result")
    return parser


def _add_training(
    command: argparse.ArgumentParser, seed: str = "of weights, noise and draws"
) -> argparse._ArgumentGroup:
    """Add the data and the parameters of a training."""
    data = _add_data(command, seed)
    data.add_argument("--input_height", type=int, help="resize images to this height")
    data.add_argument("--input_width", type=int, help="and this width, by default the height")
    data.add_argument("--c_dim", type=int, choices=(1, 3), help="read a folder in grey or colour")
    network = command.add_argument_group("training")
    network.add_argument(
        "--epoch",
        type=_auto_or(int),
        default="auto",
        help=f"number of epochs; auto: 5, and {ON_DIGITS['epoch']} on digits or as the authors",
    )
    network.add_argument(
        "--batch_size",
        type=_auto_or(int),
        default="auto",
        help=f"images an update; auto: {BATCH_SIZE}, and {ON_DIGITS['batch_size']} on digits",
    )
    network.add_argument("--train_size", type=int, help="train on the first so many images only")
    network.add_argument(
        "--r_alpha", type=float, default=0.2, help="weight of the reconstruction loss"
    )
    network.add_argument("--learning_rate", type=float, default=0.002, help="of RMSprop")
    network.add_argument(
        "--clipvalue",
        type=_auto_or(float),
        default="auto",
        help="of gradients; auto: 1, and none as the authors",
    )
    network.add_argument(
        "--decay",
        type=_auto_or(float),
        default="auto",
        help="of the learning rate; auto: 1e-8, and 0 as the authors",
    )
    network.add_argument(
        "--noise_sigma", type=float, default=0.155, help="of the noise on R's input"
    )
    network.add_argument("--gf_dim", type=int, default=16, help="width of R's decoder")
    network.add_argument("--df_dim", type=int, default=16, help="width of D and R's encoder")
    network.add_argument(
        "--decoder",
        choices=("upsampling", "transpose", "auto"),
        default="auto",
        help="as in the Keras port, or by the paper's deconvolutions; auto: as in the program",
    )
    network.add_argument(
        "--fidelity",
        choices=("published", "corrected", "authors"),
        default="published",
        help="the Keras port as it was in Keras 2, or as it was meant, or the program of the"
        " paper's authors",
    )
    network.add_argument(
        "--score",
        choices=tuple(SCORE_LABELS),
        default="reconstruction",
        help="what the model's predictions go by",
    )
    network.add_argument(
        "--select_epoch",
        choices=("min_reconstruction", "last", "mean", "auto"),
        default="auto",
        help="the epoch to use, or the mean of all from --first_epoch on; auto: the first, and the"
        " last epoch as the authors",
    )
    network.add_argument("--first_epoch", type=int, default=5, help="of that mean, from 0")
    network.add_argument(
        "--statistics",
        choices=("moving", "train_batch", "batch"),
        default="moving",
        help="what R and D normalise with when they score: moving statistics, those of a batch of"
        " training images, or of the scored images",
    )
    network.add_argument(
        "--orientation",
        choices=("raw", "training"),
        default="raw",
        help="sign of D's scores: as published, or that with which training images score high",
    )
    network.add_argument(
        "--contamination",
        type=_auto_or(float),
        default="auto",
        help="auto, or the share of training images that predictions call outliers",
    )
    return network


def _add_command(
    commands: argparse._SubParsersAction, name: str, text: str, run: object
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _auto_or(number: type) -> Callable[[str], object]:
    def parse(text: str):
        return text if text == "auto" else number(text)

    parse.__name__ = number.__name__  # which argparse tells who wrote something else
    return parse


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        type=os.path.expanduser,
        required=True,
        metavar="FILE",
        help=f"what train wrote: {MODEL_FILE}, or the folder with it",
    )


def _add_reading(command: argparse._ActionsContainer) -> None:
    """Add what image files do not tell of themselves."""
    command.add_argument(
        "--white",
        type=float,
        help="which value is white in images; by default 255 in files of 8 bits and in uint8, 1 for"
        " floats, for other files 255, 4095 or the most that they can hold, the least that is"
        " enough; above 255 it is for files of more than 8 bits",
    )
    command.add_argument(
        "--background",
        type=int,
        metavar="GREY",
        help="what shows through transparent images, from 0, black, to 255, white; by default"
        " white, and black where all would be white",
    )


def _add_data(
    command: argparse.ArgumentParser, seed: str = "of weights, noise and draws"
) -> argparse._ArgumentGroup:
    data = command.add_argument_group("data")
    data.add_argument(
        "--dataset",
        type=os.path.expanduser,
        default="mnist",
        help="mnist, digits, a folder of IDX files, or of images: subfolders name the classes,"
        " those called train and test the parts; or videos laid out as UCSD's, with masks",
    )
    data.add_argument(
        "--dataset_address",
        type=os.path.expanduser,
        metavar="PATH",
        help="where mnist.npz or the IDX files are; by default they are downloaded",
    )
    _add_reading(data)
    data.add_argument(
        "--attention_label",
        nargs="+",
        metavar="LABEL",
        help="the class or classes of the inliers, or all; by default 1 for mnist and digits, all"
        " training videos, else the only class",
    )
    data.add_argument(
        "--outlier_share",
        type=float,
        help="share of outliers in the test; by default all images of the other classes",
    )
    data.add_argument("--seed", type=int, default=0, help=seed)
    command.add_argument("--quiet", action="store_true", help="say nothing but the result")
    return data


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console script alocc.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments, by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for what the user can mend (told in one line on stderr), 130 when
        interrupted. In the latter two cases no output is left.
    """
    args = build_parser().parse_args(argv)
    with warnings_of("alocc"):
        try:
            args.run(args)
        except (UserError, ValueError, OSError, ImportError) as error:
            print(f"alocc: error: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("alocc: interrupted", file=sys.stderr)
            return 130
    return 0


# ---------------------------------------------------------------------------------------
# Commands


def _train(args: argparse.Namespace) -> None:
    _check_training(args)
    chief = _distribute(args)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_staged_folder(args.output)) if chief else None
        images = _load(args, _check_size(args), args.c_dim)
        _set_length(args, images)
        split = _split(images, args)
        _say(args, images.DESCR)
        _say(args, f"training on {len(split.X_train)} images{split.of}")

        from alocc.detector import ALOCC
        from alocc.protocols import all_scores

        detector = ALOCC(
            **_params(args),
            strategy=args.strategy,
            random_state=args.seed,
            verbose=0 if args.quiet else 1,
        )
        callbacks = []
        if args.tensorboard is not None:
            from alocc.tensorboard import TensorBoard

            callbacks.append(TensorBoard(args.tensorboard, detector))
        detector.fit(
            split.X_train,
            callbacks=callbacks,
            checkpoint_dir=args.checkpoint_dir,
            checkpoint_every=args.checkpoint_every,
            resume=args.resume,
        )
        if folder is None:
            return
        scores = all_scores(detector, split.X_test)
        aucs = _aucs(scores, split.is_outlier)

        detector.history_.to_csv(folder / "history.csv")
        _score_table(detector, split, scores).to_csv(folder / "scores.csv", index=False)
        detector.save(folder / MODEL_FILE)
        _draw_training(detector, split, folder)
        _draw_test(detector, split, scores, args, folder)
        _write_settings(args, images, split, detector, aucs, folder)
    used = f"epoch {detector.epoch_} used, results in {args.output}"
    print(f"{_auc_line(aucs, split)} ({used})" if aucs else f"trained; {used}")


def _distribute(args: argparse.Namespace) -> bool:
    """Set up --strategy and --devices, and tell whether this process writes the results."""
    if args.strategy is None and args.devices is None:
        return True
    with starting_tensorflow():
        from gaal_alocc import distribution

        args.strategy = distribution.from_command_line(
            args.strategy, args.devices, args.tensorboard
        )
    return distribution.is_chief(args.strategy)


def _set_length(args: argparse.Namespace, images: Bunch) -> None:
    """Set --epoch and --batch_size by the images, where they are left to us."""
    if images.name == "digits" and args.epoch == "auto":
        args.epoch = ON_DIGITS["epoch"]
    if args.batch_size == "auto":
        args.batch_size = ON_DIGITS["batch_size"] if images.name == "digits" else BATCH_SIZE


def _params(args: argparse.Namespace) -> dict:
    """Give the detector's parameters that are options."""
    names = "batch_size r_alpha noise_sigma learning_rate clipvalue decay gf_dim df_dim decoder"
    names += " fidelity score select_epoch first_epoch statistics orientation contamination"
    return {"epochs": args.epoch, **{name: getattr(args, name) for name in names.split()}}


def _sweep(args: argparse.Namespace) -> None:
    _check_training(args)
    images = _load(args, _check_size(args), args.c_dim)
    _set_length(args, images)
    split = _split(images, args)
    _say(args, images.DESCR)
    _say(args, f"training on {len(split.X_train)} images{split.of}")

    from alocc.detector import ALOCC

    data = (split.X_train, split.X_test, split.is_outlier)
    measures = ["reconstruction_loss", "epoch_used"]
    if _two_kinds(split.is_outlier):
        measures = [f"auc_{name}" for name in SCORE_LABELS] + measures
    run_sweep(args, ALOCC(**_params(args)), _fit_and_measure, data, measures)


def _fit_and_measure(detector: ALOCC, data: tuple) -> dict[str, float]:
    """Fit on the training images; what a sweep keeps of a run."""
    from alocc.protocols import all_scores

    X_train, X_test, is_outlier = data
    detector.fit(X_train)
    losses = detector.history_.groupby("epoch")["g_loss_reconstruction"].mean()
    measured = {"reconstruction_loss": losses[detector.epoch_], "epoch_used": detector.epoch_}
    if _two_kinds(is_outlier):
        aucs = _aucs(all_scores(detector, X_test), is_outlier)
        measured |= {f"auc_{name}": auc for name, auc in aucs.items()}
    return measured


def _test(args: argparse.Namespace) -> None:
    from alocc.protocols import all_scores, tutorial_test

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_staged_folder(args.output)) if args.output else None
        detector = _load_model(args.model)
        height, width, channels = detector.generator_.input_shape[1:]
        images = _load(args, (height, width), channels)
        if images.test_data is None:
            images.update(test_data=images.data, test_target=images.target, test_files=images.files)
        if images.test_target is None:
            raise UserError("test takes labelled images, in subfolders that name their classes.")
        _say(args, images.DESCR)
        split = _split(images, args)
        scores = all_scores(detector, split.X_test)
        aucs = _aucs(scores, split.is_outlier)
        if images.is_anomalous is not None:  # the names of videos are no classes
            shown = split.X_test, split.labels
        elif images.target is not None:
            shown = images.data, images.target
        else:
            shown = images.test_data, images.test_target
        tutorial = tutorial_test(detector, *shown)
        if folder is not None:
            _score_table(detector, split, scores).to_csv(folder / "scores.csv", index=False)
            tutorial.to_csv(folder / "tutorial.csv", index=False)
            _draw_test(detector, split, scores, args, folder)
    print("One image of each class, as in the tutorial:")
    print(tutorial.drop(columns="row").to_string(index=False, float_format="{:.4f}".format))
    print(_auc_line(aucs, split) if aucs else "No AUC: it takes both inliers and outliers.")


def _score(args: argparse.Namespace) -> None:
    import pandas as pd

    from alocc.protocols import all_scores

    if not Path(args.input).exists():
        raise UserError(f"input {args.input!r} does not exist.")
    detector = _load_model(args.model)
    X, files = _read_input(args, detector)
    table = pd.DataFrame({"row": range(len(X))})
    if files is not None:
        table["file"] = files
    scores = all_scores(detector, X)
    table = table.assign(**scores, prediction=_predictions(detector, scores))
    if args.output is None:
        print(table.to_csv(index=False), end="")
        return
    with _staged_file(args.output) as file:
        table.to_csv(file, index=False)
    n_outliers = int((table["prediction"] == -1).sum())
    print(
        f"{len(table)} images scored, {n_outliers} outliers by {SCORE_LABELS[detector.score]},"
        f" results in {args.output}"
    )


# ---------------------------------------------------------------------------------------
# Data


def _check_training(args: argparse.Namespace) -> None:
    for name in ("epoch", "batch_size", "train_size", "gf_dim", "df_dim"):
        value = getattr(args, name)
        if value not in (None, "auto") and value < 1:
            raise UserError(f"--{name} {value}: expected 1 or more.")


def _check_size(args: argparse.Namespace) -> tuple[int, int] | None:
    for name in ("input_height", "input_width"):
        value = getattr(args, name)
        if value is not None and value < 16:
            raise UserError(f"--{name} {value}: expected 16 or more.")
    height = args.input_height or args.input_width
    return None if height is None else (height, args.input_width or height)


def _load(args: argparse.Namespace, size: tuple[int, int] | None, channels: int | None) -> Bunch:
    from alocc.datasets import load_images, to_unit

    with starting_tensorflow():
        images = load_images(
            args.dataset,
            args.dataset_address,
            size=size,
            channels=channels,
            white=args.white,
            background=args.background,
        )
    if args.white is not None:  # floats, of which dark ones are not taken for another white's
        images.data = to_unit(images.data)
        images.test_data = None if images.test_data is None else to_unit(images.test_data)
    return images


def _split(images: Bunch, args: argparse.Namespace) -> Bunch:
    """Choose what to train on and what to test on.

    X_train and X_test; of the test images row, and file, labels and is_outlier, None where
    they are not known; the target class, and ``of``, the same in words.
    """
    import numpy as np
    from sklearn.utils import Bunch

    from alocc.datasets import one_class_split

    has_test = images.test_data is not None
    y, y_test, label = images.target, images.test_target, args.attention_label
    if has_test and y is not None and y_test is None:
        raise UserError("train has subfolders that name classes, but test has none.")
    if images.is_anomalous is not None:  # the names of videos are no classes of their frames
        kinds = np.array(["normal", "anomalous"])
        y_test = kinds[images.is_anomalous.astype(int)]
        if y is not None and label is not None:
            chosen = one_class_split(images.data, y, label, X_test=images.data, y_test=y)
            images.data = chosen.X_train
        y, label = np.full(len(images.data), "normal"), "normal"
    if y_test is not None or (y is not None and len(np.unique(y)) > 1):
        label = label or _attention_label(images)
        if y is None:  # training images of one class, without a subfolder
            y = np.resize(label, len(images.data))  # of several one or another
        split = one_class_split(
            images.data,
            y,
            label,
            args.outlier_share,
            X_test=images.test_data,
            y_test=y_test,
            random_state=args.seed,
        )
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
        of = f" of classes {', '.join(label)}" if isinstance(label, list) else f" of class {label}"
        split.update(row=split.test_index, target=label, of=of)
    elif label not in (None, ["all"]) and y is None:
        raise UserError(
            f"--attention_label {' '.join(label)}: the images have no labels, which the names of"
            " subfolders would give."
        )
    else:
        X_test = images.test_data if has_test else images.data
        split = Bunch(X_train=images.data, X_test=X_test, labels=None, is_outlier=None)
        split.update(row=np.arange(len(X_test)), target=None, of="")
    files = images.test_files if has_test else images.files
    split.file = None if files is None else [files[row] for row in split.row]
    if getattr(args, "train_size", None) is not None:
        split.X_train = split.X_train[: args.train_size]
    return split


def _attention_label(images: Bunch) -> str:
    import numpy as np

    if images.name in ("mnist", "digits"):
        return "1"
    classes = np.unique(images.test_target if images.target is None else images.target)
    if images.target is not None and len(classes) == 1:
        return str(classes[0])
    raise UserError(
        "--attention_label is needed, the class of the inliers or several, or all, of"
        f" {', '.join(map(str, classes))}."
    )


def _read_input(args: argparse.Namespace, detector: ALOCC) -> tuple[np.ndarray, list | None]:
    """Images to score, and their files if they come as image files."""
    import zipfile

    import numpy as np

    from alocc.datasets import load_image_folder, resize_images, to_unit
    from gaal_alocc.file_kinds import instead

    path = Path(args.input)
    height, width, channels = detector.generator_.input_shape[1:]
    if not _holds_arrays(path):
        if args.array is not None:
            raise UserError(f"--array {args.array}: {path} is no npz file.")
        images = load_image_folder(
            path,
            size=(height, width),
            channels=channels,
            white=args.white,
            background=args.background,
        )
        return images.data if args.white is None else to_unit(images.data), images.files
    if args.background is not None:
        raise UserError(f"--background {args.background}: {path} holds arrays, not image files.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            X = loaded
        else:
            with loaded as archive:
                names = archive.files
                if args.array is None and len(names) > 1:
                    raise UserError(
                        f"{path} holds several arrays, choose one by --array: {', '.join(names)}."
                    )
                name = args.array or names[0]
                if name not in names:
                    raise UserError(f"--array {name}: {path} holds {', '.join(names)}.")
                X = archive[name]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        # Of whatever it does not know numpy says that it is a pickle.
        unknown = "pickle" in str(error) and "Object arrays" not in str(error)
        found = (instead(path) or ": it holds no array") if unknown else f": {error}"
        raise UserError(f"{path} is not a readable npy or npz file{found}.") from error
    if args.white is not None:
        X = to_unit(X, white=args.white)
    if X.ndim in (3, 4) and X.shape[1:3] != (height, width):
        shape = X.shape
        X = resize_images(X, height, width)
        warnings.warn(
            f"images of {shape[1]} x {shape[2]} are resized to the model's {height} x {width}.",
            stacklevel=2,
        )
    return X, None


def _holds_arrays(path: Path) -> bool:
    """Tell npy and npz files, by name or content, from images."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        start = file.read(6)
    return path.suffix.lower() in (".npy", ".npz") or start.startswith((b"\x93NUMPY", b"PK"))


def _load_model(path: str) -> ALOCC:
    file = Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise UserError(f"--model {path}: there is no file {file}.")

    with starting_tensorflow():
        from alocc.detector import ALOCC

    try:
        return ALOCC.load(file)
    except Exception as error:  # whatever a broken archive leads to
        raise UserError(f"--model {path} is not a saved ALOCC model: {error}") from error


# ---------------------------------------------------------------------------------------
# Results


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, flush=True)


def _two_kinds(is_outlier: np.ndarray | None) -> bool:
    return is_outlier is not None and bool(is_outlier.any()) and not is_outlier.all()


def _aucs(scores: dict[str, np.ndarray], is_outlier: np.ndarray | None) -> dict[str, float]:
    """AUC of each score, NaN if the score is; empty where there are no two kinds to tell apart."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    if not _two_kinds(is_outlier):
        return {}
    return {
        name: float("nan") if np.isnan(values).any() else float(roc_auc_score(~is_outlier, values))
        for name, values in scores.items()
    }


def _auc_line(aucs: dict[str, float], split: Bunch) -> str:
    values = ", ".join(f"{SCORE_LABELS[name]} {auc:.4f}" for name, auc in aucs.items())
    n_outliers = int(split.is_outlier.sum())
    return f"AUC on {len(split.X_test)} test images, {n_outliers} of them outliers: {values}"


def _score_table(detector: ALOCC, split: Bunch, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    import pandas as pd

    columns = {"row": split.row}
    if split.file is not None:
        columns["file"] = split.file
    if split.labels is not None:
        columns |= {"label": split.labels, "is_outlier": split.is_outlier.astype(int)}
    return pd.DataFrame({**columns, **scores, "prediction": _predictions(detector, scores)})


def _predictions(detector: ALOCC, scores: dict[str, np.ndarray]) -> pd.Series:
    """Predict images whose scores are known; empty where the score is NaN."""
    import numpy as np
    import pandas as pd

    decision = scores[detector.score] - detector.offset_
    return pd.Series(np.where(decision < 0, -1, 1), dtype="Int64").mask(np.isnan(decision))


def _write_settings(
    args: argparse.Namespace,
    images: Bunch,
    split: Bunch,
    detector: ALOCC,
    aucs: dict[str, float],
    folder: Path,
) -> None:
    import keras
    import tensorflow as tf

    settings = {
        "arguments": {name: value for name, value in vars(args).items() if name != "run"},
        "data": images.DESCR,
        "target": split.target,
        "n_train": len(split.X_train),
        "n_test": len(split.X_test),
        "epoch_used": int(detector.epoch_),
        "auc": {name: None if auc != auc else auc for name, auc in aucs.items()},  # NaN is no JSON
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")


@contextlib.contextmanager
def _figure(file: Path, width: float, height: float) -> Iterator[object]:
    """Axes of a figure that is written to the file, without a display or pyplot."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    yield figure.subplots()
    figure.savefig(file, dpi=120)


def _draw_training(detector: ALOCC, split: Bunch, folder: Path) -> None:
    from alocc import plots

    with _figure(folder / "reconstruction_loss.png", 6.4, 4.4) as ax:
        plots.plot_reconstruction_loss(detector.history_, detector.epoch_, ax=ax)
    with _figure(folder / "training_images.png", 5, 5.3) as ax:
        plots.plot_montage(split.X_train[:100], 10, f"Training images{split.of}", ax=ax)


def _draw_test(
    detector: ALOCC,
    split: Bunch,
    scores: dict[str, np.ndarray],
    args: argparse.Namespace,
    folder: Path,
) -> None:
    import numpy as np

    from alocc import plots
    from alocc.datasets import add_noise

    rows = np.arange(len(split.X_test))[:10]
    if split.is_outlier is not None:
        kinds = [np.flatnonzero(split.is_outlier == kind) for kind in (False, True)]
        rows = np.concatenate([kind[:: max(len(kind) // 5, 1)][:5] for kind in kinds])
    shown = split.X_test[rows]
    noisy = add_noise(shown, detector.noise_sigma, args.seed)
    reconstructions = detector.reconstruct(noisy)
    if not all(np.isfinite(values).all() for values in (reconstructions, *scores.values())):
        warnings.warn("Scores are not finite; there are no figures of them.", stacklevel=2)
        return
    labels = None if split.labels is None else split.labels[rows]
    with _figure(folder / "reconstructions.png", max(3.2, 0.75 * len(rows)), 3) as ax:
        plots.plot_reconstructions(shown, noisy, reconstructions, labels, ax=ax)
    if split.is_outlier is not None:
        with _figure(folder / "discriminator_scores.png", 6.4, 4.4) as ax:
            plots.plot_discriminator_scores(scores["d_x"], scores["d_rx"], split.is_outlier, ax=ax)


# ---------------------------------------------------------------------------------------
# Files, written aside and renamed


def _aside(output: str) -> tuple[Path, Path]:
    final = Path(output)
    parent = final.resolve().parent
    if not parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {parent}.")
    return final, parent / f".{final.name}.{os.getpid()}.part"


@contextlib.contextmanager
def _staged_folder(output: str) -> Iterator[Path]:
    """Make a folder aside that becomes the output, or whose files move there, if all goes well."""
    final, aside = _aside(output)
    if final.exists() and not final.is_dir():
        raise UserError(f"--output {output} is a file, expected a folder.")
    aside.mkdir()
    try:
        yield aside
        if final.is_dir():
            for file in aside.iterdir():
                os.replace(file, final / file.name)
        else:
            os.rename(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _staged_file(output: str) -> Iterator[Path]:
    final, aside = _aside(output)
    if final.is_dir():
        raise UserError(f"--output {output} is a folder, expected a file.")
    try:
        yield aside
        os.replace(aside, final)
    finally:
        aside.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
