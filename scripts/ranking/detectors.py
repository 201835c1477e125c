"""The detectors of a benchmark, each by the class that it is and what that is given."""

import ast
import importlib
import importlib.util
import inspect
import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

OURS, PORT, OTHER = "#1b7837", "#b2182b", "#555555"
TURNED = ", turned round"  # D(x) of a port that returns it as the outlier score, as 1 - D(x)
NOT_SETTINGS = ("random_state", "n_features", "verbose")
INSTALL = (
    "Install PyTorch's CPU build first, as its own site tells (pip would bring the one for CUDA),"
    " then the extra: pip install -e '.[compare]'."
)


@dataclass(frozen=True)
class Detector:
    """A detector at its defaults, but for ``parameters``.

    ``seeds`` of it are trained on each division of the rows. One that is ``turned`` is scored
    the other way up too; one that is ``asked`` for runs only then, one that is not ``quick`` not
    among the quick ones.
    """

    module: str
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seeds: int = 1
    turned: bool = False
    asked: bool = False
    quick: bool = True

    @property
    def colour(self) -> str:
        """Colour: ours, a port of ours, or another's."""
        return OURS if self.module.startswith("gaal") else PORT if self.turned else OTHER

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return missing([self.module])

    def kind(self) -> type:
        """Import its class, which takes seconds for some."""
        return getattr(importlib.import_module(self.module), self.name)

    @property
    def settings(self) -> str:
        """All its parameters as JSON, but for what it is seeded by: numbers are theirs alone.

        By the alphabet: in whatever order a version of it has them, they are the same.
        """
        taken = inspect.signature(self.kind()).parameters
        defaults = {name: taken[name].default for name in taken if name not in NOT_SETTINGS}
        return json.dumps({**defaults, **self.parameters}, default=repr, sort_keys=True)

    def build(self, seed: int, n_features: int):
        """Make it for rows of so many features."""
        return build(self.kind(), seed, n_features, **self.parameters)


def missing(modules) -> list[str]:
    """Name the packages of modules that are not installed."""
    packages = {module.split(".")[0] for module in modules}
    if "pyod" in packages:
        packages.add("torch")
    return sorted(p for p in packages if importlib.util.find_spec(p) is None)


def build(kind: type, seed: int, n_features: int, **parameters):
    """Make a detector, seeded by whatever it draws from."""
    if kind.__module__.startswith("pyod"):
        import torch

        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what PyOD draws from
    known = {"random_state": seed, "n_features": n_features, "verbose": 0}
    taken = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in known.items() if name in taken}, **parameters)


def outlier_scores(detector, X: np.ndarray) -> np.ndarray:
    """Score rows, higher for an outlier, by PyOD's conventions or by scikit-learn's."""
    if type(detector).__module__.startswith("pyod"):
        return detector.decision_function(X)
    return -detector.score_samples(X)


AUTO = {"stop_epochs": "auto"}
DETECTORS = {
    "GAALEnsemble": Detector("gaal", "GAALEnsemble"),
    "SOGAAL": Detector("gaal", "SOGAAL", seeds=5),
    "SOGAAL, auto": Detector("gaal", "SOGAAL", AUTO, seeds=5, quick=False),
    "MOGAAL": Detector("gaal", "MOGAAL", seeds=5),
    "MOGAAL, auto": Detector("gaal", "MOGAAL", AUTO, seeds=5, quick=False),
    "MOGAAL, sample": Detector("gaal", "MOGAAL", {"quantile_sample_size": 1000}, asked=True),
    "PyOD SO_GAAL": Detector("pyod.models.so_gaal", "SO_GAAL", turned=True),
    "PyOD MO_GAAL": Detector("pyod.models.mo_gaal", "MO_GAAL", turned=True),
    "IsolationForest": Detector("sklearn.ensemble", "IsolationForest"),
    "kNN": Detector("pyod.models.knn", "KNN"),
    "LOF": Detector("sklearn.neighbors", "LocalOutlierFactor", {"novelty": True}),
    "ECOD": Detector("pyod.models.ecod", "ECOD"),
    "COPOD": Detector("pyod.models.copod", "COPOD"),
    "HBOS": Detector("pyod.models.hbos", "HBOS"),
    "PCA": Detector("pyod.models.pca", "PCA"),
    "OCSVM": Detector("pyod.models.ocsvm", "OCSVM"),
    "DeepSVDD": Detector("pyod.models.deep_svdd", "DeepSVDD", quick=False),
    "AutoEncoder": Detector("pyod.models.auto_encoder", "AutoEncoder", quick=False),
}
"""By the name in tables and on the command line: the GAALs, their ports, the usual company."""


def named(name: str) -> Detector:
    """Find a detector by its name, or make it with others of its parameters.

    A name is a key of ``DETECTORS``, and after a colon there may be parameters as a call of Python
    has them: ``GAALEnsemble: n_estimators=1, n_updates=500``. Raises ValueError if there is no such
    detector, or the parameters are no such list.
    """
    plain, _, changed = name.partition(":")
    if plain not in DETECTORS:
        raise ValueError(f"no detector {plain}; expected some of {', '.join(DETECTORS)}")
    known = DETECTORS[plain]
    try:
        call = ast.parse(f"f({changed.strip()})", mode="eval").body
        if call.args or None in (parameters := {k.arg: k.value for k in call.keywords}):
            raise ValueError("not all have names")
        parameters = {name: ast.literal_eval(value) for name, value in parameters.items()}
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{name}: expected name=value, ... after the colon ({error})") from None
    return replace(known, parameters={**known.parameters, **parameters})
