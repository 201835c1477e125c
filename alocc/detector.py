"""ALOCC: a scikit-learn outlier detector for images around the published training."""

import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar, Self

import keras
import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from alocc import epochs, inputs, keras2, networks, scoring, tensorflow1, training
from alocc.pixels import add_noise
from alocc.scoring import SCORES, STATISTICS
from gaal_alocc import distribution, optimizers, preconditions, programs
from gaal_alocc.arrays import as_array, in_batches
from gaal_alocc.callbacks import as_list, set_estimator
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.estimator import Estimator, parameters

REFERENCES = 1000  # training images that scores are held against
REFERENCE_PIXELS = 2**23  # but no more than of these, or a batch
_PORT = {
    "epochs": 5,
    "clipvalue": 1.0,
    "decay": 1e-8,
    "decoder": "upsampling",
    "select_epoch": "min_reconstruction",
}
DEFAULTS = {  # what "auto" means
    "published": _PORT,
    "corrected": _PORT,
    "authors": {
        "epochs": 40,
        "clipvalue": None,
        "decay": 0.0,
        "decoder": "transpose",
        "select_epoch": "last",
    },
}
MODELS = {"R": "generator_", "D": "discriminator_"}
FEW_UPDATES = 100  # in fewer the reconstruction error has hardly become a score


