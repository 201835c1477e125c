"""ALOCCEnsemble: the authors' program by the mean of its training, for images of one's own."""

from dataclasses import KW_ONLY
from typing import ClassVar

from alocc.detector import ALOCC
from gaal_alocc.estimator import parameters


@parameters
class ALOCCEnsemble(ALOCC):
    """ALOCC by the mean of its training: the one to begin with on images of one's own.

    The program of the paper's authors, number by number, and what its epochs say together. As
    it trains, D answers to inliers with a strong logit whose sign flips by chance from epoch to
    epoch: one epoch is a lottery. Here each epoch's logits are turned by the sign, and divided
    by the spread, that they have on training images, and averaged over the epochs. No label is
    looked at, and no epoch chosen. It is ours, not the paper's, as :class:`gaal.GAALEnsemble` is
    for tables; the same as ``ALOCC(fidelity="authors", score="d_rx", select_epoch="mean",
    orientation="training", epochs=20)``, without what only those set who compare programs.

    Parameters
    ----------
    epochs : int, default=20
        Epochs to train; those from ``first_epoch`` on count.
    score : {"d_rx", "d_x", "reconstruction"}, default="d_rx"
        What tells inliers: the paper's D(R(x)), D(x), or minus the error of R's reconstruction.
        It may be set after ``fit``.
    first_epoch : int, default=5
        The first epoch, from 0, that counts: before it the sign says nothing.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Where ``offset_`` lies. A float: so many of the training images are outliers. "auto":
        what is worse than the training images' third quartile by more than 1.5 times their
        interquartile range (Tukey's fence).

    Attributes
    ----------
    generator_, discriminator_, adversarial_model_ : keras.Model
        R, D, and D behind R, as after the last epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from alocc import ALOCCEnsemble
    >>> X = np.random.default_rng(0).random((64, 16, 16))
    >>> detector = ALOCCEnsemble(2, batch_size=32, gf_dim=2, df_dim=2, first_epoch=0)
    >>> detector.fit(X).score_samples(X).shape
    (64,)
    """

    fidelity: ClassVar[str] = "authors"
    decoder: ClassVar[str] = "auto"
    clipvalue: ClassVar[str] = "auto"
    decay: ClassVar[str] = "auto"
    select_epoch: ClassVar[str] = "mean"
    statistics: ClassVar[str] = "moving"
    orientation: ClassVar[str] = "training"

    epochs: int = 20
    _: KW_ONLY
    score: str = "d_rx"
