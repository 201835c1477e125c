"""What the detectors of both papers are as estimators: parameters, threshold, saved files.

Here is no word of networks and of what is scored. A detector adds its parameters, its ``fit``,
``score_samples`` and ``offset_``, and how its networks lie in a folder.
"""

import contextlib
import dataclasses
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar, Self, dataclass_transform

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from gaal_alocc import distribution, docstrings
from gaal_alocc.checkpoints import Checkpoints, open_checkpoints
from gaal_alocc.file_kinds import saved_file, saved_settings
from gaal_alocc.files import EXACTLY
from gaal_alocc.precision import computing_in

FILE_FORMAT = 1


@dataclass_transform(eq_default=False)
def parameters(cls: type) -> type:
    """Make the annotated attributes of a class, and of its bases, an estimator's parameters.

    A dataclass's ``__init__`` only stores, as scikit-learn wants it. Docstrings are completed,
    see :func:`gaal_alocc.docstrings.complete`.
    """
    cls = dataclasses.dataclass(cls, eq=False, repr=False)
    docstrings.complete(cls)
    return cls


def refuse_nan(scores: np.ndarray) -> np.ndarray:
    """Return scores, shape (n,), that tell something of every sample; raise a ValueError of a NaN.

    It is neither an inlier's nor an outlier's: its networks have been trained to no numbers.
    """
    bad = np.flatnonzero(np.isnan(scores))
    if len(bad):
        raise ValueError(
            f"The score of {len(bad)} of {len(scores)} samples is NaN, first of number"
            f" {bad[0]} (counted from 0): the networks' weights are not finite, and tell neither"
            " inlier nor outlier. Fit again, with smaller learning rates."
        )
    return scores


