"""ALOCC: a scikit-learn outlier detector for images around the published training."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar, Self

import keras
import numpy as np
import pandas as pd
import scipy.special
import tensorflow as tf
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from alocc import keras2, networks, scoring, tensorflow1, training
from alocc.pixels import add_noise, check_channels_last, check_white, to_unit
from alocc.scoring import SCORES, STATISTICS
from gaal_alocc import distribution, optimizers, preconditions, programs
from gaal_alocc.arrays import as_array, batches, in_batches
from gaal_alocc.callbacks import as_list, set_estimator
from gaal_alocc.checkpoints import Checkpoints, open_checkpoints, write_whole, writing
from gaal_alocc.file_kinds import saved_file
from gaal_alocc.files import EXACTLY
from gaal_alocc.judgement import judge
from gaal_alocc.precision import computing_in

FILE_FORMAT = 1
BLOCK_PIXELS = 2**20  # of the images that are scored at a time: bounds the memory of the maps
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
ALL_BUT_BLACK = 16  # of uint8: what is scored, and as dark, may be of another scale
FEW_UPDATES = 100  # in fewer the reconstruction error has hardly become a score


def _check_images(X) -> np.ndarray:
    """Look at the form of X, not at its pixels, and give it its axis of channels."""
    X = np.concatenate(list(_batches(X))) if in_batches(X) else as_array(X)
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X has shape {X.shape}; expected (n, height, width) or (n, height, width, channels)."
        )
    if len(X) == 0:
        raise ValueError(f"X has shape {X.shape}; expected at least one image.")
    if _single(X.shape):
        raise ValueError(
            f"X has shape {X.shape}, as a single image has; expected (n, height, width) or (n,"
            " height, width, channels): give X[None], or of a tf.data.Dataset X.batch(n)."
        )
    check_channels_last(X, "X")
    return X[..., None] if X.ndim == 3 else X


def _single(shape: Sequence[int | None]) -> bool:
    """Tell whether it is the shape of one image, without the axis of images."""
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))


def _batches(X: tf.data.Dataset | keras.utils.PyDataset) -> Iterator[np.ndarray]:
    """Batches of images as arrays; the first is there even where there are no images."""
    expected = "batches of images, (n, height, width) or (n, height, width, channels)"
    spec = getattr(X, "element_spec", None)  # which tf.data alone tells
    if isinstance(spec, tf.TensorSpec) and spec.shape.rank and _single(spec.shape):
        raise ValueError(
            f"X is a tf.data.Dataset of single images, {tuple(spec.shape)}; expected {expected}:"
            " X.batch(n)."
        )
    found = batches(X, (3, 4), expected)
    size = (0, 0, 0) if spec is None else [size or 0 for size in spec.shape[1:]]
    return itertools.chain([next(found, np.empty([0, *size]))], found)


def _pixels(X: np.ndarray, dtype: str, first: int = 0) -> np.ndarray:
    """X in [0, 1]; first is what an error calls X[0]."""
    if X.dtype == np.uint8 and 0 < (high := X.max(initial=0)) <= ALL_BUT_BLACK:
        warnings.warn(
            f"X is uint8, of which 255 is white, but holds nothing above {high} from X[{first}] to"
            f" X[{first + len(X) - 1}], which is all but black. If another value is white, give"
            f" alocc.datasets.to_unit(X, white={high}), in the shell --white.",
            UserWarning,
            stacklevel=4,
        )
    return to_unit(X, first).astype(dtype, copy=False)


class ALOCC(distribution.SharedStrategy, OutlierMixin, BaseEstimator):
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
    strategy : tf.distribute.Strategy, {"mirrored", "multiworker"} or None, default=None
        Devices to train on. Every batch is divided over them, and the result is one device's
        within float error: batch normalisation sees the whole batch, and gradients are
        clipped after they are added up. "mirrored": all GPUs of this machine. "multiworker":
        the machines of the environment's TF_CONFIG, on each of which the same program runs on
        the same images; the first one's seed counts. None: the current strategy,
        ``tf.distribute.get_strategy()``, or none.
    random_state : int, RandomState instance or None, default=None
        Seeds weights and noise: same seed, same numbers (on a GPU after
        ``tf.config.experimental.enable_op_determinism()``).
    verbose : int, default=0
        1 shows a progress bar with the losses.

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

    _parameter_constraints: ClassVar[dict] = {
        "epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
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
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "steps_per_execution": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "strategy": [None, StrOptions(set(distribution.NAMES)), tf.distribute.Strategy],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        epochs="auto",
        *,
        batch_size=128,
        r_alpha=0.2,
        noise_sigma=0.155,
        learning_rate=0.002,
        clipvalue="auto",
        decay="auto",
        gf_dim=16,
        df_dim=16,
        decoder="auto",
        fidelity="published",
        score="reconstruction",
        select_epoch="auto",
        first_epoch=5,
        statistics="moving",
        orientation="raw",
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
        self.clipvalue = clipvalue
        self.decay = decay
        self.gf_dim = gf_dim
        self.df_dim = df_dim
        self.decoder = decoder
        self.fidelity = fidelity
        self.score = score
        self.select_epoch = select_epoch
        self.first_epoch = first_epoch
        self.statistics = statistics
        self.orientation = orientation
        self.contamination = contamination
        self.steps_per_execution = steps_per_execution
        self.strategy = strategy
        self.random_state = random_state
        self.verbose = verbose

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
        checkpoint_every : int or "auto", default="auto"
            Epochs from one snapshot to the next. "auto" takes them as often as costs at most
            a twentieth of the time. No number depends on it.
        resume : bool, default=False
            Go on from the newest whole snapshot in ``checkpoint_dir``, to the same history
            and weights, bit for bit, as if the run had never been killed; where there is
            none, begin. ``epochs`` may have grown; callbacks begin anew, without what they
            remembered. A run with a ``random_state`` that is no int goes on by the seed that
            it drew at first.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If X has another rank, images of different sizes, smaller than 16 x 16 or with
            other than 1 or 3 channels, fewer of them than a batch, pixels outside of [0, 1],
            NaN, or another type than uint8, float and bool, or is uint8 with nothing from 128
            up, whose white may be another than 255; if the replicas cannot share a batch, or
            ``strategy`` is one that cannot train, or cannot with a checkpoint_dir. If the
            snapshot to resume is of other data, parameters or versions, the message naming
            every difference, or the weights of one of its epochs are damaged or missing. If
            callbacks holds one of Keras's that cannot work here.
        TypeError
            If X is no array-like and no data set, or callbacks holds something else.
        FileExistsError
            If checkpoint_dir holds a run's snapshots and ``resume`` is False.
        OSError
            If a snapshot or weights cannot be written; the last whole snapshot is kept.

        Warns
        -----
        ConvergenceWarning
            If the losses do not stay finite.
        UserWarning
            Before the training, if it will make fewer than 100 updates. If a snapshot is
            damaged, and the one before it taken.
        """
        with distribution.scope(self.strategy), computing_in(networks.float_type()):
            return self._fit(X, callbacks, checkpoint_dir, checkpoint_every, resume)

    def _fit(self, X, callbacks, checkpoint_dir, checkpoint_every, resume) -> Self:
        X = _check_images(X)
        image_shape = X.shape[1:]
        networks.check_image_shape(image_shape)
        check_white(X)
        if len(X) < self.batch_size:
            raise ValueError(
                f"X holds {len(X)} images, fewer than batch_size={self.batch_size}: no batch"
                " would be full. Expected more images, or a smaller batch_size."
            )
        if self.select_epoch == "mean" and self.first_epoch >= self._setting("epochs"):
            raise ValueError(
                f"first_epoch is {self.first_epoch} with select_epoch='mean', and epochs is"
                f" {self._setting('epochs')}: no epoch would count. Expected less."
            )
        distribution.check_snapshots(checkpoint_dir)
        distribution.shares(self.batch_size, tf.distribute.get_strategy().num_replicas_in_sync)
        X = _pixels(X, networks.float_type())
        epochs, batches = self._setting("epochs"), len(X) // self.batch_size
        if epochs * batches < FEW_UPDATES:
            warnings.warn(
                f"The training will make {epochs * batches} updates: {epochs} epochs, each of"
                f" {batches} whole {'batch' if batches == 1 else 'batches'} of"
                f" batch_size={self.batch_size} images. That is little for R to learn by: of fewer"
                f" than {FEW_UPDATES} the reconstruction error is hardly a score yet. Raise"
                " epochs, or lower batch_size.",
                UserWarning,
                stacklevel=4,
            )
        callbacks = as_list(callbacks)

        seed = distribution.agree(check_random_state(self.random_state).randint(2**31), X)
        checkpoints = open_checkpoints(
            checkpoint_dir,
            self,
            {"X": X},
            seed=seed,
            every=checkpoint_every,
            resume=resume,
            free=(
                *("contamination", "score", "select_epoch", "first_epoch"),
                *("statistics", "orientation", "strategy"),
            ),
        )
        if checkpoints is not None:
            seed = checkpoints.seed
        r_seed, d_seed, noise_seed = np.random.default_rng(seed).integers(2**31, size=3)
        noisy = add_noise(X, self.noise_sigma, int(noise_seed)).astype(X.dtype, copy=False)
        ingredients = networks.FIDELITIES[self.fidelity]
        decoder = self._setting("decoder")
        models = networks.combine(
            networks.build_generator(
                image_shape, self.gf_dim, self.df_dim, decoder, ingredients, int(r_seed)
            ),
            networks.build_discriminator(image_shape, self.df_dim, ingredients, int(d_seed)),
            ingredients,
        )
        networks.compile_models(
            models,
            self.r_alpha,
            self.learning_rate,
            self._setting("clipvalue"),
            self._setting("decay"),
            ingredients,
        )
        form = programs.form(models.generator, models.discriminator) if _AS_WRITTEN else None
        rules = (self.fidelity, float(self.r_alpha), self._setting("clipvalue"))
        pair = {"R": models.generator, "D": models.discriminator}
        epoch_weights = []
        if checkpoints is not None:
            copies = {name: _uncompiled(model) for name, model in pair.items()}
            epoch_weights = [
                {
                    name: _read_weights(copy, checkpoints, epoch, name)
                    for name, copy in copies.items()
                }
                for epoch in range(checkpoints.epoch)
            ]

        def keep_weights(epoch: int, logs: dict) -> None:
            epoch_weights.append({name: model.get_weights() for name, model in pair.items()})
            if checkpoints is not None:
                for name, model in pair.items():
                    _write_weights(model, checkpoints, epoch, name)

        set_estimator(callbacks, self, X)
        history = training.train(
            models,
            X,
            noisy,
            algorithm=training.ALGORITHMS[self.fidelity],
            batch_size=self.batch_size,
            n_epochs=epochs,
            steps_per_execution=self.steps_per_execution,
            callbacks=callbacks,
            on_epoch=keep_weights,
            checkpoints=checkpoints,
            share_as=form and (form, rules),
            verbose=self.verbose if distribution.is_chief() else 0,
        )
        if not np.isfinite(history.to_numpy()).all():
            bad = history.index[~np.isfinite(history).all(axis=1)][0]
            warnings.warn(
                f"The losses are not finite from update {bad} on. Use a smaller learning rate"
                f" than learning_rate={self.learning_rate}.",
                ConvergenceWarning,
                stacklevel=4,
            )

        self.generator_, self.discriminator_ = models.generator, models.discriminator
        self.adversarial_model_ = models.adversarial_model
        self.fidelity_ = self.fidelity
        self.image_shape_ = image_shape
        self.history_ = history
        self.epoch_weights_ = epoch_weights
        self._references = self._pick_references(X)
        last = len(epoch_weights) - 1
        how = self._setting("select_epoch")
        if how == "min_reconstruction":
            loss = history.groupby("epoch")["g_loss_reconstruction"].mean()
            return self.use_epoch(int(loss.fillna(np.inf).idxmin()), X)
        if how == "mean":  # callbacks may have ended it before first_epoch
            return self._use_epochs(range(min(self.first_epoch, last), last + 1), X)
        return self.use_epoch(last, X)

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
        return self._use_epochs([epoch], X)

    def _use_epochs(self, epochs: Iterable[int], X) -> Self:
        calibrations = []
        for epoch in epochs:
            for name, model in self._models.items():
                model.set_weights(self.epoch_weights_[epoch][name])
            calibrations.append({"epoch": epoch, **self._calibrate()})
        self.epoch_, self.calibrations_, self._epochs = epoch, calibrations, None
        self.offsets_ = {score: self._find_offset(score, X) for score in SCORES}
        return self

    @property
    def _models(self) -> dict[str, keras.Model]:
        return {name: getattr(self, attribute) for name, attribute in MODELS.items()}

    def _calibrate(self) -> dict:
        """Find what scores by the present weights are held against; no labels are needed."""
        batch = self._references[: self.batch_size]
        rx, of_r = networks.normalized_by_batch(self.generator_, batch)
        statistics = {
            "R": of_r,
            "d_x": networks.normalized_by_batch(self.discriminator_, batch)[1],
            "d_rx": networks.normalized_by_batch(self.discriminator_, rx)[1],
        }
        calibration = {
            "statistics": {
                name: [[part.numpy().tolist() for part in pair] for pair in pairs]
                for name, pairs in statistics.items()
            },
            "sign": dict.fromkeys(SCORES, 1),
        }
        scores = {
            score: self._by_block(
                self._references, lambda x, score=score: self._scores(x, score, calibration)
            )
            for score in SCORES
        }
        if self.orientation == "training":
            for score in ("d_x", "d_rx"):
                logits = scores[score]
                if self._probability:
                    eps = keras.config.epsilon()
                    logits = scipy.special.logit(np.clip(logits, eps, 1 - eps))
                if np.mean(logits) < 0:
                    calibration["sign"][score] = -1
                    scores[score] = (1 if self._probability else 0) - scores[score]
        means = {score: float(np.mean(values)) for score, values in scores.items()}
        deviations = {score: float(np.std(values)) for score, values in scores.items()}
        return {**calibration, "mean": means, "deviation": deviations}

    @property
    def _probability(self) -> bool:
        return networks.FIDELITIES[self.fidelity_].validity_activation == "sigmoid"

    def _scores(self, x: np.ndarray, score: str, calibration: dict) -> np.ndarray:
        """Scores of some images by the present weights, oriented."""
        scores = scoring.score(self._models, x, score, self.statistics, calibration)
        return self._oriented(scores, score, calibration)

    def _oriented(self, scores: np.ndarray, score: str, calibration: dict) -> np.ndarray:
        if calibration["sign"][score] > 0:
            return scores
        return 1 - scores if self._probability else -scores

    def _find_offset(self, score: str, X) -> float:
        fixed = self._probability and score != "reconstruction" and len(self.calibrations_) == 1
        if self.contamination == "auto" and fixed:
            return 0.5
        scores = self.score_samples(X, score)
        if self.contamination != "auto":
            return float(np.percentile(scores, 100 * self.contamination))
        low, high = np.percentile(scores, [25, 75])
        return float(low - 1.5 * (high - low))

    @property
    def offset_(self) -> float:
        """Scores below it are outliers'."""
        check_is_fitted(self)
        return self.offsets_[self.score]

    def _by_block(self, X, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Apply a function to the images X, some at a time."""
        preconditions.check()
        check_is_fitted(self)
        dtype = self.generator_.inputs[0].dtype
        if in_batches(X) and getattr(X, "shuffle", None) is True:  # an Iterator of Keras
            warnings.warn(
                "X shuffles its images, and so their scores: shuffle=False keeps their order.",
                UserWarning,
                stacklevel=4,
            )
        results, first = [], 0
        for images in _batches(X) if in_batches(X) else [X]:
            images = _check_images(images)
            n = len(images)
            if images.shape[1:] != self.image_shape_:
                raise ValueError(
                    f"X has images of shape {images.shape[1:]} (height, width, channels); ALOCC was"
                    f" fitted on {self.image_shape_}."
                )
            step = max(1, BLOCK_PIXELS // (images.shape[1] * images.shape[2]))
            ends = [*range(step, n, step), n]
            if self.statistics == "batch":
                if n < self.batch_size:
                    raise ValueError(
                        f"X has {n} images; with statistics='batch' they are normalised by their"
                        f" own statistics, batch_size={self.batch_size} at least at a time."
                        " Expected more images, or other statistics."
                    )
                ends = [*range(self.batch_size, n - self.batch_size + 1, self.batch_size), n]
            for start, end in zip([0, *ends], ends):
                results.append(function(_pixels(images[start:end], dtype, first + start)))
            first += n
        return np.concatenate(results)

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
        """
        check_is_fitted(self)
        as_images = networks.FIDELITIES[self.fidelity_].as_images

        def block(x: np.ndarray) -> np.ndarray:
            if self.statistics == "moving":
                return as_images(programs.call(self.generator_, x)).numpy()
            kept = self.calibrations_[-1]["statistics"]["R"]
            kept = kept if self.statistics == "train_batch" else None
            return as_images(networks.normalized_by_batch(self.generator_, x, kept)[0]).numpy()

        images = self._by_block(X, block)
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

        if len(self.calibrations_) == 1:
            only = self.calibrations_[0]
            return self._by_block(X, lambda x: self._scores(x, score, only))

        calibrations = self.calibrations_
        if getattr(self, "_epochs", None) is None:  # as in a copy
            self._epochs = scoring.stack(self.epoch_weights_, calibrations)

        def mean_of_epochs(x: np.ndarray) -> np.ndarray:
            total = 0.0
            by_epoch = scoring.score_by_epoch(self._models, self._epochs, x, score, self.statistics)
            for scores, calibration in zip(by_epoch, calibrations):
                scores = self._oriented(scores, score, calibration) - calibration["mean"][score]
                total = total + scores / (calibration["deviation"][score] or 1.0)
            return total / len(calibrations)

        return self._by_block(X, mean_of_epochs)

    def decision_function(self, X) -> np.ndarray:
        """Score X against the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images like those of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """Tell inliers from outliers.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images like those of :meth:`fit`.

        Returns
        -------
        ndarray of shape (n,), int
            1 for an inlier, -1 for an outlier.

        Raises
        ------
        ValueError
            If a score, or the threshold, is NaN, as those of a training that did not stay
            finite: no NaN is an inlier or an outlier.
        """
        return judge(self.decision_function(X))

    def __getstate__(self):
        # A copy of the adversarial model would have an R and a D of its own.
        left_out = ("adversarial_model_", "_epochs")
        state = {k: v for k, v in super().__getstate__().items() if k not in left_out}
        fitted = set(MODELS.values()) & set(state)
        return {**state, **{name: _uncompiled(state[name]) for name in fitted}}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "generator_" in state:
            self._combine()

    def _combine(self) -> None:
        ingredients = networks.FIDELITIES[self.fidelity_]
        models = networks.combine(self.generator_, self.discriminator_, ingredients)
        self.adversarial_model_ = models.adversarial_model

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted detector into one file.

        Parameters
        ----------
        path : path-like
            A zip archive: ``detector.json`` (parameters), ``R.keras`` and ``D.keras`` (the
            models of the epoch in use, without optimizer), ``epochs.npz`` where several are in
            use, and ``history.csv``. It appears whole or not at all. A ``random_state`` that is
            not an int is not kept, nor is a ``strategy`` that is not a name.

        Raises
        ------
        OSError
            If there is no such folder, or the file cannot be written.
        """
        check_is_fitted(self)
        path = Path(os.path.expanduser(path))
        if not path.parent.is_dir():
            raise FileNotFoundError(f"path is {path}, but there is no folder {path.parent}.")
        if path.is_dir():
            raise IsADirectoryError(f"path is {path}, a folder; expected a file's name.")
        params = self.get_params()
        if not isinstance(params["random_state"], Integral):
            params["random_state"] = None
        if isinstance(params["strategy"], tf.distribute.Strategy):
            params["strategy"] = None
        settings = {
            "format": FILE_FORMAT,
            "class": type(self).__name__,
            "params": params,
            "fidelity_": self.fidelity_,
            "image_shape_": self.image_shape_,
            "epoch_": self.epoch_,
            "calibrations_": self.calibrations_,
            "offsets_": self.offsets_,
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        }
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            folder = Path(folder)
            text = json.dumps(settings, indent=1, default=lambda number: number.item())
            (folder / "detector.json").write_text(text)
            self.history_.to_csv(folder / "history.csv")
            for name, attribute in MODELS.items():
                _uncompiled(getattr(self, attribute)).save(folder / f"{name}.keras")
            if len(self.calibrations_) > 1:
                weights = {
                    f"{epoch}/{name}/{i}": array
                    for epoch in (calibration["epoch"] for calibration in self.calibrations_)
                    for name, arrays in self.epoch_weights_[epoch].items()
                    for i, array in enumerate(arrays)
                }
                np.savez(folder / "epochs.npz", **weights)
            members = list(folder.iterdir())
            with zipfile.ZipFile(folder / "detector.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for member in members:
                    archive.write(member, member.name)
            os.replace(folder / "detector.zip", path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a detector that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The file. Nothing in it is unpickled.

        Returns
        -------
        ALOCC
            A fitted detector whose scores equal the saved one's bit for bit.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If the file is no saved detector.
        """
        path = saved_file(path)
        try:
            with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
                settings = json.loads(archive.read("detector.json"))
                if settings["class"] != cls.__name__ or settings["format"] != FILE_FORMAT:
                    raise ValueError(
                        f"{path} holds a {settings['class']} in format {settings['format']};"
                        f" expected a {cls.__name__} in format {FILE_FORMAT}."
                    )
                detector = cls(**settings["params"])
                # Earlier files have it among the parameters alone.
                detector.fidelity_ = settings.get("fidelity_", detector.fidelity)
                for name, attribute in MODELS.items():
                    file = archive.extract(f"{name}.keras", folder)
                    setattr(detector, attribute, keras.saving.load_model(file, compile=False))
                epoch_weights = []
                if "epochs.npz" in archive.namelist():
                    with np.load(archive.extract("epochs.npz", folder)) as arrays:
                        epoch_weights = _by_epoch(arrays)
                with archive.open("history.csv") as file:
                    history = pd.read_csv(file, index_col="update", **EXACTLY)
        except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a detector saved by {cls.__name__}.save.") from error
        detector._combine()
        detector.image_shape_ = tuple(settings["image_shape_"])
        detector.history_ = history
        detector.epoch_ = settings["epoch_"]
        detector.epoch_weights_ = epoch_weights
        detector.offsets_ = settings["offsets_"]
        # Earlier files have none: moving statistics, as published.
        plain = {"epoch": detector.epoch_, "sign": dict.fromkeys(SCORES, 1)}
        detector.calibrations_ = settings.get("calibrations_", [plain])
        return detector


def _by_epoch(arrays) -> list[dict[str, list[np.ndarray]]]:
    """Sort the arrays of ``epochs.npz``; epochs that are not in use are empty."""
    found = {}
    for key in arrays.files:
        epoch, name, i = key.split("/")
        found[int(epoch), name, int(i)] = arrays[key]
    epoch_weights = [{} for _ in range(max(epoch for epoch, _, _ in found) + 1)]
    for epoch, name, i in sorted(found):
        epoch_weights[epoch].setdefault(name, []).append(found[epoch, name, i])
    return epoch_weights


def _uncompiled(model: keras.Model) -> keras.Model:
    """Copy a model without its optimizer, which holds the other model's variables too."""
    copy = type(model).from_config(model.get_config())  # clone_model compiles where it can
    copy.set_weights(model.get_weights())
    return copy


def _write_weights(model: keras.Model, checkpoints: Checkpoints, epoch: int, name: str) -> None:
    """Write a model's weights after an epoch, and have the snapshots note their SHA-256."""
    path = checkpoints.folder / f"epoch_{epoch:02d}_{name}.weights.h5"
    # From an archive, for which Keras makes them in memory: where HDF5 itself meets a full disk,
    # the process crashes.
    aside = checkpoints.folder / "unfinished.keras"
    with writing(path, aside):
        _uncompiled(model).save(aside)
        with zipfile.ZipFile(aside) as archive:
            content = archive.read("model.weights.h5")
        aside.unlink()
    write_whole(path, content)
    checkpoints.notes[path.name] = hashlib.sha256(content).hexdigest()


def _read_weights(
    model: keras.Model, checkpoints: Checkpoints, epoch: int, name: str
) -> list[np.ndarray]:
    """Read what :func:`_write_weights` wrote, by way of a model of that form."""
    path = checkpoints.folder / f"epoch_{epoch:02d}_{name}.weights.h5"
    if not path.is_file():
        raise ValueError(f"{path} is missing, without which the run cannot be resumed.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != checkpoints.notes[path.name]:
        raise ValueError(f"{path} is damaged or of another run: the run cannot be resumed.")
    model.load_weights(path)
    return model.get_weights()


_AS_WRITTEN = programs.Unaltered(
    *(ALOCC, networks, training, keras2, tensorflow1, distribution, optimizers)
)
