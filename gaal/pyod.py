"""SO_GAAL, MO_GAAL and GAALEnsemble for PyOD's users: its names and conventions.

Needs the extra ``pyod``. A program written for PyOD's classes changes its import alone::

    from gaal.pyod import MO_GAAL, SO_GAAL

The scores then are 1 - D(x), the paper's, where PyOD returns D(x) itself, and training is the
published one. GAALEnsemble is :class:`gaal.GAALEnsemble`, which PyOD has not. See "A drop-in
for PyOD" in ``docs/ports.md``.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import tensorflow as tf
from sklearn.base import _fit_context
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from gaal import MOGAAL, SOGAAL
from gaal import GAALEnsemble as _Ensemble
from gaal_alocc.estimator import parameters, refuse_nan

if TYPE_CHECKING:  # else only behind the check of its backend
    import keras

try:
    from pyod.models.base import BaseDetector
except ImportError as error:
    raise ImportError(
        "gaal.pyod needs PyOD, which the extra `pyod` brings: pip install '.[pyod]'."
    ) from error

__all__ = ["MO_GAAL", "SO_GAAL", "GAALEnsemble"]

_PASSED_ON = ("lr_d", "lr_g", "momentum", "decay", "random_state", "verbose")

# What so_gaal_new takes and only one value of which has a meaning here.
_COMPILED = "it speaks of torch.compile, and training is compiled by TensorFlow here"
_FIXED: Mapping[str, tuple[Any, str]] = {
    "criterion_name": ("bce", "the published losses are binary cross-entropies"),
    "use_compile": (False, _COMPILED),
    "compile_mode": ("default", _COMPILED),
}


def _outlier_scores(detector: Pipeline, X) -> np.ndarray:
    # PyOD's labels call NaN an inlier.
    return 1 - refuse_nan(detector.score_samples(X))


@parameters
class _GAAL(BaseDetector):
    """What the three share: all but the parameters and the detector inside.

    Parameters
    ----------
    lr_d, lr_g : float, default=0.01, 0.0001
        Learning rates of the discriminator and of the generator.
    momentum : float, default=0.9
        Momentum of both, in [0, 1).
    contamination : float in (0, 0.5], default=0.1
        Share of the training rows that are labelled outliers, or an object of PyThresh that
        finds the threshold.
    decay : float, default=1e-6
        Update t is made at the learning rate lr / (1 + decay * t), as published. PyOD had it
        until it went over to PyTorch.
    preprocessing : bool, default=True
        Scale every feature to [0, 1] by its range in ``fit``, where the generator's noise
        lies. ``so_gaal_new``, which has it, standardises, and leaves the noise where it is.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, shuffling and noise. None draws from ``numpy.random``, so that
        ``numpy.random.seed`` seeds it; ``torch.manual_seed`` does not.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    decision_scores_ : ndarray of shape (n_samples,)
        OS(x) of the training rows, higher is more of an outlier.
    threshold_ : float
        Rows with a higher score are outliers.
    labels_ : ndarray of shape (n_samples,)
        1 for an outlier, 0 for an inlier.
    discriminator : keras.Model
        The trained discriminator.
    detector_ : sklearn.pipeline.Pipeline
        The scaler and the detector of the same name in :mod:`gaal`.
    """

    _: KW_ONLY
    decay: float = 1e-6
    preprocessing: bool = True
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    _passed_on: ClassVar[tuple[str, ...]] = ("stop_epochs", *_PASSED_ON)
    _parameter_constraints: ClassVar[dict] = {
        **MOGAAL._parameter_constraints,
        # An object of PyThresh finds the threshold, as everywhere in PyOD.
        "contamination": [*SOGAAL._parameter_constraints["contamination"][1:], HasMethods("fit")],
        "preprocessing": ["boolean"],
        "epoch_num": SOGAAL._parameter_constraints["epochs"],
    }

    def __post_init__(self):
        super().__init__(contamination=self.contamination)  # which refuses some

    @abc.abstractmethod
    def _detector(self) -> SOGAAL | MOGAAL | _Ensemble:
        """Return the detector that the parameters ask for, not fitted."""

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._passed_on}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Train on X and score it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training data, outliers among them, of any scale unless ``preprocessing`` is
            False.
        y : array-like of shape (n_samples,), default=None
            Ignored, with PyOD's warning.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If a parameter has no such value here, if training diverged and the scores are NaN,
            or as :meth:`gaal.SOGAAL.fit` does.
        """
        detector = self._detector()
        self._set_n_classes(y)
        self._classes = 2  # inlier and outlier, whatever y holds
        scaler = MinMaxScaler() if self.preprocessing else "passthrough"
        detector = make_pipeline(scaler, detector).fit(X)
        self.decision_scores_ = _outlier_scores(detector, X)
        self.detector_ = detector
        self._process_decision_scores()
        return self

    def decision_function(self, X) -> np.ndarray:
        """OS(x) = 1 - D(x), the paper's outlier score (Liu et al., 2019, section 3.2).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to score.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In [0, 1], higher is more of an outlier.
        """
        check_is_fitted(self, "detector_")
        return _outlier_scores(self.detector_, X)

    @property
    def discriminator(self) -> keras.Model:
        """The trained discriminator; D(x) of scaled rows."""
        return self.detector_[-1].discriminator_

    @property
    def train_history(self) -> dict[str, list[float]]:
        """The losses of every update under PyOD's names."""
        return {name: losses.tolist() for name, losses in self.detector_[-1].history_.items()}


