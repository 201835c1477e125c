"""What the commands alocc and alocc-ensemble do: train, sweep, test, score."""

from __future__ import annotations

import argparse
import contextlib
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.utils import Bunch

import alocc
from alocc import datasets, plots
from alocc.datasets import to_unit
from alocc.options import (
    BATCH_SIZE,
    MODEL_FILE,
    ON_DIGITS,
    SCORE_LABELS,
    UserError,
    check_size,
    check_training,
)
from alocc.protocols import all_scores, filled_up, tutorial_test
from gaal_alocc.cli import distribute, fit, params, run_sweep
from gaal_alocc.file_kinds import instead, saved_settings
from gaal_alocc.files import staged_folder, write_aside
from gaal_alocc.startup import starting_tensorflow

if TYPE_CHECKING:
    from alocc.detector import ALOCC


def train(args: argparse.Namespace) -> None:
    """Train on one class of images, and write the model and what it gives."""
    check_training(args)
    chief = distribute(args)
    with contextlib.ExitStack() as stack:
        if chief:
            folder = stack.enter_context(_staged(args.output))
        images, split = _begin_training(args)

        import keras
        import tensorflow as tf

        detector = _detector(args)
        detector.set_params(random_state=args.seed, verbose=0 if args.quiet else 1)
        fit(args, detector, "alocc.tensorboard", split.X_train)
        if not chief:
            return
        scores = all_scores(detector, split.X_test)
        aucs = _aucs(scores, split.is_outlier)

        detector.history_.to_csv(folder / "history.csv")
        _score_table(detector, split, scores).to_csv(folder / "scores.csv", index=False)
        detector.save(folder / MODEL_FILE)
        with _figure(folder / "reconstruction_loss.png", 6.4, 4.4) as ax:
            plots.plot_reconstruction_loss(detector.history_, detector.epoch_, ax=ax)
        with _figure(folder / "training_images.png", 5, 5.3) as ax:
            plots.plot_montage(split.X_train[:100], 10, f"Training images{split.of}", ax=ax)
        _draw_test(detector, split, scores, args, folder)
        settings = {
            "arguments": vars(args),
            "data": images.DESCR,
            "target": split.target,
            "n_train": len(split.X_train),
            "n_test": len(split.X_test),
            "epoch_used": int(detector.epoch_),
            "auc": {name: None if auc != auc else auc for name, auc in aucs.items()},  # NaN
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        }
        (folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    used = f"epoch {detector.epoch_} used, results in {args.output}"
    print(f"{_auc_line(aucs, split)} ({used})" if aucs else f"trained; {used}")


def _begin_training(args: argparse.Namespace) -> tuple[Bunch, Bunch]:
    """Load and choose images, by which --epoch and --batch_size are set where left to us."""
    images = load(args, check_size(args), args.c_dim)
    if images.name == "digits" and args.epoch == "auto":
        args.epoch = ON_DIGITS["epoch"]
    if args.batch_size == "auto":
        args.batch_size = ON_DIGITS["batch_size"] if images.name == "digits" else BATCH_SIZE
    split = choose(images, args)
    if vars(args).get("statistics") == "batch" and len(split.X_test) < args.batch_size:
        raise UserError(
            f"--statistics batch: there are {len(split.X_test)} images to score, expected"
            f" --batch_size {args.batch_size} at least, by whose statistics each is normalised."
        )
    _say(args, images.DESCR)
    _say(args, f"training on {len(split.X_train)} images{split.of}")
    return images, split


def _detector(args: argparse.Namespace) -> ALOCC:
    kind = getattr(alocc, args.detector)
    return kind(**params(args, kind), epochs=args.epoch)


def sweep(args: argparse.Namespace) -> None:
    """Train with many settings and seeds."""
    check_training(args)
    _, split = _begin_training(args)

    data = (split.X_train, split.X_test, split.is_outlier)
    measures = ["reconstruction_loss", "epoch_used"]
    if _two_kinds(split.is_outlier):
        measures = [f"auc_{name}" for name in SCORE_LABELS] + measures
    run_sweep(args, _detector(args), _fit_and_measure, data, measures)


def _fit_and_measure(detector: ALOCC, data: tuple) -> dict[str, float]:
    """Fit on the training images; what a sweep keeps of a run."""
    X_train, X_test, is_outlier = data
    detector.fit(X_train)
    losses = detector.history_.groupby("epoch")["g_loss_reconstruction"].mean()
    measured = {"reconstruction_loss": losses[detector.epoch_], "epoch_used": detector.epoch_}
    if _two_kinds(is_outlier):
        aucs = _aucs(all_scores(detector, X_test), is_outlier)
        measured |= {f"auc_{name}": auc for name, auc in aucs.items()}
    return measured


def test(args: argparse.Namespace) -> None:
    """Test a trained model on labelled images."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_staged(args.output)) if args.output else None
        detector = _load_model(args.model)
        height, width, channels = detector.generator_.input_shape[1:]
        images = load(args, (height, width), channels)
        if images.test_data is None:
            images.update(test_data=images.data, test_target=images.target, test_files=images.files)
        if images.test_target is None:
            raise UserError("test takes labelled images, in subfolders that name their classes.")
        _say(args, images.DESCR)
        split = choose(images, args)
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


def score(args: argparse.Namespace) -> None:
    """Score images by a trained model."""
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
    if Path(args.output).is_dir():
        raise UserError(f"--output {args.output} is a folder, expected a file.")
    _check_parent(args.output)
    write_aside(Path(args.output), lambda aside: table.to_csv(aside, index=False))
    n_outliers = int((table["prediction"] == -1).sum())
    print(
        f"{len(table)} images scored, {n_outliers} outliers by {SCORE_LABELS[detector.score]},"
        f" results in {args.output}"
    )


# ---------------------------------------------------------------------------------------
# Data


def load(args: argparse.Namespace, size: tuple[int, int] | None, channels: int | None) -> Bunch:
    """Load the images that the options name."""
    with starting_tensorflow():
        images = datasets.load_images(
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


def choose(images: Bunch, args: argparse.Namespace) -> Bunch:
    """Choose what to train on and what to test on.

    X_train and X_test; of the test images row, and file, labels and is_outlier, None where
    they are not known; the target class, and ``of``, the same in words.
    """
    has_test = images.test_data is not None
    y, y_test, label = images.target, images.test_target, args.attention_label
    if has_test and y is not None and y_test is None:
        raise UserError("train has subfolders that name classes, but test has none.")
    if images.is_anomalous is not None:  # the names of videos are no classes of their frames
        kinds = np.array(["normal", "anomalous"])
        y_test = kinds[images.is_anomalous.astype(int)]
        if y is not None and label is not None:
            chosen = datasets.one_class_split(images.data, y, label, X_test=images.data, y_test=y)
            images.data = chosen.X_train
        y, label = np.full(len(images.data), "normal"), "normal"
    if y_test is not None or (y is not None and len(np.unique(y)) > 1):
        label = label or _attention_label(images)
        if y is None:  # training images of one class, without a subfolder
            y = np.resize(label, len(images.data))  # of several one or another
        split = datasets.one_class_split(
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
        if args.outlier_share is not None:
            raise UserError(
                f"--outlier_share {args.outlier_share:g}: the images have no labels that tell"
                " outliers."
            )
        X_test = images.test_data if has_test else images.data
        split = Bunch(X_train=images.data, X_test=X_test, labels=None, is_outlier=None)
        split.update(row=np.arange(len(X_test)), target=None, of="")
    files = images.test_files if has_test else images.files
    split.file = None if files is None else [files[row] for row in split.row]
    if getattr(args, "train_size", None) is not None:
        split.X_train = split.X_train[: args.train_size]
    return split


def _attention_label(images: Bunch) -> str:
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
    path = Path(args.input)
    height, width, channels = detector.generator_.input_shape[1:]
    if not _holds_arrays(path):
        if args.array is not None:
            raise UserError(f"--array {args.array}: {path} is no npz file.")
        images = datasets.load_image_folder(
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
    except UserError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        # Of whatever it does not know numpy says that it is a pickle.
        unknown = "pickle" in str(error) and "Object arrays" not in str(error)
        found = (instead(path) or ": it holds no array") if unknown else f": {error}"
        raise UserError(f"{path} is not a readable npy or npz file{found}.") from error
    if args.white is not None:
        X = to_unit(X, white=args.white)
    if X.ndim in (3, 4) and X.shape[1:3] != (height, width):
        shape = X.shape
        X = datasets.resize_images(X, height, width)
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
        from alocc.ensemble import ALOCCEnsemble

    try:
        written = (saved_settings(file) or {}).get("class")
        return (ALOCCEnsemble if written == "ALOCCEnsemble" else ALOCC).load(file)
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
    columns = {"row": split.row}
    if split.file is not None:
        columns["file"] = split.file
    if split.labels is not None:
        columns |= {"label": split.labels, "is_outlier": split.is_outlier.astype(int)}
    return pd.DataFrame({**columns, **scores, "prediction": _predictions(detector, scores)})


def _predictions(detector: ALOCC, scores: dict[str, np.ndarray]) -> pd.Series:
    """Predict images whose scores are known; empty where the score is NaN."""
    decision = scores[detector.score] - detector.offset_
    return pd.Series(np.where(decision < 0, -1, 1), dtype="Int64").mask(np.isnan(decision))


@contextlib.contextmanager
def _figure(file: Path, width: float, height: float) -> Iterator[object]:
    """Axes of a figure that is written to the file, without a display or pyplot."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    yield figure.subplots()
    figure.savefig(file, dpi=120)


def _draw_test(
    detector: ALOCC,
    split: Bunch,
    scores: dict[str, np.ndarray],
    args: argparse.Namespace,
    folder: Path,
) -> None:
    rows = np.arange(len(split.X_test))[:10]
    if split.is_outlier is not None:
        kinds = [np.flatnonzero(split.is_outlier == kind) for kind in (False, True)]
        rows = np.concatenate([kind[:: max(len(kind) // 5, 1)][:5] for kind in kinds])
    together = split.X_test[filled_up(rows, len(split.X_test), detector)]
    noisy = datasets.add_noise(together, detector.noise_sigma, args.seed)
    reconstructions = detector.reconstruct(noisy)
    shown, noisy, reconstructions = (x[: len(rows)] for x in (together, noisy, reconstructions))
    if not all(np.isfinite(values).all() for values in (reconstructions, *scores.values())):
        warnings.warn("Scores are not finite; there are no figures of them.", stacklevel=2)
        return
    labels = None if split.labels is None else split.labels[rows]
    with _figure(folder / "reconstructions.png", max(3.2, 0.75 * len(rows)), 3) as ax:
        plots.plot_reconstructions(shown, noisy, reconstructions, labels, ax=ax)
    if split.is_outlier is not None:
        with _figure(folder / "discriminator_scores.png", 6.4, 4.4) as ax:
            plots.plot_discriminator_scores(scores["d_x"], scores["d_rx"], split.is_outlier, ax=ax)


@contextlib.contextmanager
def _staged(output: str) -> Iterator[Path]:
    """Write to a folder aside, see :func:`gaal_alocc.files.staged_folder`."""
    _check_parent(output)
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output {output} is a file, expected a folder.")
    with staged_folder(Path(output)) as folder:
        yield folder


def _check_parent(output: str) -> None:
    parent = Path(output).resolve().parent
    if not parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {parent}.")
