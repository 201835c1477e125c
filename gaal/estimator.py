"""What the detectors of tables share: reading, threshold, scoring block by block, one file."""

import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import ClassVar, Self

import keras
import numpy as np
import pandas as pd
from sklearn.base import _fit_context
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from gaal import networks
from gaal.labels import read_labels
from gaal_alocc import rows
from gaal_alocc.callbacks import as_list
from gaal_alocc.estimator import Estimator, parameters
from gaal_alocc.progress import Progbar

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


@parameters
class Detector(Estimator):
    """All of a detector of tables but what it trains, and how that scores a block of rows.

    Parameters
    ----------
    lr_d : float, default=0.01
        Learning rate of the discriminator.
    lr_g : float, default=0.0001
        Learning rate of the generator, or of all sub-generators.
    decay : float, default=1e-6
        Update t is made at the learning rate lr / (1 + decay * t).
    momentum : float, default=0.9
        Momentum of both, in [0, 1).
    batch_size : int, default=500
        Rows a batch, at most all rows. What is left over after the last whole batch is
        never trained on.
    contamination : "auto" or float in (0, 0.5], default="auto"
        "auto" calls a row an outlier where D(x) < 0.5; a float so many of the training rows.
    scale : {"minmax"} or None, default=None
        "minmax" scales features to [0, 1] by their range in ``fit``, as
        ``make_pipeline(MinMaxScaler(), ...)`` does, here also block by block and in saved
        detectors. The networks see scaled rows, and the generator's are scaled ones.
    steps_per_execution : int or "auto", default="auto"
        Updates that one call of a TensorFlow graph runs at most; it takes about half a second,
        in which Ctrl-C waits. 1 trains by ``train_on_batch``, as the published program does,
        with the same numbers within float error. "auto" picks a length, and XLA where the run
        is long enough to pay for its compilation.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, shuffling and noise: same seed, same numbers.

    Attributes
    ----------
    offset_ : float
        Scores below it are outliers'.
    scaler_ : MinMaxScaler or None
        What scales rows for the networks, where ``scale`` asks for it.
    n_features_in_ : int
        Features seen by ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where X had any.
    """

    _: KW_ONLY
    lr_d: float = 0.01
    lr_g: float = 0.0001
    decay: float = 1e-6
    momentum: float = 0.9
    batch_size: int = 500
    scale: str | None = None

    _parameter_constraints: ClassVar[dict] = {
        **Estimator._parameter_constraints,
        "lr_d": [Interval(Real, 0, None, closed="neither")],
        "lr_g": [Interval(Real, 0, None, closed="neither")],
        "decay": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "scale": [None, StrOptions({"minmax"})],
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

        Raises
        ------
        ValueError
            If X holds NaN or infinity, fewer than two rows or no features, or is a file or
            data set that is no table of numbers, if y is no column of as many labels, if k
            sub-generators cannot share the batch, or if stop_epochs="auto" finds no answer.
        TypeError
            If X or y is no array-like and no table.

        Warns
        -----
        UserWarning
            If features lie more than 0.05 outside [0, 1], or y allows no AUC; it then tells how
            to code y.
        """
        with self._fitting(networks.DTYPE):
            self._fit(X, y, as_list(callbacks), (checkpoint_dir, checkpoint_every, resume))
            self._check_finite(
                ": the scores mean nothing. Use smaller learning rates than"
                f" lr_d={self.lr_d}, lr_g={self.lr_g}, or scaled features."
            )
        return self

    @abstractmethod
    def _fit(
        self, X, y, callbacks: Sequence[keras.callbacks.Callback], checkpointing: tuple
    ) -> None:
        """Fit, by :meth:`_read`, :meth:`_begin` and :meth:`_finish`."""

    def _read(self, X, y) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows as the networks see them, and which are outliers, where y tells."""
        table = rows.open_rows(X)
        self.scaler_ = self._fit_scaler(table)
        X = rows.read(self, table, networks.SCORE_BLOCK, min_samples=2, transform=self._transform())
        is_outlier = None
        if y is not None:
            check_consistent_length(X, y)
            is_outlier = _outliers(y)
        if (problem := unscaled(X)) is not None:
            warnings.warn(
                f"{problem} Scale the features first, for example with"
                f" make_pipeline(MinMaxScaler(), {type(self).__name__}(...)).",
                stacklevel=5,
            )
        return X, is_outlier

    def _finish(self, X: np.ndarray, history: pd.DataFrame) -> None:
        """Keep the history, and set the threshold."""
        self.history_ = history
        self.offset_ = 0.5
        if self.contamination != "auto":
            blocks = rows.open_rows(X).blocks(networks.SCORE_BLOCK)
            self.offset_ = float(np.percentile(self._score(blocks), 100 * self.contamination))

    def _fit_scaler(self, table: rows.Rows) -> MinMaxScaler | None:
        if self.scale is None:
            return None
        scaler = MinMaxScaler()
        for block in rows.checked_blocks(
            self, table, networks.SCORE_BLOCK, dtype=np.float64, reset=True, min_samples=2
        ):
            scaler.partial_fit(block)
        return scaler

    def _transform(self) -> Callable[[np.ndarray], np.ndarray] | None:
        return None if self.scaler_ is None else self.scaler_.transform

    @abstractmethod
    def _score(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        """Scores of the rows of blocks, each within ``networks.SCORE_BLOCK`` rows."""

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
        form = {"dtype": np.float32, "reset": False, "transform": self._transform()}
        blocks = rows.checked_blocks(self, table, networks.SCORE_BLOCK, **form)
        return self._score(self._with_progress(blocks, table.n))

    def _with_progress(self, blocks: Iterable[np.ndarray], n: int | None) -> Iterator[np.ndarray]:
        """Show a bar where there is more than one block."""
        verbose = self.verbose if n is None or n > networks.SCORE_BLOCK else 0
        progress = Progbar(n, verbose=verbose, unit_name="row")
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            progress.update(done)
        if n is None:
            progress.update(done, finalize=True)

    def _learned(self) -> dict:
        names, scaler = getattr(self, "feature_names_in_", None), self.scaler_
        bounds = () if scaler is None else (scaler.data_min_, scaler.data_max_)
        return {
            "n_features_in_": self.n_features_in_,
            "feature_names_in_": None if names is None else names.tolist(),
            "offset_": self.offset_,
            "range": [bound.tolist() for bound in bounds] or None,
        }

    def _learn(self, settings: dict) -> None:
        self.n_features_in_ = settings["n_features_in_"]
        if settings["feature_names_in_"] is not None:
            self.feature_names_in_ = np.array(settings["feature_names_in_"], object)
        bounds = settings.get("range")  # files written before there was "scale" have none
        self.scaler_ = None if bounds is None else MinMaxScaler().fit(bounds)
        self.offset_ = settings["offset_"]
