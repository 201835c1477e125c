"""SOGAAL and MOGAAL: scikit-learn outlier detectors around the published training."""

import copy
import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, replace
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from gaal import doors, networks, stopping, training, updates
from gaal.estimator import Detector
from gaal_alocc import distribution, optimizers, preconditions, programs
from gaal_alocc.callbacks import set_estimator
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.estimator import parameters
from gaal_alocc.progress import tell


@parameters
class _GAAL(Detector):
    """What SOGAAL and MOGAAL share: all but the networks and the update.

    Parameters
    ----------
    stop_epochs : int or "auto", default=20
        SO-GAAL's generator trains for ``stop_epochs + 1`` epochs, MO-GAAL's sub-generators for
        ``stop_epochs`` epochs and one batch, then they are frozen. "auto" is the authors' rule
        of thumb, :func:`gaal.stopping.suggest_stop_epochs`: ``fit`` first trains without
        stopping, over 512 updates and ever twice as many, until the generators' loss has risen
        again after its fall or has slowed in it by half of the run, 16384 updates at most; then
        it trains as published with the number found, from the same seed.
    epochs : int, default=None
        Epochs in all; None means ``3 * stop_epochs``, as published.
    whether_stop : bool, default=True
        Whether the generator, or all sub-generators, are frozen at all.
    shuffle : bool, default=False
        Draw new batches every epoch, as ports do. As published, rows are shuffled once
        before training and batches stay the same.
    generator_bias : float, default=0.0
        Initial bias of the generator's layers (0 as published).
    discriminator_init : {"published", "lecun_normal", "glorot_normal", "glorot_uniform"}, \
            default="published"
        Initial kernels of the discriminator. As published: truncated normal with standard
        deviation sqrt(1 / fan_in), cut at two of them. "lecun_normal" is 14% wider, as the
        published program draws them under Keras 2.2.4 and later.
    discriminator_bias : float, default=0.0
        Initial bias of the discriminator's layers (0 as published).

    Attributes
    ----------
    discriminator_, combine_model_ : keras.Model
        The trained discriminator, and the same behind the generator.
    stop_epochs_ : int
        ``stop_epochs``, or what "auto" found.
    """

    _: KW_ONLY
    stop_epochs: int | str = 20
    epochs: int | None = None
    whether_stop: bool = True
    shuffle: bool = False
    generator_bias: float = 0.0
    discriminator_init: str = "published"
    discriminator_bias: float = 0.0

    _algorithm: ClassVar[training.Algorithm]

    _parameter_constraints: ClassVar[dict] = {
        **Detector._parameter_constraints,
        "stop_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "epochs": [None, Interval(Integral, 1, None, closed="left")],
        "whether_stop": ["boolean"],
        "shuffle": ["boolean"],
        "generator_bias": [Interval(Real, None, None, closed="neither")],
        "discriminator_init": [StrOptions(set(networks.DISCRIMINATOR_INITS))],
        "discriminator_bias": [Interval(Real, None, None, closed="neither")],
    }

    def _fit(self, X, y, callbacks, checkpointing) -> None:
        X, is_outlier = self._read(X, y)
        seed, checkpoints = self._begin({"X": X, "y": is_outlier}, *checkpointing)
        # One generator for each use, so that no number depends on the door or on how many
        # updates a call runs.
        generators = np.random.default_rng(seed).spawn(3)
        training_order = generators[1].permutation(len(X))
        X = X[training_order]  # no second name keeps what was read from a file in memory
        if is_outlier is not None:
            is_outlier = is_outlier[training_order]
        set_estimator(callbacks, self, X)
        run = functools.partial(self._train, X, generators)
        stop_epochs = self.stop_epochs
        if stop_epochs == "auto":
            notes = {} if checkpoints is None else checkpoints.notes
            if "stop_epochs" not in notes:  # else a run that goes on searches no second time
                notes["stop_epochs"] = self._find_stop_epochs(run, len(X))
            stop_epochs = notes["stop_epochs"]
        gan, history = run(
            stop_epochs,
            3 * stop_epochs if self.epochs is None else self.epochs,
            self.whether_stop,
            is_outlier=is_outlier,
            callbacks=callbacks,
            checkpoints=checkpoints,
        )
        self._gan = gan
        self.stop_epochs_ = stop_epochs
        self._finish(X, history)

    def _train(
        self,
        X: np.ndarray,
        generators: Sequence[np.random.Generator],
        stop_epochs: int,
        n_epochs: int,
        whether_stop: bool,
        is_outlier: np.ndarray | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoints: Checkpoints | None = None,
    ) -> tuple[networks.GAN | networks.Deferred, pd.DataFrame]:
        """Build the networks and train them on rows in training order.

        The generators are copied, so that every run begins the same.
        """
        n, n_features = X.shape
        batch_size = min(self.batch_size, n)
        n_batches = n // batch_size
        weights_rng, order_rng, noise_rng = copy.deepcopy(generators)

        gan, share_as = self._networks(n, n_features, batch_size, int(weights_rng.integers(2**31)))

        def orders() -> Iterator[np.ndarray]:
            rows = np.arange(n_batches * batch_size, dtype=np.int32)
            while True:
                if self.shuffle:
                    rows = order_rng.permutation(n)[: len(rows)].astype(np.int32)
                yield rows.reshape(n_batches, batch_size)

        def draw_noise(n_updates: int) -> np.ndarray:
            shape = (n_updates, self._algorithm.draws, batch_size, n_features)
            return noise_rng.random(shape, dtype=np.float32)

        history = training.train(
            gan,
            self._algorithm,
            X,
            orders=orders(),
            draw_noise=draw_noise,
            n_epochs=n_epochs,
            active_updates=self._algorithm.active_updates(
                stop_epochs, n_batches, n_epochs, whether_stop
            ),
            steps_per_execution=self.steps_per_execution,
            is_outlier=is_outlier,
            callbacks=callbacks,
            checkpoints=checkpoints,
            generators=(order_rng, noise_rng),
            share_as=share_as,
            verbose=self.verbose if distribution.is_chief() else 0,
        )
        return gan, history

    def _networks(
        self, n: int, n_features: int, batch_size: int, seed: int
    ) -> tuple[networks.GAN | networks.Deferred, Hashable]:
        """Networks for n rows, and what of them a traced program depends on, where it is known."""
        k = getattr(self, "k", None)
        if k is not None:
            training.noise_rows(batch_size, k)  # refuses a k that the batch cannot feed

        def build(made_by: _GAAL = self) -> tuple[keras.Model, keras.Model]:
            generator = made_by._build_generator(n_features)
            return generator, made_by._build_discriminator(n_features, n, seed)

        settings = (self.lr_d, self.lr_g, self.decay, self.momentum)
        published = self._algorithm.update in (training.so_gaal_update, training.mo_gaal_update)
        own = published and bool(_AS_WRITTEN)
        replaced = any(name.startswith("_build") for name in vars(self))
        if replaced or not own or type(self) not in (SOGAAL, MOGAAL):  # they may be any
            gan = networks.combine(*build())
            networks.compile_models(gan, *settings)
            form = programs.form(*gan.parts) if own else None
        else:
            # As it is now: parameters may be set anew before the models are looked at.
            now = type(self)(**self.get_params(deep=False))
            weights = networks.initial_weights(
                n_features,
                n,
                k,
                self.generator_bias,
                self.discriminator_init,
                self.discriminator_bias,
                seed,
            )
            gan = networks.Deferred(lambda: build(now), weights, k, *settings)
            form = (n_features, networks.hidden_units(n))
        return gan, form and (form, k, float(self.momentum))

    def _find_stop_epochs(self, run: Callable[..., tuple], n: int) -> int:
        """Train without stopping, and read stop_epochs off the generator's loss."""

        def loss_of(n_epochs: int) -> np.ndarray:
            if self.verbose and distribution.is_chief():
                tell(f'stop_epochs="auto": {n_epochs} epochs without stopping')
            _, history = run(n_epochs, n_epochs, whether_stop=False)
            loss = history["generator_loss"].to_numpy()
            if not np.isfinite(loss).all():
                raise ValueError(
                    'stop_epochs="auto" finds no answer, as the generator\'s loss does not stay'
                    f" finite. Use smaller learning rates than lr_d={self.lr_d},"
                    f" lr_g={self.lr_g}, scaled features, or a number of epochs."
                )
            return loss

        loss, slowed = stopping.probe(loss_of, n // min(self.batch_size, n))
        if not slowed:
            raise ValueError(
                f'stop_epochs="auto" finds no answer: within {len(loss)} updates the'
                " generator's loss does not rise and fall, and slow in its fall. Give a"
                " number of epochs."
            )
        return stopping.suggest_stop_epochs(loss, n, self.batch_size)

    def _stop_node(self, n: int) -> int:
        """Count the updates of a training on n rows in which the published generator learns."""
        n_updates, m = len(self.history_), n // min(self.batch_size, n)
        active = training.Algorithm.active_updates(  # not that of a subclass
            self._algorithm, self.stop_epochs_, m, n_updates // m, self.whether_stop
        )
        return min(active, n_updates)

    def _build_generator(self, n_features: int) -> keras.Model:
        return networks.build_generator(n_features, self.generator_bias)

    def _build_discriminator(self, n_features: int, n_samples: int, seed: int) -> keras.Model:
        return networks.build_discriminator(
            n_features,
            n_samples,
            init=self.discriminator_init,
            bias=self.discriminator_bias,
            seed=seed,
        )

    def _score(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        preconditions.check()
        score = networks.scorer(self._gan.parts[1])
        return np.concatenate([score(block) for block in blocks])

    @property
    def generator_(self) -> keras.Model:
        """The trained generator."""
        return self._gan.generator

    @property
    def discriminator_(self) -> keras.Model:
        """The trained discriminator."""
        return self._gan.discriminator

    @property
    def combine_model_(self) -> keras.Model:
        """The discriminator behind the generator."""
        return self._gan.combine_model

    def _learned(self) -> dict:
        return {**super()._learned(), "stop_epochs_": self.stop_epochs_}

    def _learn(self, settings: dict) -> None:
        super()._learn(settings)
        # Files written before there was "auto" have a number.
        self.stop_epochs_ = settings.get("stop_epochs_", self.stop_epochs)

    def _save_networks(self, folder: Path) -> None:
        for model, name in zip(self._gan.parts, ("generator", "discriminator")):
            keras.saving.save_model(model, folder / f"{name}.keras")

    def _load_networks(self, folder: Path) -> None:
        paths = [folder / f"{name}.keras" for name in ("generator", "discriminator")]
        models = [keras.saving.load_model(path, compile=False) for path in paths]
        self._gan = networks.combine(*models)

    def __getstate__(self):
        # A copy of the combined model would have a generator and a discriminator of its own.
        state = super().__getstate__()
        return {**state, "_gan": self._gan.parts} if "_gan" in state else state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_gan" in state:
            self._gan = networks.combine(*state["_gan"])


@parameters
class SOGAAL(_GAAL):
    """Single-objective generative adversarial active learning (SO-GAAL).

    A generator learns to place potential outliers where a discriminator still takes them for
    data; the discriminator so learns the boundary of the data, and its output scores every
    row. Liu et al., "Generative Adversarial Active Learning for Unsupervised Outlier
    Detection", IEEE TKDE 2019, section 3 and algorithm 1, trained step by step as in the
    authors' program.

    Attributes
    ----------
    generator_ : keras.Model
        The trained generator.
    history_ : DataFrame
        A row an update: discriminator_loss, generator_loss, and auc, the epoch's ROC AUC on
        the training data, where ``fit`` was given y.

    See Also
    --------
    MOGAAL : Several generators with targets of their own.

    Notes
    -----
    Scores are higher for inliers. With y = 1 for outliers scikit-learn's ``"roc_auc"`` would
    search for the worst: code y as it codes outliers, ``np.where(y == 1, -1, 1)``, and
    ``cross_val_score(detector, X, y, scoring="roc_auc")`` and searches are the right way up.
    Every fold must hold outliers: give a ``StratifiedKFold``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from gaal import SOGAAL
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = make_pipeline(MinMaxScaler(), SOGAAL(stop_epochs=5, random_state=0))
    >>> detector.fit(X).score_samples(X).shape
    (100,)
    """

    stop_epochs: int | str = 20

    _algorithm = training.SO_GAAL


@parameters
class MOGAAL(_GAAL):
    """Multiple-objective generative adversarial active learning (MO-GAAL).

    As :class:`SOGAAL`, with k sub-generators in place of one. Each is drawn to a part of the
    data of its own, that which the discriminator finds about as real as the quantile i/k of
    all rows, so that the potential outliers surround the whole data set and do not collapse
    onto one place. Liu et al., IEEE TKDE 2019, section 3.3 and algorithm 2.

    Parameters
    ----------
    k : int, default=10
        Number of sub-generators. They share a batch by rank, so that it must hold at least
        k(k + 1) / 2 rows.
    quantile_sample_size : int, default=None
        Rows of whose D(x) the quantiles are taken that the sub-generators are drawn to, on
        whatever devices. None, as published, takes all; a number takes so many, drawn at random
        once before training and the same in every update (all, where there are no more).

    Attributes
    ----------
    generator_ : keras.Model
        The k sub-generators as one batched model, (k, batch, d) in and out.
    sub_generators_ : list of keras.Model
        Copies of the k trained sub-generators, (batch, d) in and out.
    history_ : DataFrame
        A row an update: discriminator_loss, sub_generator{i}_loss, generator_loss (their
        mean), and auc where ``fit`` was given y.

    Notes
    -----
    Every update scores all rows to find the quantiles, so an epoch's cost grows with the
    square of the number of rows, unless ``quantile_sample_size`` bounds it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from gaal import MOGAAL
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = make_pipeline(MinMaxScaler(), MOGAAL(k=5, stop_epochs=5, random_state=0))
    >>> detector.fit(X)[-1].sub_generators_[0].output_shape
    (None, 2)
    """

    k: int = 10
    _: KW_ONLY
    quantile_sample_size: int | None = None

    _parameter_constraints: ClassVar[dict] = {
        **_GAAL._parameter_constraints,
        "k": [Interval(Integral, 1, None, closed="left")],
        "quantile_sample_size": [None, Interval(Integral, 1, None, closed="left")],
    }

    @property
    def _algorithm(self) -> training.Algorithm:
        return replace(training.MO_GAAL, sample_size=self.quantile_sample_size)

    def _build_generator(self, n_features: int) -> keras.Model:
        return networks.build_sub_generators(n_features, self.k, self.generator_bias)

    @property
    def sub_generators_(self) -> list[keras.Model]:
        """Copies of the k trained sub-generators as models of their own."""
        check_is_fitted(self, "history_")
        return networks.unstack(self.generator_)


_AS_WRITTEN = programs.Unaltered(
    *(_GAAL, SOGAAL, MOGAAL, networks, updates, doors, training, distribution, optimizers)
)
