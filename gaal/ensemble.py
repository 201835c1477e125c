"""GAALEnsemble: GAAL by the mean of its training. Ours, not the paper's.

Members train by the published update, from seeds of their own, and are never stopped. A row's
score is the geometric mean of D(x) over members, and over D as it was after some of the updates.
"""

import dataclasses
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY
from numbers import Integral
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from gaal import doors, networks, training
from gaal.detectors import MOGAAL, SOGAAL
from gaal.estimator import Detector
from gaal_alocc import distribution, preconditions, programs
from gaal_alocc.callbacks import leave_models_alone, set_estimator
from gaal_alocc.checkpoints import Checkpoints
from gaal_alocc.estimator import parameters
from gaal_alocc.loop import Loop
from gaal_alocc.progress import shower

FIRST = 64  # update after which D is looked at first: before it D tells its random start
CALL = 64  # updates a call of a compiled graph, whose arrays are padded to so many
SCORE_NUMBERS = 2**21  # in the hidden layers that one product makes: what fits into a cache
NETWORKS = "discriminators.npz"  # in the saved file
ALIGNED = 16  # rows by which the product counts: a row then scores the same in any company


def look_at(n_updates: int, n_snapshots: int) -> np.ndarray:
    """Choose the updates after which D is kept: evenly in log(update), rising to the last one.

    So many as ``n_snapshots``; fewer where there are not as many different ones from the 64th on.

    Examples
    --------
    >>> look_at(1024, 5)
    array([  64,  128,  256,  512, 1024])
    """
    first = n_updates if n_snapshots == 1 else min(FIRST, n_updates)
    return np.unique(np.geomspace(first, n_updates, n_snapshots).round().astype(int))


def mean_log_scorer(weights: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Make the mean of log D(x) over M discriminators, computed in one product, in float32.

    The weights are D's kernel (M, d, h), bias (M, h), kernel (M, h, 1) and bias (M, 1). Of rows (m,
    d), float32, it gives (m,), float64, in which the mean is taken: a row's is the same whatever
    the others are.
    """
    kernel, bias, out, last = weights
    n_discriminators, n_features, units = kernel.shape
    # The bias is the weight of a column of ones: one pass less over the hidden layers.
    hidden = np.concatenate([kernel.transpose(0, 2, 1), bias[:, :, None]], axis=2)
    stacked = (hidden.reshape(-1, n_features + 1), out.transpose(0, 2, 1), last)
    stacked = [tf.constant(w, networks.DTYPE) for w in stacked]

    def make() -> programs.Program:
        rows = tf.TensorSpec((None, n_features + 1), networks.DTYPE)
        forms = [tf.TensorSpec(w.shape, w.dtype) for w in stacked]

        @tf.function(input_signature=[rows, *forms])
        def score(x, kernel, out, last):
            hidden = tf.nn.relu(tf.matmul(kernel, x, transpose_b=True))
            hidden = tf.reshape(hidden, (n_discriminators, units, -1))
            logits = tf.squeeze(tf.matmul(out, hidden), 1) + last
            return tf.reduce_mean(tf.cast(tf.math.log_sigmoid(logits), tf.float64), 0)

        return programs.Program(score, [])

    key = ("mean of log D(x)", kernel.shape)
    program = programs.shared(key, make, any_settings=True)
    size = max(ALIGNED, SCORE_NUMBERS // (n_discriminators * units) // ALIGNED * ALIGNED)

    def mean(X: np.ndarray) -> np.ndarray:
        scores = np.empty(len(X))
        for i in range(0, len(X), size):
            part = X[i : i + size]
            aligned = np.pad(part, [(0, -len(part) % ALIGNED), (0, 1)], constant_values=1)
            scores[i : i + size] = program([], aligned, *stacked).numpy()[: len(part)]
        return scores

    return mean


class Member:
    """One training without a stop: the networks, the order of the rows, the noise.

    It trains by the parameters and the seed of the published detector, on rows X as the networks
    see them, (n, d), float32.
    """

    def __init__(self, published: SOGAAL | MOGAAL, X: np.ndarray) -> None:
        seed = check_random_state(published.random_state).randint(2**31)
        weights_rng, order_rng, self.noise_rng = np.random.default_rng(seed).spawn(3)
        n, n_features = X.shape
        self._X = X[order_rng.permutation(n)]
        self._batch_size = min(published.batch_size, n)
        self._steps = published.steps_per_execution
        self._algorithm = dataclasses.replace(published._algorithm, stops=False)
        weights_seed = int(weights_rng.integers(2**31))
        self.gan, self.share_as = published._networks(n, n_features, self._batch_size, weights_seed)
        self.noise_shape = (self._algorithm.draws, self._batch_size, n_features)

    def open(self, execution: doors.Execution, share: bool) -> None:
        """Open the door to the updates."""
        self._noise = np.zeros((1, execution.batches, *self.noise_shape), np.float32)
        self._door = doors.open_door(
            self.gan,
            self._algorithm,
            tf.constant(self._X),
            self._batch_size,
            self._steps,
            execution,
            scores_of=None,
            share_as=self.share_as if share else None,
        )

    def advance(self, start: int, stop: int) -> np.ndarray:
        """Train from one update to another; the losses of D and of the generators' mean."""
        n_batches = len(self._X) // self._batch_size
        rows = np.arange(n_batches * self._batch_size, dtype=np.int32).reshape(n_batches, -1)
        order = rows[np.arange(start, stop) % n_batches]
        # The same array for every call: to get fresh pages takes as long as to fill them.
        self.noise_rng.random(dtype=np.float32, out=self._noise[0, : stop - start])
        discriminator, generators, _ = self._door(order[None], self._noise, stop - start)
        return np.column_stack([discriminator, generators.astype(np.float64).mean(axis=1)])


