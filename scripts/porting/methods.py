"""The detectors that are compared, the problems they are given, and what counts as installed."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ranking.detectors import build, missing, outlier_scores

SO, MO = "so-gaal", "mo-gaal"
N_TRAIN, N_TARGET, N_OTHER = 512, 180, 20  # images: to train on, to test, of each other digit
IMAGE_SETS = ("mnist", "digits")


@dataclass(frozen=True)
class Problem:
    """What a detector is trained on, and what it is asked to tell apart.

    ``X`` and ``X_test`` are of shape (n, d) or (n, 28, 28); on the published tables they are
    the same rows. ``y_test`` is 1 for an outlier.
    """

    name: str
    X: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    source: str
    so_stop_epochs: int = 20
    mo_stop_epochs: int = 20
    k: int = 10


@dataclass(frozen=True)
class Fitted:
    """Outlier scores of the test rows, by name, and what is known of the training."""

    scores: dict[str, np.ndarray]
    facts: dict[str, float] | None = None


@dataclass(frozen=True)
class Method:
    """One detector.

    ``modules`` are imported before time and memory are taken. ``settings`` says in words how
    it is run on a problem, ``fit`` runs it. A method that is not ``seeded`` gives the same
    numbers every time. ``measured`` methods get a process of their own for every run.
    """

    title: str
    modules: tuple[str, ...]
    fit: Callable[[Problem, dict, int], Fitted]
    settings: Callable[[Problem, int | str | None], dict]
    images: bool = False
    seeded: bool = True
    measured: bool = True

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return missing(self.modules)


# ---------------------------------------------------------------------------------------
# Problems


def load_problem(name: str, data_home: str | None = None, digit: int | None = None) -> Problem:
    """Load a table or an image problem.

    ``name`` is one of the twelve published data sets, "synthetic" (a made onecluster), "mnist" or
    "digits", whose target class is ``digit``; ``data_home`` the folder of the published files (or
    with a folder ``gaal`` of them) and of ``mnist.npz``. Raises ValueError if there is no such data
    set, or no image of the digit, OSError if a file is missing, or a download fails.
    """
    from gaal import datasets

    home = None if data_home is None else Path(data_home)
    if name in IMAGE_SETS:
        return _image_problem(name, home, digit)
    if name == "synthetic":
        data = datasets.make_onecluster(random_state=0)
        entry = datasets.PUBLISHED["onecluster"]
    else:
        inner = None if home is None else home / "gaal"
        home = inner if inner is not None and inner.is_dir() else home
        data = datasets.load_dataset(name, data_home=home)
        entry = datasets.PUBLISHED[{n.casefold(): n for n in datasets.PUBLISHED}[name.casefold()]]
    return Problem(
        name,
        data.data,
        data.data,
        data.target,
        f"{name}, {len(data.data)} rows, {int(data.target.sum())} outliers, trained and scored on"
        " the same rows",
        entry.so_stop_epochs,
        entry.mo_stop_epochs,
        entry.k,
    )


def _image_problem(name: str, home: Path | None, digit: int) -> Problem:
    from alocc import datasets

    if name == "digits":
        images = datasets.load_digits_28()
    else:
        images = datasets.load_mnist(None if home is None else home / "mnist.npz")
    train = images.data[images.target == digit][:N_TRAIN]
    if not len(train):
        raise ValueError(f"digit={digit}: {name} has no such image.")
    rows = []
    for other in np.unique(images.test_target):
        count = N_TARGET if other == digit else N_OTHER
        rows.append(np.flatnonzero(images.test_target == other)[:count])
    rows = np.concatenate(rows)
    y = (images.test_target[rows] != digit).astype(int)
    return Problem(
        f"{name} {digit}",
        datasets.to_unit(train),
        datasets.to_unit(images.test_data[rows]),
        y,
        f"{name}, trained on {len(train)} images of {digit}, tested on {int((1 - y).sum())} others"
        f" of it and {int(y.sum())} of the other digits",
    )


# ---------------------------------------------------------------------------------------
# Settings


def _stop_epochs(algorithm: str, ours: bool = True) -> Callable:
    def settings(problem: Problem, stop_epochs: int | str | None) -> dict:
        if stop_epochs == "auto" and not ours:
            raise ValueError("stop_epochs='auto' is for so-gaal and mo-gaal; expected a number.")
        published = problem.so_stop_epochs if algorithm == SO else problem.mo_stop_epochs
        chosen = {"stop_epochs": published if stop_epochs is None else stop_epochs}
        return chosen if algorithm == SO else {**chosen, "k": problem.k}

    return settings


def _epoch_num(problem: Problem, stop_epochs: int | None) -> dict:
    return {"epoch_num": 3 * _stop_epochs(SO, ours=False)(problem, stop_epochs)["stop_epochs"]}


def _fixed(**settings) -> Callable:
    return lambda problem, stop_epochs: settings


_defaults = _fixed()


# ---------------------------------------------------------------------------------------
# Outlier scores of a fitted detector


def _of_the_test_rows(detector, X_test: np.ndarray) -> dict[str, np.ndarray]:
    return {"": outlier_scores(detector, X_test)}


def _of_its_own_rows(detector, X_test: np.ndarray) -> dict[str, np.ndarray]:
    if hasattr(detector, "decision_scores_"):
        return {"": detector.decision_scores_}
    return {"": -detector.negative_outlier_factor_}


def _both_ways_round(detector, X_test: np.ndarray) -> dict[str, np.ndarray]:
    d = outlier_scores(detector, X_test)
    return {"D(x), as it is": d, "1 - D(x), turned round": 1 - d}


def _of_alocc(detector, X_test: np.ndarray) -> dict[str, np.ndarray]:
    from alocc.protocols import all_scores

    names = {"reconstruction": "reconstruction", "d_rx": "D(R(x))", "d_x": "D(x)"}
    scores = all_scores(detector, X_test)
    return {label: -np.asarray(scores[name]) for name, label in names.items()}


# ---------------------------------------------------------------------------------------


def _detector(
    title: str,
    module: str,
    name: str,
    scores: Callable = _of_the_test_rows,
    settings: Callable = _defaults,
    **how,
) -> Method:
    """Make the method of a class, seeded and scored by the conventions of where it comes from."""

    def fit(problem: Problem, settings: dict, seed: int) -> Fitted:
        X, X_test = problem.X, problem.X_test
        if module.startswith("pyod"):  # whose images are rows
            X, X_test = (x.reshape(len(x), -1) for x in (X, X_test))
        kind = getattr(importlib.import_module(module), name)
        detector = build(kind, seed, X.shape[1], **settings).fit(X)
        return Fitted(scores(detector, X_test))

    return Method(title, (module,), fit, settings, **how)


def _gaal(title: str, algorithm: str, departures: tuple[str, ...] = (), **parameters) -> Method:
    """Make the method of SOGAAL or MOGAAL with departures, and of what its training tells."""

    def fit(problem: Problem, settings: dict, seed: int) -> Fitted:
        from porting.departures import departed

        detector = departed(algorithm, departures, **settings, **parameters, random_state=seed)
        detector.fit(problem.X, problem.y_test)
        history = detector.history_
        facts = {
            "stop_epochs": detector.stop_epochs_,
            "auc_stop": history["auc"].iloc[detector._stop_node(len(problem.X)) - 1],
            "auc_best": history["auc"].max(),
            "d_loss_lowest": history["discriminator_loss"].min(),
            "d_loss_end": history["discriminator_loss"].iloc[-1],
            "g_loss_highest": history["generator_loss"].max(),
            "g_loss_end": history["generator_loss"].iloc[-1],
        }
        return Fitted({"1 - D(x)": 1 - detector.score_samples(problem.X_test)}, facts)

    modules = ("gaal.detectors", "porting.departures")
    return Method(title, modules, fit, _stop_epochs(algorithm), measured=not parameters)


def _post(bias: str) -> Method:
    departures = ("no_decay", "glorot_uniform", "discriminator_bias", "shuffle", bias)
    return _gaal(f"PyTorch post, by our options, {bias.replace('_', ' ')}", SO, departures)


def _port(title: str, module: str, name: str, settings: Callable) -> Method:
    return _detector(title, f"pyod.models.{module}", name, _both_ways_round, settings)


def _pyod(name: str, module: str, **how) -> Method:
    return _detector(f"{name} (PyOD)", f"pyod.models.{module}", name, _of_its_own_rows, **how)


def _pyod_of_images(name: str, module: str, **settings) -> Method:
    module = f"pyod.models.{module}"
    return _detector(f"PyOD {name}", module, name, settings=_fixed(**settings), images=True)


METHODS = {
    "so-gaal": _gaal("SOGAAL", SO),
    "mo-gaal": _gaal("MOGAAL", MO),
    "pyod-so-gaal": _port("PyOD SO_GAAL", "so_gaal", "SO_GAAL", _stop_epochs(SO, ours=False)),
    "pyod-mo-gaal": _port("PyOD MO_GAAL", "mo_gaal", "MO_GAAL", _stop_epochs(MO, ours=False)),
    "pyod-so-gaal-new": _port("PyOD so_gaal_new", "so_gaal_new", "SO_GAAL", _epoch_num),
    "post-bias-1e-5": _post("generator_bias_1e-5"),
    "post-bias-1": _post("generator_bias_1"),
    "gaal-ensemble": _detector("GAALEnsemble", "gaal.ensemble", "GAALEnsemble"),
    "isolation-forest": _detector("IsolationForest", "sklearn.ensemble", "IsolationForest"),
    "lof": _detector(
        "LocalOutlierFactor",
        "sklearn.neighbors",
        "LocalOutlierFactor",
        _of_its_own_rows,
        seeded=False,
    ),
    "ocsvm": _detector("OneClassSVM", "sklearn.svm", "OneClassSVM", seeded=False),
    "ecod": _pyod("ECOD", "ecod", seeded=False),
    "knn": _pyod("KNN", "knn", seeded=False),
    # 512 images make 4 batches of 128: 40 epochs are the tutorial's number of updates, or
    # about (160 for 265).
    "alocc": _detector(
        "ALOCC", "alocc.detector", "ALOCC", _of_alocc, _fixed(epochs=40), images=True
    ),
    "pyod-anogan": _pyod_of_images("AnoGAN", "anogan", epochs=100),
    "pyod-autoencoder": _pyod_of_images("AutoEncoder", "auto_encoder", epoch_num=40),
    "pyod-deepsvdd": _pyod_of_images("DeepSVDD", "deep_svdd", epochs=100),
}


def method(name: str) -> Method:
    """Find a method by its name, or put one together: ``so-gaal+shuffle+no_decay``.

    A name is a key of ``METHODS``, or "so-gaal" or "mo-gaal" with the names of departures after
    "+"; with none after it, the published detector among the departures. Raises ValueError if there
    is no such method or departure.
    """
    if name in METHODS:
        return METHODS[name]
    algorithm, *departures = (part for part in name.split("+") if part)
    if algorithm not in (SO, MO):
        raise ValueError(f"there is no method {name}; there are {', '.join(METHODS)}")
    from porting.departures import departed

    departed(algorithm, departures)  # refuses a wrong name now, not in another process
    # XLA pays in the long run, and would be compiled for each of many short ones.
    return _gaal(name, algorithm, tuple(departures), steps_per_execution=1000)