@parameters
class ALOCC(Estimator):
    """Adversarially learned one-class classifier for images.

    R, an encoder and decoder, learns to reconstruct clean images of one class from noisy
    ones so well that D, trained against it, takes them for real. What is not of that class
    R reconstructs badly, and D should see it. Sabokrou et al., "Adversarially Learned
    One-Class Classifier for Novelty Detection", CVPR 2018, trained step by step as in the
    published Keras port or in its authors' own program.

    Parameters
    ----------
    epochs : int or "auto", default="auto"
        Epochs to train; "auto" is 5, and 40 as the authors.
    batch_size : int, default=128
        Images a batch. Batches are taken in order, and what is left over after the last
        whole batch is never trained on.
    r_alpha : float, default=0.2
        Weight of the reconstruction in R's loss (the paper's lambda, there 0.4).
    noise_sigma : float, default=0.155
        Standard deviation of the Gaussian noise that R learns to remove. It is added once,
        before training, and the result clipped to [0, 1].
    learning_rate : float, default=0.002
        Of RMSprop.
    clipvalue : float, None or "auto", default="auto"
        Every element of a gradient is clipped to [-clipvalue, clipvalue]; None clips nothing.
        "auto" is 1.0, and None as the authors.
    decay : float or "auto", default="auto"
        Step t is made at the learning rate learning_rate / (1 + decay * t). "auto" is 1e-8, and
        0 as the authors.
    gf_dim, df_dim : int, default=16
        Filters of R's decoder, and of R's encoder and D, in multiples of which they come.
    decoder : {"upsampling", "transpose", "auto"}, default="auto"
        R's decoder: upsampling followed by convolution, as in the published port, or the
        paper's transposed convolutions. "auto" is the former, and the latter as the authors.
    fidelity : {"published", "corrected", "authors"}, default="published"
        "published" does what the Keras port did in Keras 2, number by number, also where it
        cannot have been meant: D's normalisation statistics never move from 0 and 1.
        "corrected" is the same algorithm in stock Keras 3: D's statistics are tracked, it
        scores with them, and R trains against D as it will score. "authors" is the program of
        the paper's authors, in TensorFlow 1, number by number: R ends in tanh and reconstructs
        the noisy image, D ends in a logit, takes one step on real and reconstructed images
        together, and neither wins.
    score : {"reconstruction", "d_x", "d_rx"}, default="reconstruction"
        What tells inliers: minus the mean squared error of R's reconstruction, D(x), or the
        paper's D(R(x)). The paper's is not the default, for D scores with statistics that
        are not those it was trained with: as published it ranks the images of the MNIST test
        set with an AUC that swings between 0.1 and 0.85 from one epoch and seed to the next,
        where the reconstruction error mostly stays above 0.95. It may be set after ``fit``.
    select_epoch : {"min_reconstruction", "last", "mean", "auto"}, default="auto"
        Whose weights are used: the epoch's with the least mean reconstruction loss, or the
        last one's. "auto" is the former, and the latter as the authors. "mean": those of every
        epoch from ``first_epoch`` on. Their scores, each less its mean and divided by its
        standard deviation over training images, are averaged; R reconstructs as after the last.
    first_epoch : int, default=5
        The first epoch, from 0, that counts for "mean".
    statistics : {"moving", "train_batch", "batch"}, default="moving"
        What R and D normalise with where they score. "moving": the moving statistics.
        "train_batch": those that a batch of training images has in every layer. "batch": those
        of the scored images, ``batch_size`` of them at least at a time, as in the authors' test
        program. There an image's score depends on its neighbours, and fewer images than
        ``batch_size`` are refused.
    orientation : {"raw", "training"}, default="raw"
        The sign of D's scores. "raw" is as published. "training": D's logit times the sign of
        its mean over training images. As the authors train, D answers to inliers with a strong
        logit whose sign changes by chance from epoch to epoch, and to outliers with less of it.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Where ``offset_`` lies. A float: so many of the training images are outliers.
        "auto": for D's probability, an outlier is what D gives less than 0.5; for its logit
        and the reconstruction error, on whose scales the paper sets no threshold, what is
        worse than the training images' third quartile by more than 1.5 times their
        interquartile range (Tukey's fence).
    steps_per_execution : int or "auto", default="auto"
        Updates that one call of a TensorFlow graph runs at most, no more than an epoch; it
        takes about half a second, in which Ctrl-C waits. 1 trains by ``train_on_batch``, as the
        published program does, with the same numbers within float error. "auto" takes as many
        as have their images in 16 MiB.
    random_state : int, RandomState instance or None, default=None
        Seeds weights and noise: same seed, same numbers (on a GPU after
        ``tf.config.experimental.enable_op_determinism()``).

    Attributes
    ----------
    generator_, discriminator_, adversarial_model_ : keras.Model
        R, D, and D behind R, with the weights of ``epoch_``.
    history_ : DataFrame
        A row an update: d_loss_real, d_loss_fake, and g_loss, g_loss_reconstruction,
        g_loss_validity of R's second step (the total is r_alpha times the reconstruction's
        plus the validity's); of the authors' program also those of R's first step, and those
        that it prints after the steps, ``_first`` and ``_printed``; epoch, from 0.
    epoch_ : int
        The epoch in use, from 0.
    epoch_weights_ : list of dict
        The weights after every epoch, ``{"R": [...], "D": [...]}``, for :meth:`use_epoch`.
        Empty in a loaded detector, but for those that "mean" needs.
    calibrations_ : list of dict
        For every epoch in use what of training images its scores are held against: epoch,
        statistics, and by score sign, mean and deviation.
    offsets_ : dict of str to float
        For each score: below it are outliers.
    offset_ : float
        That of the parameter ``score``.
    image_shape_ : (height, width, channels)
        Of the training images.
    fidelity_ : str
        The program that it was trained by.

    Notes
    -----
    On several devices batch normalisation sees the whole batch, and gradients are clipped after
    they are added up. A saved detector holds R and D with the weights of ``epoch_``, without
    their optimizer, and those of other epochs where several are in use.

    Examples
    --------
    >>> import numpy as np
    >>> from alocc import ALOCC
    >>> X = np.random.default_rng(0).random((64, 16, 16))
    >>> detector = ALOCC(epochs=1, batch_size=8, gf_dim=2, df_dim=2, random_state=0)
    >>> detector.fit(X).score_samples(X).shape
    (64,)
    >>> detector.reconstruct(X).shape
    (64, 16, 16)
    """

    epochs: int | str = "auto"
    _: KW_ONLY
    batch_size: int = 128
    r_alpha: float = 0.2
    noise_sigma: float = 0.155
    learning_rate: float = 0.002
    clipvalue: float | str | None = "auto"
    decay: float | str = "auto"
    gf_dim: int = 16
    df_dim: int = 16
    decoder: str = "auto"
    fidelity: str = "published"
    score: str = "reconstruction"
    select_epoch: str = "auto"
    first_epoch: int = 5
    statistics: str = "moving"
    orientation: str = "raw"

    _parameter_constraints: ClassVar[dict] = {
        **Estimator._parameter_constraints,
        "epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "r_alpha": [Interval(Real, 0, None, closed="left")],
        "noise_sigma": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "clipvalue": [None, StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "gf_dim": [Interval(Integral, 1, None, closed="left")],
        "df_dim": [Interval(Integral, 1, None, closed="left")],
        "decoder": [StrOptions({"auto", *networks.DECODERS})],
        "fidelity": [StrOptions(set(networks.FIDELITIES))],
        "score": [StrOptions(set(SCORES))],
        "select_epoch": [StrOptions({"auto", "min_reconstruction", "last", "mean"})],
        "first_epoch": [Interval(Integral, 0, None, closed="left")],
        "statistics": [StrOptions(set(STATISTICS))],
        "orientation": [StrOptions({"raw", "training"})],
    }

    _not_of_training: ClassVar[tuple[str, ...]] = (
        *Estimator._not_of_training,
        *("score", "select_epoch", "first_epoch", "statistics", "orientation"),
    )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _setting(self, name: str):
        value = getattr(self, name)
        return DEFAULTS[self.fidelity][name] if value == "auto" else value

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
        """Train R and D on images of the target class.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels), or dataset
            Images, uint8 in 0..255 or float in [0, 1] (others by
            :func:`alocc.datasets.to_unit`), from 16 x 16, grey or in colour; or a
            tf.data.Dataset or PyDataset of batches of them, without labels. They are read once.
            Training holds them and their noisy copies as float32 (a memory map of float32 stays
            where it is), as the noise is made once before it.
        y : ignored
            There for scikit-learn's convention.
        callbacks : iterable of keras.callbacks.Callback, or one, or None, default=()
            Called as in Keras after every epoch, with the epoch's mean losses under the
            names of the columns of ``history_``. Their model is the adversarial model, with
            the weights of that epoch; training ends where they set its ``stop_training``.
            docs/callbacks.md tells what each of Keras's does.
        checkpoint_dir : path-like, optional
            Folder of this run alone, made where it is missing, for the weights after every
            epoch, ``epoch_00_R.weights.h5``, ``epoch_00_D.weights.h5``, ``epoch_01_R...``, and
            for snapshots from which a killed process goes on. The last two snapshots are
            kept, also of a finished run.

        Raises
        ------
        ValueError
            If X has another rank, images of different sizes, smaller than 16 x 16 or with
            other than 1 or 3 channels, fewer of them than a batch, pixels outside of [0, 1],
            NaN, or another type than uint8, float and bool, or is uint8 with nothing from 128
            up, whose white may be another than 255. If the weights of an epoch of the snapshot
            to resume are damaged or missing.
        TypeError
            If X is no array-like and no data set.

        Warns
        -----
        UserWarning
            Before the training, if it will make fewer than 100 updates.
        """
        with self._fitting(networks.float_type()):
            X = inputs.to_train(X, networks.float_type())
            self._check_sizes(len(X))
            callbacks = as_list(callbacks)
            checkpointing = (checkpoint_dir, checkpoint_every, resume)
            seed, checkpoints = self._begin({"X": X}, *checkpointing)
            set_estimator(callbacks, self, X)
            *seeds, noise_seed = np.random.default_rng(seed).integers(2**31, size=3).tolist()
            models, share_as = self._build(X.shape[1:], *seeds)
            self._train(models, share_as, X, noise_seed, callbacks, checkpoints)
            self._check_finite(
                f". Use a smaller learning rate than learning_rate={self.learning_rate}."
            )
            self._references = self._pick_references(X)
            parts = list(inputs.parts(X, self.least_together))
            self._use_epochs(self._select_epochs(), lambda: (X[part] for part in parts))
        return self

    def _check_sizes(self, n: int) -> None:
        """See that n images make a batch, and epochs enough; warn where they make few updates."""
        if n < self.batch_size:
            raise ValueError(
                f"X holds {n} images, fewer than batch_size={self.batch_size}: no batch"
                " would be full. Expected more images, or a smaller batch_size."
            )
        n_epochs, n_batches = self._setting("epochs"), n // self.batch_size
        if self.select_epoch == "mean" and self.first_epoch >= n_epochs:
            raise ValueError(
                f"first_epoch is {self.first_epoch} with select_epoch='mean', and epochs is"
                f" {n_epochs}: no epoch would count. Expected less."
            )
        if n_epochs * n_batches < FEW_UPDATES:
            warnings.warn(
                f"The training will make {n_epochs * n_batches} updates: {n_epochs} epochs, each of"
                f" {n_batches} whole {'batch' if n_batches == 1 else 'batches'} of"
                f" batch_size={self.batch_size} images. That is little for R to learn by: of fewer"
                f" than {FEW_UPDATES} the reconstruction error is hardly a score yet. Raise"
                " epochs, or lower batch_size.",
                UserWarning,
                stacklevel=4,
            )

    def _build(
        self, image_shape: tuple[int, int, int], r_seed: int, d_seed: int
    ) -> tuple[networks.Networks, Hashable]:
        """Compiled models, and what of them a traced program depends on, where it is known."""
        ingredients, clipvalue = networks.FIDELITIES[self.fidelity], self._setting("clipvalue")
        sizes = (image_shape, self.gf_dim, self.df_dim, self._setting("decoder"))
        models = networks.combine(
            networks.build_generator(*sizes, ingredients, r_seed),
            networks.build_discriminator(image_shape, self.df_dim, ingredients, d_seed),
            ingredients,
        )
        rates = (self.learning_rate, clipvalue, self._setting("decay"))
        networks.compile_models(models, self.r_alpha, *rates, ingredients)
        made_by = (self.fidelity, *sizes, float(self.r_alpha), clipvalue)
        return models, made_by if _AS_WRITTEN else None

    def _train(
        self,
        models: networks.Networks,
        share_as: Hashable,
        X: np.ndarray,
        noise_seed: int,
        callbacks: Sequence[keras.callbacks.Callback],
        checkpoints: Checkpoints | None,
    ) -> None:
        """Train on images and their noisy copies, and keep the weights of every epoch."""
        if getattr(self._build, "__func__", None) is not ALOCC._build:
            share_as = None  # the models may be any
        parts = {"R": models.generator, "D": models.discriminator}
        epoch_weights = [] if checkpoints is None else epochs.read(parts, checkpoints)

        def keep_weights(epoch: int, logs: dict) -> None:
            epoch_weights.append(epochs.weights_of(parts))
            if checkpoints is not None:
                epochs.write(parts, checkpoints, epoch)

        self.history_ = training.train(
            models,
            X,
            add_noise(X, self.noise_sigma, noise_seed).astype(X.dtype, copy=False),
            algorithm=training.ALGORITHMS[self.fidelity],
            batch_size=self.batch_size,
            n_epochs=self._setting("epochs"),
            steps_per_execution=self.steps_per_execution,
            callbacks=callbacks,
            on_epoch=keep_weights,
            checkpoints=checkpoints,
            share_as=share_as,
            verbose=self.verbose if distribution.is_chief() else 0,
        )
        self.generator_, self.discriminator_ = models.generator, models.discriminator
        self.adversarial_model_ = models.adversarial_model
        self.fidelity_, self.image_shape_ = self.fidelity, X.shape[1:]
        self.epoch_weights_ = epoch_weights

    def _select_epochs(self) -> Iterable[int]:
        """Choose the epochs to score by, the last of which is to be in use."""
        how, last = self._setting("select_epoch"), len(self.epoch_weights_) - 1
        if how == "min_reconstruction":
            loss = self.history_.groupby("epoch")["g_loss_reconstruction"].mean()
            return [int(loss.fillna(np.inf).idxmin())]
        if how == "mean":  # callbacks may have ended it before first_epoch
            return range(min(self.first_epoch, last), last + 1)
        return [last]

    def _pick_references(self, X: np.ndarray) -> np.ndarray:
        few = min(REFERENCES, REFERENCE_PIXELS // (X.shape[1] * X.shape[2]))
        few = max(few, self.batch_size)
        return X[:: max(1, len(X) // few)][:few].copy()

    def _so_far(self, model: networks.AdversarialModel, references: np.ndarray) -> Self:
        """Give a detector with the networks as they are, in the middle of this one's training."""
        detector = clone(self)
        detector.generator_, detector.discriminator_ = model.generator, model.discriminator
        detector.fidelity_, detector.image_shape_ = self.fidelity, references.shape[1:]
        detector._references = references
        detector.calibrations_ = [{"epoch": 0, **detector._calibrate()}]
        return detector

    def use_epoch(self, epoch: int, X) -> Self:
        """Take the weights of another epoch.

        Parameters
        ----------
        epoch : int
            From 0.
        X : array-like, as in :meth:`fit`
            The training images, from which the offsets are found anew.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the weights of such an epoch are not there: they are not saved.
        """
        check_is_fitted(self)
        # A loaded detector has at most what it scores with, and not the training images.
        kept = len(self.epoch_weights_) if hasattr(self, "_references") else 0
        if not 0 <= epoch < kept:
            raise ValueError(
                f"epoch={epoch}; the weights of {kept} epochs are kept, counted from 0."
            )
        return self._use_epochs([epoch], lambda: self._blocks(X))

    def _use_epochs(
        self, epochs: Iterable[int], blocks: Callable[[], Iterable[np.ndarray]]
    ) -> Self:
        """Take weights, the last of which stay in use, and the offsets of training images."""
        calibrations = []
        for epoch in epochs:
            for name, model in self._models.items():
                model.set_weights(self.epoch_weights_[epoch][name])
            calibrations.append({"epoch": epoch, **self._calibrate()})
        self.epoch_, self.calibrations_, self._epochs = epoch, calibrations, None
        self.offsets_ = {score: self._find_offset(score, blocks) for score in SCORES}
        return self

    @property
    def _models(self) -> dict[str, keras.Model]:
        return {name: getattr(self, attribute) for name, attribute in MODELS.items()}

    def _calibrate(self) -> dict:
        """Find what scores by the present weights are held against."""
        return scoring.calibrate(
            self._models,
            self._references,
            self.statistics,
            batch_size=self.batch_size,
            orient=self.orientation == "training",
            probability=self._probability,
        )

    @property
    def _probability(self) -> bool:
        return networks.FIDELITIES[self.fidelity_].validity_activation == "sigmoid"

    def _scores(self, x: np.ndarray, score: str) -> np.ndarray:
        """Scores of some images; of several epochs their mean in training's deviations."""
        if len(self.calibrations_) == 1:
            (held,) = self.calibrations_
            scores = scoring.score(self._models, x, score, self.statistics, held)
            return scoring.oriented(scores, held["sign"][score], self._probability)
        if getattr(self, "_epochs", None) is None:  # as in a copy
            self._epochs = scoring.stack(self.epoch_weights_, self.calibrations_)
        total = 0.0
        by_epoch = scoring.score_by_epoch(self._models, self._epochs, x, score, self.statistics)
        for scores, held in zip(by_epoch, self.calibrations_):
            scores = scoring.oriented(scores, held["sign"][score], self._probability)
            total = total + (scores - held["mean"][score]) / (held["deviation"][score] or 1.0)
        return total / len(self.calibrations_)

    def _find_offset(self, score: str, blocks: Callable[[], Iterable[np.ndarray]]) -> float:
        fixed = self._probability and score != "reconstruction" and len(self.calibrations_) == 1
        if self.contamination == "auto" and fixed:
            return 0.5
        scores = _by_block(lambda x: self._scores(x, score), blocks())
        if self.contamination != "auto":
            return float(np.percentile(scores, 100 * self.contamination))
        low, high = np.percentile(scores, [25, 75])
        return float(low - 1.5 * (high - low))

    @property
    def offset_(self) -> float:
        """Scores below it are outliers'."""
        check_is_fitted(self)
        return self.offsets_[self.score]

    @property
    def least_together(self) -> int | None:
        """How many images are scored together at least, by their own statistics; or None."""
        return self.batch_size if self.statistics == "batch" else None

    def _blocks(self, X) -> Iterator[np.ndarray]:
        """Images to be scored, some at a time."""
        preconditions.check()
        dtype = self.generator_.inputs[0].dtype
        return inputs.blocks(X, self.image_shape_, dtype, self.least_together)

    def reconstruct(self, X) -> np.ndarray:
        """R(x), the images as R reconstructs them.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images like those of :meth:`fit`. No noise is added.

        Returns
        -------
        ndarray of the shape of X, float32 (float64 where R computes in it)
            In [0, 1], tanh as (R(x) + 1) / 2. Of a data set (n, height, width, channels).

        Raises
        ------
        ValueError
            As :meth:`score_samples` does for such images.
        """
        check_is_fitted(self)
        as_images = networks.FIDELITIES[self.fidelity_].as_images

        def block(x: np.ndarray) -> np.ndarray:
            if self.statistics == "moving":
                return as_images(programs.call(self.generator_, x)).numpy()
            kept = self.calibrations_[-1]["statistics"]["R"]
            kept = kept if self.statistics == "train_batch" else None
            return as_images(networks.normalized_by_batch(self.generator_, x, kept)[0]).numpy()

        images = _by_block(block, self._blocks(X))
        return images if in_batches(X) else images.reshape(as_array(X).shape)

    def score_samples(self, X, score: str | None = None) -> np.ndarray:
        """Score images, the higher the more normal.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images like those of :meth:`fit`, scored some at a time: of a memory map or a
            data set no more is read than that. No noise is added.
        score : {"reconstruction", "d_x", "d_rx"}, optional
            Minus the mean squared error of the reconstruction, D(x), or D(R(x)) (section
            3.3, equation 6). By default the parameter ``score``.

        Returns
        -------
        ndarray of shape (n,), float64
            In [-1, 0] for the reconstruction, in [-4, 0] by tanh; for D in [0, 1], or its logit
            as the authors. With select_epoch="mean" in training images' standard deviations.

        Raises
        ------
        ValueError
            If there is no such score, for images of another shape or other pixels than those
            :meth:`fit` takes, or for fewer than ``batch_size`` with statistics="batch".

        Warns
        -----
        UserWarning
            If X is uint8 and some of it, scored at a time, is all but black: its white may be
            another than 255.
        """
        check_is_fitted(self)
        score = self.score if score is None else score
        if score not in SCORES:
            raise ValueError(f"score is {score!r}; expected one of {SCORES}.")
        return _by_block(lambda x: self._scores(x, score), self._blocks(X))

    def __getstate__(self):
        # A copy of the adversarial model would have an R and a D of its own.
        left_out = ("adversarial_model_", "_epochs")
        state = {k: v for k, v in super().__getstate__().items() if k not in left_out}
        fitted = set(MODELS.values()) & set(state)
        return {**state, **{name: epochs.uncompiled(state[name]) for name in fitted}}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "generator_" in state:
            self._combine()

    def _combine(self) -> None:
        ingredients = networks.FIDELITIES[self.fidelity_]
        models = networks.combine(self.generator_, self.discriminator_, ingredients)
        self.adversarial_model_ = models.adversarial_model

    def _learned(self) -> dict:
        names = ("fidelity_", "image_shape_", "epoch_", "calibrations_", "offsets_")
        return {name: getattr(self, name) for name in names}

    def _learn(self, settings: dict) -> None:
        # Earlier files have it among the parameters alone.
        self.fidelity_ = settings.get("fidelity_", self.fidelity)
        self.image_shape_ = tuple(settings["image_shape_"])
        self.epoch_, self.offsets_ = settings["epoch_"], settings["offsets_"]
        # Earlier files have none: moving statistics, as published.
        plain = {"epoch": self.epoch_, "sign": dict.fromkeys(SCORES, 1)}
        self.calibrations_ = settings.get("calibrations_", [plain])

    def _save_networks(self, folder: Path) -> None:
        for name, model in self._models.items():
            epochs.uncompiled(model).save(folder / f"{name}.keras")
        if len(self.calibrations_) > 1:
            used = [calibration["epoch"] for calibration in self.calibrations_]
            epochs.save(folder / "epochs.npz", self.epoch_weights_, used)

    def _load_networks(self, folder: Path) -> None:
        for name, attribute in MODELS.items():
            model = keras.saving.load_model(folder / f"{name}.keras", compile=False)
            setattr(self, attribute, model)
        self._combine()
        self.epoch_weights_ = epochs.load(folder / "epochs.npz")


def _by_block(
    function: Callable[[np.ndarray], np.ndarray], blocks: Iterable[np.ndarray]
) -> np.ndarray:
    results = []
    for block in blocks:
        results.append(function(block))
    return np.concatenate(results)


_AS_WRITTEN = programs.Unaltered(
    *(ALOCC, networks, training, keras2, tensorflow1, distribution, optimizers)
)
