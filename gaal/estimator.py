"""What the detectors of tables share: reading, threshold, scoring block by block, one file."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from gaal import networks, training
from gaal.labels import read_labels
from gaal_alocc import distribution, rows
from gaal_alocc.checkpoints import Checkpoints, open_checkpoints
from gaal_alocc.file_kinds import saved_file
from gaal_alocc.files import EXACTLY
from gaal_alocc.judgement import judge
from gaal_alocc.precision import computing_in
from gaal_alocc.progress import Progbar

FILE_FORMAT = 1
UNSCALED = 0.05  # how far outside [0, 1] draws a warning: published sets reach 1.003


def _outliers(y) -> np.ndarray | None:
    """Read labels that are only monitored; None, and a warning, where they allow no AUC."""
    is_outlier, *remarks = read_labels(y)
    if is_outlier is not None and is_outlier.all() == is_outlier.any():
        is_outlier = None
        remarks = ["y holds labels of one class only, for which no AUC is defined."]
    if is_outlier is None:
        remarks.append("Training goes on without the AUC.")
    if any(remarks):
        warnings.warn(" ".join(filter(None, remarks)), stacklevel=6)
    return is_outlier


def unscaled(X: np.ndarray) -> str | None:
    """Tell what it means that features lie outside [0, 1]; None where they do not."""
    low, high = X.min(), X.max()
    if low >= -UNSCALED and high <= 1 + UNSCALED:
        return None
    return (
        f"The features of X lie in [{low:.4g}, {high:.4g}], the generator's noise in [0, 1): it"
        " would start away from the data, and the scores would mean little."
    )


@contextlib.contextmanager
def _unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Put back what an estimator knew where fitting it fails or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class Detector(distribution.SharedStrategy, OutlierMixin, BaseEstimator):
    """All of a detector of tables but what it trains, and how that scores a block of rows."""

    _parameter_constraints: ClassVar[dict] = {
        "lr_d": [Interval(Real, 0, None, closed="neither")],
        "lr_g": [Interval(Real, 0, None, closed="neither")],
        "decay": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "scale": [None, StrOptions({"minmax"})],
        "steps_per_execution": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "strategy": [None, StrOptions(set(distribution.NAMES)), tf.distribute.Strategy],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y=None,
        callbacks: Iterable[keras.callbacks.Callback] | keras.callbacks.Callback | None = (),
        *,
        checkpoint_dir: str | os.PathLike | None = None,
        checkpoint_every: int | str = "auto",
        resume: bool = False,
    ) -> Self:
        """Train the networks on X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), path, list of paths, or tf.data.Dataset
            Training data, outliers among them. The generator's noise lies in [0, 1), so
            scale the features to [0, 1]. A path is that of a Parquet file, all of whose
            columns are features; a data set has rows or batches of rows, and no labels (a
            PyDataset of Keras batches). The
            rows are read once, block by block, into one array of float32 (of one that is there
            already, such as a memory map, no copy is made); training holds them in training
            order, twice: as an array and as TensorFlow's.
        y : array-like of shape (n_samples,), default=None
            Known labels, 1 or "out" for an outlier and 0 or "nor" for an inlier, or -1 and 1
            as scikit-learn's outlier detectors predict; see :func:`gaal.labels.read_labels`
            for what else is read. They are only monitored: each epoch's AUC on the training
            data enters ``history_`` and the callbacks' logs, nothing is learned from them.
        callbacks : iterable of keras.callbacks.Callback, or one, or None, default=()
            Called as in Keras after every epoch, with the epoch's mean losses and its AUC
            under the names of the columns of ``history_``; their model is
            ``combine_model_``. With callbacks, a call of the graph ends with the epoch.
            docs/callbacks.md tells what each of Keras's does.
        checkpoint_dir : path-like, optional
            Folder of this run alone, made where it is missing, for snapshots from which a
            killed process goes on. The last two are kept, also of a finished run.
        checkpoint_every : int or "auto", default="auto"
            Epochs from one snapshot to the next. "auto" takes them as often as costs at most
            a twentieth of the time. No number depends on it.
        resume : bool, default=False
            Go on from the newest whole snapshot in ``checkpoint_dir``, to the same history
            and weights, bit for bit, as if the run had never been killed; where there is
            none, begin. ``epochs`` may have grown; callbacks begin anew, without what they
            remembered. A run with a ``random_state`` that is no int goes on by the seed that
            it drew at first.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X holds NaN or infinity, fewer than two rows or no features, or is a file or
            data set that is no table of numbers, if y is no column of as many labels, if k
            sub-generators or the replicas cannot share the batch, if stop_epochs="auto" finds
            no answer, or if ``strategy`` is one that cannot train, or cannot with a
            checkpoint_dir. If the snapshot to resume is of other data, parameters or versions;
            the message names every difference. If callbacks holds one of Keras's that cannot
            work here.
        TypeError
            If X or y is no array-like and no table, or callbacks holds something else.
        FileExistsError
            If checkpoint_dir holds a run's snapshots and ``resume`` is False.
        OSError
            If a snapshot cannot be written; the last whole one is kept.

        Warns
        -----
        UserWarning
            If features lie more than 0.05 outside [0, 1], or y allows no AUC; it then tells how
            to code y. If a snapshot is damaged, and the one before it taken.
        ConvergenceWarning
            If the losses do not stay finite.
        """
        checkpointing = {"folder": checkpoint_dir, "every": checkpoint_every, "resume": resume}
        scope = distribution.scope(self.strategy)
        with _unchanged_on_failure(self), scope, computing_in(networks.DTYPE):
            return self._fit(X, y, callbacks, checkpointing)

    @abstractmethod
    def _fit(self, X, y, callbacks, checkpointing: dict) -> Self:
        """Fit, in the scope of the strategy and the precision of the networks."""

    def _read(self, X, y) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows as the networks see them, and which are outliers, where y tells."""
        table = rows.open_rows(X)
        self.scaler_ = self._fit_scaler(table)
        X = rows.read(self, table, training.SCORE_BLOCK, min_samples=2, transform=self._transform())
        is_outlier = None
        if y is not None:
            check_consistent_length(X, y)
            is_outlier = _outliers(y)
        problem = unscaled(X)
        if problem is not None:
            warnings.warn(
                f"{problem} Scale the features first, for example with"
                f" make_pipeline(MinMaxScaler(), {type(self).__name__}(...)).",
                stacklevel=5,
            )
        return X, is_outlier

    def _begin(
        self, X: np.ndarray, is_outlier: np.ndarray | None, checkpointing: dict
    ) -> tuple[int, Checkpoints | None]:
        """Seed of the training, and its snapshots, where there is a folder for them."""
        distribution.check_snapshots(checkpointing["folder"])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        distribution.shares(min(self.batch_size, len(X)), replicas)
        seed = distribution.agree(check_random_state(self.random_state).randint(2**31), X)
        checkpoints = open_checkpoints(
            estimator=self,
            data={"X": X, "y": is_outlier},
            seed=seed,
            free=("contamination", "strategy"),
            **checkpointing,
        )
        return (seed if checkpoints is None else checkpoints.seed), checkpoints

    def _finish(self, X: np.ndarray, history: pd.DataFrame) -> None:
        """Keep the history, tell of losses that are not finite, and set the threshold."""
        if not np.isfinite(history.to_numpy()).all():
            bad = history.index[~np.isfinite(history).all(axis=1)][0]
            warnings.warn(
                f"The losses are not finite from update {bad} on: the scores mean nothing. Use"
                f" smaller learning rates than lr_d={self.lr_d}, lr_g={self.lr_g}, or scaled"
                " features.",
                ConvergenceWarning,
                stacklevel=5,
            )
        self.history_ = history
        self.offset_ = 0.5
        if self.contamination != "auto":
            blocks = rows.open_rows(X).blocks(training.SCORE_BLOCK)
            self.offset_ = float(np.percentile(self._score(blocks), 100 * self.contamination))

    def _fit_scaler(self, table: rows.Rows) -> MinMaxScaler | None:
        if self.scale is None:
            return None
        scaler = MinMaxScaler()
        for block in rows.checked_blocks(
            self, table, training.SCORE_BLOCK, dtype=np.float64, reset=True, min_samples=2
        ):
            scaler.partial_fit(block)
        return scaler

    def _transform(self) -> Callable[[np.ndarray], np.ndarray] | None:
        return None if self.scaler_ is None else self.scaler_.transform

    @abstractmethod
    def _score(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        """Scores of the rows of blocks, each within ``training.SCORE_BLOCK`` rows."""

    def score_samples(self, X) -> np.ndarray:
        """D(x), the discriminator's probability that a row is real.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), path, list of paths, or tf.data.Dataset
            The rows to score, as in :meth:`fit`. Arrays, memory maps, DataFrames, Parquet
            files and data sets are read and scored a block at a time.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In [0, 1], higher is more normal. The paper's outlier score is OS(x) = 1 - D(x)
            (Liu et al., 2019, section 3.2). Of a discriminator with functions or layers of
            one's own, or with LoRA or int8, D(x) as it computes it, in its own precision.
        """
        check_is_fitted(self, "history_")
        table = rows.open_rows(X)
        blocks = rows.checked_blocks(
            self,
            table,
            training.SCORE_BLOCK,
            dtype=np.float32,
            reset=False,
            transform=self._transform(),
        )
        return self._score(self._with_progress(blocks, table.n))

    def _with_progress(self, blocks: Iterable[np.ndarray], n: int | None) -> Iterator[np.ndarray]:
        """Show a bar where there is more than one block."""
        verbose = self.verbose if n is None or n > training.SCORE_BLOCK else 0
        progress = Progbar(n, verbose=verbose, unit_name="row")
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            progress.update(done)
        if n is None:
            progress.update(done, finalize=True)

    def decision_function(self, X) -> np.ndarray:
        """Score X against the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like, path, list of paths, or tf.data.Dataset, as in :meth:`score_samples`
            The rows to score.

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """Tell inliers from outliers.

        Parameters
        ----------
        X : array-like, path, list of paths, or tf.data.Dataset, as in :meth:`score_samples`
            The rows to judge.

        Returns
        -------
        ndarray of shape (n_samples,), int
            1 for an inlier, -1 for an outlier.

        Raises
        ------
        ValueError
            If the score of a row is NaN, as after a training that diverged.
        """
        return judge(self.decision_function(X))

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted detector into one file.

        Parameters
        ----------
        path : str or path-like
            A zip archive: ``detector.json`` (parameters), ``history.csv`` and the networks.
            It appears whole or not at all. A ``random_state`` that is not an int is not kept,
            nor is a ``strategy`` that is not a name.

        Raises
        ------
        OSError
            If there is no such folder, or the file cannot be written.
        """
        check_is_fitted(self, "history_")
        path = Path(os.path.expanduser(path))
        if not path.parent.is_dir():
            raise FileNotFoundError(f"path is {path}, but there is no folder {path.parent}.")
        if path.is_dir():
            raise IsADirectoryError(f"path is {path}, a folder; expected a file's name.")
        params = self.get_params()
        if not isinstance(params["random_state"], Integral):
            params["random_state"] = None
        if isinstance(params["strategy"], tf.distribute.Strategy):
            params["strategy"] = None
        names = getattr(self, "feature_names_in_", None)
        settings = {
            "format": FILE_FORMAT,
            "class": type(self).__name__,
            "params": params,
            "n_features_in_": self.n_features_in_,
            "feature_names_in_": None if names is None else names.tolist(),
            "offset_": self.offset_,
            "range": None if self.scaler_ is None else self._range(),
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
            **self._more_settings(),
        }
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            folder = Path(folder)
            text = json.dumps(settings, indent=1, default=lambda number: number.item())
            (folder / "detector.json").write_text(text)
            self.history_.to_csv(folder / "history.csv")
            self._save_networks(folder)
            members = list(folder.iterdir())
            with zipfile.ZipFile(folder / "detector.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for member in members:
                    archive.write(member, member.name)
            os.replace(folder / "detector.zip", path)

    def _range(self) -> list[list[float]]:
        return [self.scaler_.data_min_.tolist(), self.scaler_.data_max_.tolist()]

    def _more_settings(self) -> dict:
        """Give what else the file's settings tell."""
        return {}

    @abstractmethod
    def _save_networks(self, folder: Path) -> None:
        """Write what scores rows into a folder."""

    @abstractmethod
    def _load_networks(self, folder: Path, settings: dict) -> None:
        """Read what :meth:`_save_networks` wrote; ``settings`` are the file's."""

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a detector that :meth:`save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file. Nothing in it is unpickled.

        Returns
        -------
        object
            A fitted detector whose scores equal the saved one's bit for bit. Models are not
            compiled: ``fit`` makes new ones.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If the file is no saved detector, or one of another class.
        """
        path = saved_file(path)
        try:
            with zipfile.ZipFile(path) as archive:
                settings = json.loads(archive.read("detector.json"))
                written = (settings["class"], settings["format"])
        except (zipfile.BadZipFile, KeyError, TypeError, UnicodeError, ValueError, zlib.error):
            written = None
        if written is None:
            raise ValueError(f"{path} is not a detector saved by {cls.__name__}.save.")
        if written != (cls.__name__, FILE_FORMAT):
            raise ValueError(
                f"{path} holds a {written[0]} in format {written[1]}; expected a"
                f" {cls.__name__} in format {FILE_FORMAT}."
            )
        detector = cls(**settings["params"])
        try:
            with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
                archive.extractall(folder)
                detector._load_networks(Path(folder), settings)
                with archive.open("history.csv") as file:
                    detector.history_ = pd.read_csv(file, index_col="update", **EXACTLY)
        except (zipfile.BadZipFile, KeyError, OSError, ValueError, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        detector.n_features_in_ = settings["n_features_in_"]
        if settings["feature_names_in_"] is not None:
            detector.feature_names_in_ = np.array(settings["feature_names_in_"], object)
        bounds = settings.get("range")  # files written before there was "scale" have none
        detector.scaler_ = None if bounds is None else MinMaxScaler().fit(bounds)
        detector.offset_ = settings["offset_"]
        return detector
