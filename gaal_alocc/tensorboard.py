"""What the TensorBoard callbacks of the detectors share: Keras's own, and what GANs add to it."""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from typing import Any

import keras
from sklearn.base import BaseEstimator


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, with D's learning rate and the hyper-parameters.

    Parameters
    ----------
    log_dir : path-like
        Folder of this run's events. TensorBoard shows the runs of a folder side by side, so
        give each its own in a common one.
    detector : BaseEstimator, default=None
        Its parameters are shown as hyper-parameters.
    X : array-like, default=None
        Rows whose scores are shown as histograms; all or some of those given to ``fit``.
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
        self.detector = detector
        self.X = X
        self.looks = looks

    @property
    @abstractmethod
    def discriminator(self) -> keras.Model:
        """D, which is a part of the model that the callback is given."""

    @abstractmethod
    def look(self, step: int) -> None:
        """Write what ``X`` shows to the current summary writer."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Write the hyper-parameters."""
        super().on_train_begin(logs)
        self._session = None
        if self.detector is not None:
            from tensorboard.plugins.hparams import api

            self._session = api.KerasCallback(self._train_writer, _hparams(self.detector))
            self._session.on_train_begin()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the epoch's losses, AUC and learning rates, and now and then the scores."""
        logs = dict(logs or {})
        optimizer = self.discriminator.optimizer
        if optimizer is not self.model.optimizer:  # whose rate Keras writes
            logs["learning_rate_discriminator"] = float(optimizer.learning_rate)
        super().on_epoch_end(epoch, logs)
        n_epochs = self.params["epochs"]
        due = epoch % math.ceil(n_epochs / self.looks) == 0 or epoch == n_epochs - 1
        if self.X is not None and due:
            with self._train_writer.as_default():
                self.look(epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the run."""
        if self._session is not None:
            self._session.on_train_end()
        super().on_train_end(logs)


def _hparams(detector: BaseEstimator) -> dict:
    """Give the parameters in types that the HParams plugin takes."""
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in detector.get_params().items()
        if name != "verbose"
    }
