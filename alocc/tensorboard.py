"""ALOCC in TensorBoard."""

import keras
import numpy as np
import tensorflow as tf

import gaal_alocc.tensorboard
from alocc import networks
from alocc.inputs import check_images, pixels
from alocc.pixels import add_noise
from alocc.scoring import SCORES

SHOWN = 10  # images a row
SCORED = 1000  # where none are given


class TensorBoard(gaal_alocc.tensorboard.TensorBoard):
    """Write a training of ALOCC for TensorBoard.

    Every epoch the losses, under the names of the columns of ``history_`` with ``epoch_`` in
    front, and ``epoch_learning_rate``, that the next step of R or D will have. As often as
    ``looks`` tells, the histograms ``scores/reconstruction``, ``scores/d_x`` and ``scores/d_rx``,
    as ``score_samples`` would give them with that epoch in use, and as an image
    ``reconstructions``: the first ten of X, above their noisy copies, above R's output for these.

    Parameters
    ----------
    log_dir, looks, **kwargs
        See :class:`gaal_alocc.tensorboard.TensorBoard`.
    detector : ALOCC, default=None
        See :class:`gaal_alocc.tensorboard.TensorBoard`.
    X : array-like of shape (n, height, width) or (n, height, width, channels), default=None
        Images to score, such as those of ``fit`` or some of them; None for the first thousand.
    """

    def set_estimator(self, estimator, X: np.ndarray) -> None:
        """Serve an ALOCC that is about to be trained on X, images in [0, 1]."""
        least = estimator.least_together
        if least and (n := len(X if self.X is None else self.as_seen(self.X))) < least:
            raise ValueError(
                f"TensorBoard has {n} images to score; expected batch_size={least} at least, by"
                " whose statistics each is normalised with statistics='batch'."
            )
        super().set_estimator(estimator, X)
        self._references = estimator._pick_references(X)

    @property
    def discriminator(self) -> keras.Model:
        """D, within the adversarial model."""
        return self.model.discriminator

    def as_seen(self, X) -> np.ndarray:
        """Give images in [0, 1], with their axis of channels."""
        return pixels(check_images(X), networks.float_type())

    def look(self, X: np.ndarray, step: int) -> None:
        """Write the histograms of the scores, and the reconstructions."""
        detector = self._estimator._so_far(self.model, self._references)
        least = detector.least_together or 0
        X = X[: max(SCORED, least)] if self.X is None else X
        for score in SCORES:
            scores = detector.score_samples(X, score)
            tf.summary.histogram(f"scores/{score}", scores, step)

        shown = X[: max(SHOWN, least)]
        noisy = add_noise(shown, detector.noise_sigma, 0).astype(shown.dtype)
        rows = [images[:SHOWN] for images in (shown, noisy, detector.reconstruct(noisy))]
        picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
        tf.summary.image(
            "reconstructions", picture[None], step, description="x, x with noise z, R(z)"
        )
