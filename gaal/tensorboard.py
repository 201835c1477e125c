"""SO-GAAL and MO-GAAL in TensorBoard."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import gaal_alocc.tensorboard
from gaal.training import SCORE_BLOCK


class TensorBoard(gaal_alocc.tensorboard.TensorBoard):
    """Write a training of SOGAAL or MOGAAL for TensorBoard.

    Every epoch ``epoch_discriminator_loss``, ``epoch_generator_loss``,
    ``epoch_sub_generator{i}_loss`` (MO-GAAL) and, where ``fit`` was given y, ``epoch_auc``; and
    the learning rates of the generators, ``epoch_learning_rate``, and of the discriminator,
    ``epoch_learning_rate_discriminator``, that the next update will have. Where ``X`` is given,
    the histogram ``scores/d_x`` of D(x), as often as ``looks`` tells.

    Parameters
    ----------
    log_dir, detector, looks, **kwargs
        See :class:`gaal_alocc.tensorboard.TensorBoard`.
    X : array-like of shape (n, d), default=None
        Rows to score, as those that the detector is given.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from gaal import SOGAAL
    >>> from gaal.tensorboard import TensorBoard
    >>> X = np.random.default_rng(0).random((50, 2))
    >>> detector = SOGAAL(stop_epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callback = TensorBoard(folder, detector, X)
    ...     detector.fit(X, callbacks=[callback]).history_.shape
    (3, 2)
    """

    @property
    def discriminator(self) -> keras.Model:
        """D, within the combined model."""
        return self.model.get_layer("discriminator")

    def look(self, step: int) -> None:
        """Write the histogram of D(x)."""
        scaler = getattr(self.detector, "scaler_", None)
        X = self.X if scaler is None else scaler.transform(np.asarray(self.X, np.float64))
        X = np.asarray(X, np.float32)
        blocks = [X[i : i + SCORE_BLOCK] for i in range(0, len(X), SCORE_BLOCK)]
        scores = np.concatenate([self.discriminator(block).numpy() for block in blocks])
        tf.summary.histogram("scores/d_x", scores, step, description="D(x) of the rows X")
