"""ALOCCEnsemble: the authors' program by the mean of its training, for images of one's own."""

from __future__ import annotations

from alocc.detector import ALOCC


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
    batch_size : int, default=128
        Images a batch, taken in order; what is left over is never trained on.
    r_alpha : float, default=0.2
        Weight of the reconstruction in R's loss (the paper's lambda).
    noise_sigma : float, default=0.155
        Standard deviation of the Gaussian noise that R learns to remove.
    learning_rate : float, default=0.002
        Of RMSprop.
    gf_dim, df_dim : int, default=16
        Filters of R's decoder, and of R's encoder and D, in multiples of which they come.
    score : {"d_rx", "d_x", "reconstruction"}, default="d_rx"
        What tells inliers: the paper's D(R(x)), D(x), or minus the error of R's reconstruction.
        It may be set after ``fit``.
    first_epoch : int, default=5
        The first epoch, from 0, that counts: before it the sign says nothing.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Where ``offset_`` lies. A float: so many of the training images are outliers. "auto":
        what is worse than the training images' third quartile by more than 1.5 times their
        interquartile range (Tukey's fence).
    steps_per_execution, strategy, random_state, verbose
        As of :class:`ALOCC`.

    Attributes
    ----------
    generator_, discriminator_, adversarial_model_ : keras.Model
        R, D, and D behind R, as after the last epoch.
    history_, epoch_, epoch_weights_, calibrations_, offsets_, offset_, image_shape_, fidelity_
        As of :class:`ALOCC`.

    Examples
    --------
    >>> import numpy as np
    >>> from alocc import ALOCCEnsemble
    >>> X = np.random.default_rng(0).random((64, 16, 16))
    >>> detector = ALOCCEnsemble(2, batch_size=32, gf_dim=2, df_dim=2, first_epoch=0)
    >>> detector.fit(X).score_samples(X).shape
    (64,)
    """

    fidelity = "authors"
    decoder = clipvalue = decay = "auto"
    select_epoch = "mean"
    statistics = "moving"
    orientation = "training"

    def __init__(
        self,
        epochs=20,
        *,
        batch_size=128,
        r_alpha=0.2,
        noise_sigma=0.155,
        learning_rate=0.002,
        gf_dim=16,
        df_dim=16,
        score="d_rx",
        first_epoch=5,
        contamination="auto",
        steps_per_execution="auto",
        strategy=None,
        random_state=None,
        verbose=0,
    ):
        self.epochs = epochs
        self.batch_size = batch_size
        self.r_alpha = r_alpha
        self.noise_sigma = noise_sigma
        self.learning_rate = learning_rate
        self.gf_dim = gf_dim
        self.df_dim = df_dim
        self.score = score
        self.first_epoch = first_epoch
        self.contamination = contamination
        self.steps_per_execution = steps_per_execution
        self.strategy = strategy
        self.random_state = random_state
        self.verbose = verbose