@parameters
class SO_GAAL(_GAAL):
    """PyOD's SO_GAAL, trained as published and scored the right way up.

    It takes what ``pyod.models.so_gaal.SO_GAAL`` takes, in its order, and by name what
    ``pyod.models.so_gaal_new.SO_GAAL`` and earlier versions of PyOD take. Needs no PyTorch.

    Parameters
    ----------
    stop_epochs : int or "auto", default=20
        The generator trains for ``stop_epochs + 1`` epochs of ``3 * stop_epochs`` in all. See
        :class:`gaal.SOGAAL`, for "auto" too.
    epoch_num : int, default=None
        ``so_gaal_new``'s way to say how long: epochs in all, of which the generator trains for
        a third. In place of ``stop_epochs``, not beside it.
    criterion_name : {"bce"}, default="bce"
        The loss is the published one.
    device : str, torch.device or None, default=None
        TensorFlow trains on the first GPU that it sees, or else on the CPU; another device
        than that is refused. The environment's CUDA_VISIBLE_DEVICES says which it sees.
    use_compile, compile_mode : {False}, {"default"}
        ``torch.compile``'s, without a meaning here.

    Attributes
    ----------
    generator : keras.Model
        The trained generator.
    train_history : dict of lists
        discriminator_loss and generator_loss of every update.

    Examples
    --------
    >>> import numpy as np
    >>> from gaal.pyod import SO_GAAL
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> clf = SO_GAAL(stop_epochs=2, contamination=0.1, random_state=0).fit(X)
    >>> int(clf.labels_.sum())
    10
    """

    stop_epochs: int | str = 20
    lr_d: float = 0.01
    lr_g: float = 0.0001
    momentum: float = 0.9
    contamination: Any = 0.1
    _: KW_ONLY
    epoch_num: int | None = None
    criterion_name: str = "bce"
    device: Any = None
    use_compile: bool = False
    compile_mode: str = "default"

    def _detector(self) -> SOGAAL:
        for name, (expected, reason) in _FIXED.items():
            value = getattr(self, name)
            if value != expected:
                raise ValueError(f"{name} is {value!r}; expected {expected!r}: {reason}.")
        here = ("cuda:0", "cuda") if tf.config.list_physical_devices("GPU") else ("cpu",)
        if self.device is not None and str(self.device) not in here:
            raise ValueError(
                f"device is {str(self.device)!r}; expected None or {here[0]!r}, where TensorFlow"
                " trains: the first GPU that it sees or else the CPU. The environment's"
                " CUDA_VISIBLE_DEVICES says which it sees."
            )
        settings = self._settings()
        if self.epoch_num is not None:
            if self.stop_epochs != 20:
                raise ValueError(
                    f"stop_epochs is {self.stop_epochs!r} and epoch_num {self.epoch_num};"
                    " expected one of them: epoch_num stops the generator at a third."
                )
            settings["stop_epochs"] = max(1, self.epoch_num // 3)
        return SOGAAL(epochs=self.epoch_num, **settings)

    @property
    def generator(self) -> keras.Model:
        """The trained generator."""
        return self.detector_[-1].generator_


@parameters
class MO_GAAL(_GAAL):
    """PyOD's MO_GAAL, trained as published and scored the right way up.

    It takes what ``pyod.models.mo_gaal.MO_GAAL`` takes, in its order, and by name what
    earlier versions of PyOD take. Needs no PyTorch.

    Parameters
    ----------
    k : int, default=10
        Number of sub-generators. They share a batch, at most 500 rows, by rank, so that it
        must hold k(k + 1) / 2 rows.
    stop_epochs : int or "auto", default=20
        See :class:`gaal.MOGAAL`.

    Attributes
    ----------
    train_history : dict of lists
        discriminator_loss, sub_generator{i}_loss and generator_loss, their mean, of every
        update.

    Examples
    --------
    >>> import numpy as np
    >>> from gaal.pyod import MO_GAAL
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> clf = MO_GAAL(k=3, stop_epochs=2, random_state=0).fit(X)
    >>> clf.predict(X[:5]).shape
    (5,)
    """

    k: int = 10
    stop_epochs: int | str = 20
    lr_d: float = 0.01
    lr_g: float = 0.0001
    momentum: float = 0.9
    contamination: Any = 0.1

    def _detector(self) -> MOGAAL:
        return MOGAAL(self.k, **self._settings())


@parameters
class GAALEnsemble(_GAAL):
    """:class:`gaal.GAALEnsemble` with PyOD's interface: no ``stop_epochs`` to choose.

    Parameters
    ----------
    n_estimators, n_updates, n_snapshots, k
        See :class:`gaal.GAALEnsemble`.

    Attributes
    ----------
    decision_scores_ : ndarray of shape (n_samples,)
        1 minus the mean of D(x) of the training rows, higher is more of an outlier.
    train_history : dict of lists
        discriminator_loss and generator_loss, the members' means, of every update.

    Examples
    --------
    >>> import numpy as np
    >>> from gaal.pyod import GAALEnsemble
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> clf = GAALEnsemble(n_updates=100, contamination=0.1, random_state=0).fit(X)
    >>> int(clf.labels_.sum())
    10
    """

    n_estimators: int = 3
    n_updates: int = 2000
    n_snapshots: int = 30
    k: int | None = None
    lr_d: float = 0.01
    lr_g: float = 0.0001
    momentum: float = 0.9
    contamination: Any = 0.1

    _passed_on: ClassVar[tuple[str, ...]] = (
        *("n_estimators", "n_updates", "n_snapshots", "k"),
        *_PASSED_ON,
    )
    _parameter_constraints: ClassVar[dict] = {
        **_Ensemble._parameter_constraints,
        "contamination": _GAAL._parameter_constraints["contamination"],
        "preprocessing": ["boolean"],
    }

    def _detector(self) -> _Ensemble:
        return _Ensemble(scale=None, **self._settings())