def advance(
    members: Sequence[Member], start: int, stop: int, n_threads: int, run_all: Callable = map
) -> list[np.ndarray]:
    """Train all open members from one update to another, no thread longer than the others.

    A member that is divided between two of them begins in the one as its first and ends in the
    other as its last (McNaughton's wrap-around rule). There are no more threads than members;
    ``run_all`` maps a function over their numbers, all at the same time. Returns the losses of
    each, see :meth:`Member.advance`.
    """
    n_updates = stop - start
    share = math.ceil(len(members) * n_updates / n_threads)
    begun = [threading.Event() for _ in members]
    losses: list[list[np.ndarray]] = [[] for _ in members]

    def run(thread: int) -> None:
        low, high = thread * share, (thread + 1) * share
        for i in range(low // n_updates, min(math.ceil(high / n_updates), len(members))):
            first = max(0, (i + 1) * n_updates - high)  # before it the next thread trains
            last = n_updates - max(0, low - i * n_updates)
            if first:
                begun[i].wait()
            try:
                losses[i].append(members[i].advance(start + first, start + last))
            finally:
                begun[i].set()

    list(run_all(run, range(n_threads)))
    return [np.concatenate(parts) for parts in losses]


class _Kept:
    """An array that a snapshot of the training keeps, as it keeps variables."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def numpy(self) -> np.ndarray:
        return self.array

    def assign(self, array: np.ndarray) -> None:
        self.array[:] = array


def _changing(gan: networks.GAN | networks.Deferred) -> list:
    optimizers = (gan.discriminator.optimizer, gan.combine_model.optimizer)
    return [
        *gan.discriminator.weights,
        *gan.generator.weights,
        *(v for optimizer in optimizers for v in (*optimizer.variables, *optimizer.rates)),
    ]


@parameters
class GAALEnsemble(Detector):
    """GAAL by the mean of its training: no stop to choose, no seed to be lucky with.

    Not of the paper. ``n_estimators`` members train by the published networks and the published
    update (Liu et al., 2019, algorithms 1 and 2), each from a seed of its own, and the generator
    never stops. While it moves from uniform noise onto the data, D tells the data from ever
    nearer noise: coarse first, fine later. The score is the geometric mean of D(x) over the
    members and over ``n_snapshots`` of the updates, and so holds all scales. How the defaults
    were chosen, and how far they hold: ``docs/ensemble.md``.

    Parameters
    ----------
    n_estimators : int, default=3
        Members.
    n_updates : int, default=2000
        Updates of each.
    n_snapshots : int, default=30
        How often D is looked at, evenly in log(update) from the 64th update to the last.
    k : int, default=None
        Sub-generators of each member, as of :class:`MOGAAL`. None trains one generator, as
        :class:`SOGAAL` does, and costs the least.
    contamination : "auto" or float in (0, 0.5], default="auto"
        "auto" calls a row an outlier where that mean is below 0.5; a float so many of the
        training rows.
    scale : {"minmax"} or None, default="minmax"
        "minmax" scales features to [0, 1], where the generators begin, by their range in
        ``fit``. None takes rows as they are.
    quantile_sample_size : int, default=None
        See :class:`MOGAAL`; only with k.
    random_state : int, RandomState instance or None, default=None
        Seeds the members: same seed, same numbers.

    Attributes
    ----------
    updates_ : ndarray of int, shape (n_looks,)
        After which D was kept: ``n_snapshots`` of them, or as many as are different.
    weights_ : list of ndarray of float32
        D's kernel, bias, kernel and bias, one after the other as Keras has them, each
        (n_estimators, n_looks, ...).
    seeds_ : ndarray of int, shape (n_estimators,)
        ``SOGAAL(random_state=seed, whether_stop=False)``, or :class:`MOGAAL`, trains as the
        member of that seed.
    history_ : DataFrame
        A row an update: discriminator_loss and generator_loss, means over the members (and over
        their sub-generators), and auc where ``fit`` was given y: that of the mean of D(x) from
        the first look on to the next one after this update.

    See Also
    --------
    SOGAAL, MOGAAL : The detectors as published.

    Notes
    -----
    What :meth:`fit` calls an epoch goes from one look at D to the next; a callback that ends
    training ends it for all members. The callbacks' model is the first member's.

    Examples
    --------
    >>> import numpy as np
    >>> from gaal import GAALEnsemble
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = GAALEnsemble(n_updates=100, random_state=0).fit(X)
    >>> detector.score_samples(X).shape
    (100,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **Detector._parameter_constraints,
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "n_updates": [Interval(Integral, 1, None, closed="left")],
        "n_snapshots": [Interval(Integral, 1, None, closed="left")],
        "k": [None, *MOGAAL._parameter_constraints["k"]],
        "quantile_sample_size": MOGAAL._parameter_constraints["quantile_sample_size"],
    }

    n_estimators: int = 3
    _: KW_ONLY
    n_updates: int = 2000
    n_snapshots: int = 30
    k: int | None = None
    scale: str | None = "minmax"
    quantile_sample_size: int | None = None

    def _published(self, seed: int) -> SOGAAL | MOGAAL:
        names = ("lr_d", "lr_g", "decay", "momentum", "batch_size", "steps_per_execution")
        settings = {name: getattr(self, name) for name in names}
        if self.k is None:
            return SOGAAL(random_state=seed, **settings)
        sample = self.quantile_sample_size
        return MOGAAL(self.k, random_state=seed, quantile_sample_size=sample, **settings)

    def _fit(self, X, y, callbacks, checkpointing) -> None:
        if self.k is None and self.quantile_sample_size is not None:
            raise ValueError(
                f"quantile_sample_size is {self.quantile_sample_size} and k None; expected None, or"
                " a k: one generator is drawn to no quantiles."
            )
        X, is_outlier = self._read(X, y)
        set_estimator(callbacks, self, X)
        seed, checkpoints = self._begin({"X": X, "y": is_outlier}, *checkpointing)
        self.updates_ = look_at(self.n_updates, self.n_snapshots)
        self.seeds_ = np.random.SeedSequence(seed).generate_state(self.n_estimators)
        members = [Member(self._published(int(seed)), X) for seed in self.seeds_]
        units = networks.hidden_units(len(X))
        self.weights_ = [
            np.zeros((self.n_estimators, len(self.updates_), *form), networks.DTYPE)
            for form in ((X.shape[1], units), (units,), (units, 1), (1,))
        ]
        self._finish(X, self._train(members, X, is_outlier, callbacks, checkpoints))

    def _train(
        self,
        members: Sequence[Member],
        X: np.ndarray,
        is_outlier: np.ndarray | None,
        callbacks: Sequence[keras.callbacks.Callback],
        checkpoints: Checkpoints | None,
    ) -> pd.DataFrame:
        """Train all members from one look at D to the next, and keep D."""
        steps, first = self.steps_per_execution, members[0]
        show = None
        if self.verbose and distribution.is_chief():
            show = shower(self.n_updates, "update", training.PROGRESS, verbose=self.verbose)
        lengths = np.diff(self.updates_, prepend=0)
        most = int(min(lengths.max(), CALL if steps == "auto" else steps))
        calls = math.ceil(self.n_estimators * self.n_updates / most)
        execution = doors.plan_execution(
            steps, calls, most, first.noise_shape, self.k or 1, epoch_by_epoch=True
        )
        loop = Loop(
            len(lengths),
            lengths.tolist(),
            ["discriminator_loss", "generator_loss"],
            "generator_loss",
            batches=execution.batches,
            model=first.gan.combine_model if callbacks else None,
            callbacks=callbacks,
            checkpoints=checkpoints,
            kind=first.share_as and ("ensemble", first.share_as, len(members), len(X), execution),
            show=show,
        )
        if checkpoints is not None:
            changing = [v for member in members for v in _changing(member.gan)]
            loop.restore(
                [*changing, *map(_Kept, self.weights_)],
                [member.noise_rng for member in members],
                XLA=execution.jit_compile,
            )
        logs = np.zeros(len(X))
        if is_outlier is not None:
            for look in range(loop.epoch):
                logs += self._logs_at(look, X)
        # A graph's call keeps one core busy; Keras's own steps are not for several threads.
        alone = steps == 1 or tf.distribute.has_strategy()
        opened = False
        n_threads = 1 if alone else min(len(members), os.cpu_count() or 1)
        with ThreadPoolExecutor(n_threads) as threads:
            run_all = map if alone else threads.map
            for _ in loop.epochs():
                if not opened:  # not before: a graph is of what callbacks have made of the models
                    for member in members:
                        member.open(execution, leave_models_alone(callbacks))
                    opened = True
                for part in loop.calls():
                    stop = loop.done + part.stop - part.start
                    losses = advance(members, loop.done, stop, n_threads, run_all)
                    loop.record(np.mean(losses, axis=0))
                for i, member in enumerate(members):
                    for kept, now in zip(self.weights_, member.gan.discriminator_weights()):
                        kept[i, loop.epoch] = now
                if is_outlier is not None:
                    logs += self._logs_at(loop.epoch, X)
                    loop.add(auc=training.auc_by_epoch(logs[None], is_outlier))
        self.updates_ = self.updates_[: loop.epoch]
        self.weights_ = [kept[:, : loop.epoch] for kept in self.weights_]
        return loop.history()

    def _logs_at(self, look: int, X: np.ndarray) -> np.ndarray:
        return mean_log_scorer([w[:, look] for w in self.weights_])(X)

    def _score(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        preconditions.check()
        mean_log = mean_log_scorer([w.reshape(-1, *w.shape[2:]) for w in self.weights_])
        return np.exp(np.concatenate([mean_log(block) for block in blocks]))

    def score_samples(self, X) -> np.ndarray:
        """Geometric mean of D(x) over the members and over their training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), path, list of paths, or tf.data.Dataset
            The rows to score, as in :meth:`fit`, read and scored a block at a time.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In [0, 1], higher is more normal. A row's score does not depend on the others.
        """
        return super().score_samples(X)

    def _save_networks(self, folder: Path) -> None:
        kept = {f"weights_{i}": w for i, w in enumerate(self.weights_)}
        np.savez(folder / NETWORKS, updates=self.updates_, seeds=self.seeds_, **kept)

    def _load_networks(self, folder: Path) -> None:
        with np.load(folder / NETWORKS, allow_pickle=False) as kept:
            self.updates_, self.seeds_ = kept["updates"], kept["seeds"]
            self.weights_ = [kept[f"weights_{i}"] for i in range(4)]