@contextlib.contextmanager
def _unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Put back what an estimator knew where fitting it fails or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@parameters
class Estimator(OutlierMixin, BaseEstimator):
    """A detector of outliers: all of it but what it trains, and how that scores.

    Parameters
    ----------
    contamination : "auto" or float in (0, 0.5], default="auto"
        Where ``offset_`` lies. A float: so many of the training samples are outliers.
    steps_per_execution : int or "auto", default="auto"
        Updates that one call of a TensorFlow graph runs at most.
    strategy : tf.distribute.Strategy, {"mirrored", "multiworker"} or None, default=None
        Devices to train on. Every batch is divided over them, and the result is one device's
        within float error. "mirrored": all GPUs of this machine. "multiworker": the machines
        of the environment's TF_CONFIG, on each of which the same program runs on the same
        data; the first one's seed counts. None: the current strategy,
        ``tf.distribute.get_strategy()``, or none.
    random_state : int, RandomState instance or None, default=None
        Seeds all that is drawn: same seed, same numbers.
    verbose : int, default=0
        1 shows a progress bar.
    """

    _: dataclasses.KW_ONLY
    contamination: float | str = "auto"
    steps_per_execution: int | str = "auto"
    strategy: tf.distribute.Strategy | str | None = None
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict] = {
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "steps_per_execution": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "strategy": [None, StrOptions(set(distribution.NAMES)), tf.distribute.Strategy],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _not_of_training: ClassVar[tuple[str, ...]] = ("contamination", "strategy")

    def __sklearn_clone__(self):
        strategy, self.strategy = self.strategy, None  # clones train with it, and no copy of it
        try:
            clone = super().__sklearn_clone__()
        finally:
            self.strategy = strategy
        clone.strategy = strategy
        return clone

    @abstractmethod
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
        """Train on X.

        Parameters
        ----------
        checkpoint_dir : path-like, optional
            Folder of this run alone, made where it is missing, for snapshots from which a
            killed process goes on. The last two are kept, also of a finished run.
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
            If the replicas cannot share a batch, or ``strategy`` is one that cannot train, or
            cannot with a checkpoint_dir. If the snapshot to resume is of other data, parameters
            or versions; the message names every difference. If callbacks holds one of Keras's
            that cannot work here.
        TypeError
            If callbacks holds something else.
        FileExistsError
            If checkpoint_dir holds a run's snapshots and ``resume`` is False.
        OSError
            If a snapshot cannot be written; the last whole one is kept.

        Warns
        -----
        UserWarning
            If a snapshot is damaged, and the one before it taken.
        ConvergenceWarning
            If the losses do not stay finite.
        """

    @contextlib.contextmanager
    def _fitting(self, dtype: str) -> Iterator[None]:
        """Train in the scope of the strategy, in a float type, and change nothing in failing."""
        scope = distribution.scope(self.strategy)
        with _unchanged_on_failure(self), scope, computing_in(dtype):
            yield

    def _begin(
        self, data: dict[str, np.ndarray | None], folder, every, resume
    ) -> tuple[int, Checkpoints | None]:
        """Seed of the training, and its snapshots, where there is a folder for them."""
        X = data["X"]
        distribution.check_snapshots(folder)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        distribution.shares(min(self.batch_size, len(X)), replicas)
        seed = distribution.agree(check_random_state(self.random_state).randint(2**31), X)
        free = self._not_of_training
        checkpoints = open_checkpoints(
            folder, self, data, seed=seed, every=every, resume=resume, free=free
        )
        return (seed if checkpoints is None else checkpoints.seed), checkpoints

    def _check_finite(self, what_to_do: str) -> None:
        """Warn the caller of fit, which calls this, of losses that are not finite."""
        finite = np.isfinite(self.history_).all(axis=1)
        if not finite.all():
            warnings.warn(
                f"The losses are not finite from update {finite.idxmin()} on{what_to_do}",
                ConvergenceWarning,
                stacklevel=4,
            )

    @abstractmethod
    def score_samples(self, X) -> np.ndarray:
        """Score X, the higher the more normal."""

    def decision_function(self, X) -> np.ndarray:
        """Score X against the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X
            As of :meth:`score_samples`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """Tell inliers from outliers.

        Parameters
        ----------
        X
            As of :meth:`score_samples`.

        Returns
        -------
        ndarray of shape (n_samples,), int
            1 for an inlier, -1 for an outlier.

        Raises
        ------
        ValueError
            If a score, or the threshold, is NaN, as after a training that did not stay finite:
            no NaN is an inlier or an outlier.
        """
        return np.where(refuse_nan(self.decision_function(X)) < 0, -1, 1)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted detector into one file.

        Parameters
        ----------
        path : str or path-like
            A zip archive: ``detector.json`` (parameters), ``history.csv`` and the networks.
            It appears whole or not at all. A ``random_state`` that is not an int is not kept,
            nor is a ``strategy`` that is not a name.

        Raises
        ------
        OSError
            If there is no such folder, or the file cannot be written.
        """
        check_is_fitted(self, "history_")
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
            **self._learned(),
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        }
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            folder = Path(folder)
            text = json.dumps(settings, indent=1, default=lambda number: number.item())
            (folder / "detector.json").write_text(text)
            self.history_.to_csv(folder / "history.csv")
            self._save_networks(folder)
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
        path : str or path-like
            The file. Nothing in it is unpickled.

        Returns
        -------
        object
            A fitted detector whose scores equal the saved one's bit for bit. Models are not
            compiled: ``fit`` makes new ones.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If the file is no saved detector, or one of another class.
        """
        path = saved_file(path)
        settings = saved_settings(path)
        if settings is None:
            raise ValueError(f"{path} is not a detector saved by {cls.__name__}.save.")
        written = settings["class"], settings["format"]
        if written != (cls.__name__, FILE_FORMAT):
            raise ValueError(
                f"{path} holds a {written[0]} in format {written[1]}; expected a"
                f" {cls.__name__} in format {FILE_FORMAT}."
            )
        detector = cls(**settings["params"])
        try:
            with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
                archive.extractall(folder)
                detector._learn(settings)
                detector._load_networks(Path(folder))
                detector.history_ = pd.read_csv(
                    Path(folder, "history.csv"), index_col="update", **EXACTLY
                )
        except (zipfile.BadZipFile, KeyError, OSError, ValueError, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        return detector

    @abstractmethod
    def _learned(self) -> dict:
        """Give what of that which was learned the file's settings are to tell."""

    @abstractmethod
    def _learn(self, settings: dict) -> None:
        """Take from a file's settings what :meth:`_learned` gave them, maybe a former version's."""

    @abstractmethod
    def _save_networks(self, folder: Path) -> None:
        """Write what scores into a folder."""

    @abstractmethod
    def _load_networks(self, folder: Path) -> None:
        """Read what :meth:`_save_networks` wrote, after :meth:`_learn`."""
