"""SO-GAAL and MO-GAAL in TensorBoard."""

import keras
import numpy as np
import tensorflow as tf

import gaal_alocc.tensorboard
from gaal import networks


class TensorBoard(gaal_alocc.tensorboard.TensorBoard):
    """Write a training of SOGAAL, MOGAAL or GAALEnsemble for TensorBoard.

    Every epoch ``epoch_discriminator_loss``, ``epoch_generator_loss``,
    ``epoch_sub_generator{i}_loss`` (MO-GAAL) and, where ``fit`` was given y, ``epoch_auc``; and
    the learning rates of the generators, ``epoch_learning_rate``, and of the discriminator,
    ``epoch_learning_rate_discriminator``, that the next update will have. As often as ``looks``
    tells the histogram ``scores/d_x`` of D(x), as ``score_samples`` would then give it. Of an
    ensemble, whose epochs go from one look at D to the next, D and the learning rates are the
    first member's; losses and AUC are those of all.

    Parameters
    ----------
    log_dir, detector, looks, **kwargs
        See :class:`gaal_alocc.tensorboard.TensorBoard`.
    X : array-like of shape (n, d), default=None
        Rows to score, as those that the detector is given; None for the training data.

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

    def as_seen(self, X) -> np.ndarray:
        """Scale rows as the estimator does."""
        scaler = getattr(self._estimator, "scaler_", None)
        X = X if scaler is None else scaler.transform(np.asarray(X, np.float64))
        return np.asarray(X, np.float32)

    def look(self, X: np.ndarray, step: int) -> None:
        """Write the histogram of D(x)."""
        score = networks.scorer(self.discriminator)
        blocks = [
            score(X[i : i + networks.SCORE_BLOCK]) for i in range(0, len(X), networks.SCORE_BLOCK)
        ]
        tf.summary.histogram(
            "scores/d_x", np.concatenate(blocks), step, description="D(x) of the rows X"
        )
