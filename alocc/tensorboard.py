"""ALOCC in TensorBoard."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import gaal_alocc.tensorboard
from alocc import networks
from alocc.detector import BLOCK_PIXELS, _check_images, _pixels
from alocc.pixels import add_noise

SHOWN = 10  # images a row


class TensorBoard(gaal_alocc.tensorboard.TensorBoard):
    """Write a training of ALOCC for TensorBoard.

    Every epoch the losses, under the names of the columns of ``history_`` with ``epoch_`` in
    front, and ``epoch_learning_rate``, that the next step of R or D will have. Where ``X`` is
    given, as often as ``looks`` tells, the histograms ``scores/reconstruction``, ``scores/d_x``
    and ``scores/d_rx``, and as an image ``reconstructions``: the first ten of X, above their
    noisy copies, above R's output for these.

    Parameters
    ----------
    log_dir, looks, **kwargs
        See :class:`gaal_alocc.tensorboard.TensorBoard`.
    detector : ALOCC
        Its parameters are shown as hyper-parameters; among them the noise.
    X : array-like of shape (n, height, width) or (n, height, width, channels), default=None
        Images to score, such as those of ``fit`` or some of them.
    """

    def __init__(self, log_dir, detector, X=None, *, looks=100, **kwargs) -> None:
        super().__init__(log_dir, detector, X, looks=looks, **kwargs)

    @property
    def discriminator(self) -> keras.Model:
        """D, within the adversarial model."""
        return self.model.discriminator

    def look(self, step: int) -> None:
        """Write the histograms of the scores, and the reconstructions."""
        X = _check_images(self.X)
        block = max(1, BLOCK_PIXELS // (X.shape[1] * X.shape[2]))
        dtype = networks.float_type()
        starts = range(0, len(X), block)
        parts = [self._scores(_pixels(X[i : i + block], dtype)) for i in starts]
        for name in parts[0]:
            scores = np.concatenate([part[name] for part in parts])
            tf.summary.histogram(f"scores/{name}", scores, step)

        shown = _pixels(X[:SHOWN], dtype)
        noisy = add_noise(shown, self.detector.noise_sigma, 0).astype(shown.dtype)
        reconstructions = self.model.generator(noisy, training=False).numpy()
        as_images = networks.FIDELITIES[self.detector.fidelity].as_images
        rows = [shown, noisy, as_images(reconstructions)]
        picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
        tf.summary.image(
            "reconstructions", picture[None], step, description="x, x with noise z, R(z)"
        )

    def _scores(self, x: np.ndarray) -> dict[str, np.ndarray]:
        reconstruction, d_rx = (part.numpy() for part in self.model(x, training=False))
        return {
            "reconstruction": -np.mean((x - reconstruction) ** 2, axis=(1, 2, 3)),
            "d_x": self.discriminator(x, training=False).numpy().ravel(),
            "d_rx": d_rx.ravel(),
        }
