"""What the TensorBoard callbacks of the detectors share: Keras's own, and what GANs add to it."""

import contextlib
import itertools
import math
import os
import warnings
from abc import abstractmethod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, with D's learning rate, scores, and the hyper-parameters.

    It serves whatever estimator it is given to ``fit`` of, as one of the clones that a search
    fits: the hyper-parameters, the scale and the networks are those of that estimator.

    Parameters
    ----------
    log_dir : path-like
        Folder of this run's events. TensorBoard shows the runs of a folder side by side, so
        give each its own in a common one. A fit of another estimator than ``detector`` has a
        folder of its own in it, ``fit_1``, ``fit_2`` and so on.
    detector : BaseEstimator, default=None
        Whose events belong to ``log_dir`` itself, also where a run is resumed.
    X : array-like, default=None
        Rows whose scores are shown as histograms; None for those of ``fit``, as the networks see
        them. Others are handed to the networks as ``fit`` would: behind a pipeline's scaler they
        have to be scaled.
    looks : int, default=100
        How often histograms and images are written in a training, evenly spread. Losses and
        learning rates are written every epoch.
    **kwargs
        As of ``keras.callbacks.TensorBoard``: ``histogram_freq=10`` adds the histograms of
        all weights every 10 epochs.

    Raises
    ------
    ImportError
        If the package tensorboard is not installed.
    ValueError
        If ``looks`` is less than 1.

    Warns
    -----
    UserWarning
        When the training begins, if none of the rows of X is among those of ``fit``.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        detector: BaseEstimator | None = None,
        X=None,
        *,
        looks: int = 100,
        **kwargs: Any,
    ) -> None:
        try:
            import tensorboard  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "TensorBoard's callback needs the package tensorboard:"
                " pip install 'gaal-alocc[tensorboard]'."
            ) from error
        if looks < 1:
            raise ValueError(f"looks is {looks}; expected 1 or more.")
        # Keras would write the combined model's graph, which it cannot draw for a model with
        # weights of its own choice.
        super().__init__(os.path.expanduser(log_dir), **{"write_graph": False, **kwargs})
        self._folder = Path(self.log_dir)
        self.detector = detector
        self.X = X
        self.looks = looks
        self._estimator, self._fitted_on = detector, None

    def set_estimator(self, estimator: BaseEstimator, X: np.ndarray) -> None:
        """Serve an estimator that is about to be trained on X, as its networks see it."""
        self._estimator, self._fitted_on = estimator, X
        own = estimator is self.detector
        self.log_dir = str(self._folder if own else _new_folder(self._folder))

    @property
    @abstractmethod
    def discriminator(self) -> keras.Model:
        """D, which is a part of the model that the callback is given."""

    @abstractmethod
    def as_seen(self, X) -> np.ndarray:
        """Give rows as the networks of the estimator see them, of X at most those to be shown."""

    @abstractmethod
    def look(self, X: np.ndarray, step: int) -> None:
        """Write what X, as the networks see it, shows to the current summary writer."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Write the hyper-parameters."""
        super().on_train_begin(logs)
        self._shown = self._rows_to_show()
        self._session = None
        if self._estimator is not None:
            from tensorboard.plugins.hparams import api

            self._session = api.KerasCallback(self._train_writer, _hparams(self._estimator))
            self._session.on_train_begin()

    def _rows_to_show(self) -> np.ndarray | None:
        fitted_on, self._fitted_on = self._fitted_on, None  # not to be kept beyond the training
        if self.X is None:
            return fitted_on
        X = self.as_seen(self.X)
        if fitted_on is not None and not np.isin(_hashes(X), _hashes(fitted_on)).any():
            warnings.warn(
                "None of the rows X that TensorBoard is to show is among those that"
                f" {type(self._estimator).__name__} is fitted on. Where they are new ones, all is"
                " well. Where a step of a pipeline comes before it, as a scaler, hand over what"
                " that step gives, or no X: shown are then the rows of fit.",
                stacklevel=2,
            )
        return X

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the epoch's losses, AUC and learning rates, and now and then the scores."""
        logs = dict(logs or {})
        optimizer = self.discriminator.optimizer
        if optimizer is not self.model.optimizer:  # whose rate Keras writes
            logs["learning_rate_discriminator"] = float(optimizer.learning_rate)
        super().on_epoch_end(epoch, logs)
        n_epochs = self.params["epochs"]
        due = epoch % math.ceil(n_epochs / self.looks) == 0 or epoch == n_epochs - 1
        if self._shown is not None and due:
            with self._train_writer.as_default():
                self.look(self._shown, epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the run."""
        self._shown = None
        if self._session is not None:
            self._session.on_train_end()
        super().on_train_end(logs)


def _new_folder(parent: Path) -> Path:
    """Make the first of fit_1, fit_2... that is not there; processes do not meet in one."""
    for i in itertools.count(1):
        folder = parent / f"fit_{i}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder


def _hashes(rows: np.ndarray) -> np.ndarray:
    return pd.util.hash_pandas_object(pd.DataFrame(rows.reshape(len(rows), -1)), index=False)


def _hparams(detector: BaseEstimator) -> dict:
    """Give the parameters in types that the HParams plugin takes."""
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in detector.get_params().items()
        if name != "verbose"
    }
