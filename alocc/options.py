"""What the commands alocc and alocc-ensemble take: the options of train, sweep, test and score.

They keep the spelling of the published programs.
"""

import argparse
import os
from collections.abc import Callable

from gaal_alocc.cli import (
    FILE,
    FLOAT_OR_AUTO,
    FOLDER,
    INT_OR_AUTO,
    HelpFormatter,
    add_run_arguments,
    add_sweep_arguments,
)

MODEL_FILE = "model.alocc"
SCORE_LABELS = {"reconstruction": "reconstruction", "d_x": "D(x)", "d_rx": "D(R(x))"}
BATCH_SIZE = 128
# Published are 5 epochs of the thousands of images of an MNIST digit. Of scikit-learn's digits a
# class has about 145: that would be 5 updates, and these are 160.
ON_DIGITS = {"epoch": 40, "batch_size": 32}


class UserError(ValueError):
    """What is told in one line, without a traceback."""


DETECTORS = {
    "alocc": (
        "ALOCC",
        "ALOCC, adversarially learned one-class classifier for novelty detection (Sabokrou et al.,"
        " CVPR 2018).",
    ),
    "alocc-ensemble": (
        "ALOCCEnsemble",
        "ALOCCEnsemble, the program of ALOCC's authors by the mean of its training: for images of"
        " your own.",
    ),
}


def build_parser(program: str = "alocc") -> argparse.ArgumentParser:
    """Parser of the four commands; options keep the spelling of the published programs."""
    name, description = DETECTORS[program]
    parser = argparse.ArgumentParser(prog=program, description=description)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="train|sweep|test|score"
    )

    train = _add_command(commands, "train", "train on one class of images")
    network = _add_training(train, name)
    add_run_arguments(network, "keep the weights of every epoch here, and snapshots of the run")
    train.add_argument(
        "--output",
        **FOLDER,
        required=True,
        help="folder for the model, history.csv, scores.csv, figures and settings.json",
    )

    sweep = _add_command(
        commands,
        "sweep",
        "train with many settings and seeds; the AUC is of the test images, whose labels are used"
        " for nothing else",
    )
    _add_training(sweep, name, "of the draws of --draws and --outlier_share")
    add_sweep_arguments(sweep)

    test = _add_command(commands, "test", "test a trained model on labelled images")
    _add_model(test)
    _add_data(test)
    test.add_argument("--output", **FOLDER, help="folder for scores.csv, tutorial.csv and figures")

    score = _add_command(commands, "score", "score images by a trained model")
    score.add_argument(
        "input",
        type=os.path.expanduser,
        help="an image, a folder of images, or an npy or npz file of an array",
    )
    _add_model(score)
    score.add_argument("--array", metavar="NAME", help="which array of an npz file")
    _add_reading(score)
    score.add_argument("--output", **FILE, help="a csv file; by default the terminal")
    score.add_argument("--quiet", action="store_true", help="say nothing but the result")
    return parser


def _add_training(
    command: argparse.ArgumentParser, detector: str, seed: str = "of weights, noise and draws"
) -> argparse._ArgumentGroup:
    """Add the data and the parameters of a training."""
    command.set_defaults(detector=detector)
    ensemble = detector == "ALOCCEnsemble"
    data = _add_data(command, seed)
    data.add_argument("--input_height", type=int, help="resize images to this height")
    data.add_argument("--input_width", type=int, help="and this width, by default the height")
    data.add_argument("--c_dim", type=int, choices=(1, 3), help="read a folder in grey or colour")
    network = command.add_argument_group("training")
    add = network.add_argument
    if ensemble:
        add("--epoch", type=int, default=20, help="number of epochs")
    else:
        add(
            "--epoch",
            **INT_OR_AUTO,
            help=f"number of epochs; auto: 5, and {ON_DIGITS['epoch']} on digits or as the authors",
        )
    add(
        "--batch_size",
        **INT_OR_AUTO,
        help=f"images an update; auto: {BATCH_SIZE}, and {ON_DIGITS['batch_size']} on digits",
    )
    add("--train_size", type=int, help="train on the first so many images only")
    add("--r_alpha", type=float, default=0.2, help="weight of the reconstruction loss")
    add("--learning_rate", type=float, default=0.002, help="of RMSprop")
    add("--noise_sigma", type=float, default=0.155, help="of the noise on R's input")
    add("--gf_dim", type=int, default=16, help="width of R's decoder")
    add("--df_dim", type=int, default=16, help="width of D and R's encoder")
    add(
        "--score",
        choices=tuple(SCORE_LABELS),
        default="d_rx" if ensemble else "reconstruction",
        help="what the model's predictions go by",
    )
    add("--first_epoch", type=int, default=5, help="of the mean of epochs, from 0")
    add(
        "--contamination",
        **FLOAT_OR_AUTO,
        help="auto, or the share of training images that predictions call outliers",
    )
    if not ensemble:
        _add_programs(add)
    return network


def _add_programs(add: Callable[..., argparse.Action]) -> None:
    """Add what those set who compare programs."""
    add("--clipvalue", **FLOAT_OR_AUTO, help="of gradients; auto: 1, and none as the authors")
    add("--decay", **FLOAT_OR_AUTO, help="of the learning rate; auto: 1e-8, and 0 as the authors")
    add(
        "--decoder",
        choices=("upsampling", "transpose", "auto"),
        default="auto",
        help="as in the Keras port, or by the paper's deconvolutions; auto: as in the program",
    )
    add(
        "--fidelity",
        choices=("published", "corrected", "authors"),
        default="published",
        help="the Keras port as it was in Keras 2, or as it was meant, or the program of the"
        " paper's authors",
    )
    add(
        "--select_epoch",
        choices=("min_reconstruction", "last", "mean", "auto"),
        default="auto",
        help="the epoch to use, or the mean of all from --first_epoch on; auto: min_reconstruction,"
        " and last as the authors",
    )
    add(
        "--statistics",
        choices=("moving", "train_batch", "batch"),
        default="moving",
        help="what R and D normalise with when they score: moving statistics, those of a batch of"
        " training images, or of the scored images",
    )
    add(
        "--orientation",
        choices=("raw", "training"),
        default="raw",
        help="sign of D's scores: as published, or that with which training images score high",
    )


def _add_command(
    commands: argparse._SubParsersAction, name: str, text: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        **FILE,
        required=True,
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


def check_training(args: argparse.Namespace) -> None:
    """Check the numbers that images do not decide."""
    for name in ("epoch", "batch_size", "train_size", "gf_dim", "df_dim"):
        value = getattr(args, name)
        if value not in (None, "auto") and value < 1:
            raise UserError(f"--{name} {value}: expected 1 or more.")


def check_size(args: argparse.Namespace) -> tuple[int, int] | None:
    """Check --input_height and --input_width; the size that they make, None for none."""
    for name in ("input_height", "input_width"):
        value = getattr(args, name)
        if value is not None and value < 16:
            raise UserError(f"--{name} {value}: expected 16 or more.")
    height = args.input_height or args.input_width
    return None if height is None else (height, args.input_width or height)
