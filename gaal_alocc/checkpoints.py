"""Checkpoints: snapshots of a training run, from which a killed process goes on bit for bit.

A snapshot is an npz file of arrays, with one text of JSON among them; nothing is pickled. It is
written aside, synced to the disk and renamed to a name that ends in the first digits of its
SHA-256, so that a file of that name is whole or known to be damaged. The last two are kept.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.base import BaseEstimator

from gaal_alocc import __version__

FORMAT = 2
KEPT = 2  # snapshots: the last, and the one to fall back on should it be damaged
SHARE = 20  # "auto" spends at most one part in so many of the time on writing
ASIDE = "unfinished.part"
NAME = re.compile(r"snapshot_(\d+)\.([0-9a-f]{16})\.npz")


def _sync(path: Path) -> None:
    """Have the disk hold what was written to a file, or a folder's list of names."""
    if path.is_dir() and os.name != "posix":
        return  # only there can a folder be opened
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(path: Path, aside: Path) -> Iterator[None]:
    """Remove what was written aside where it fails, and have an OSError name the file meant."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        if not isinstance(error, OSError):
            raise
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from error


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that it appears whole or not at all, and outlives a failing machine.

    It is written beside its place, under a name where a killed process may have left its half. What
    lies there stays until the new one is on the disk. An OSError, as of a full disk, names the
    file; nothing of it is left.
    """
    aside = path.parent / ASIDE
    with writing(path, aside):
        aside.write_bytes(content)
        _sync(aside)
        os.replace(aside, path)
        _sync(path.parent)


def describe_data(**arrays: np.ndarray | None) -> dict[str, str | None]:
    """Tell arrays from all others: their shapes, types and SHA-256, for an identity.

    A refusal speaks of them by the names that they are given under.
    """
    described = {}
    for name, array in arrays.items():
        form = sha256 = None
        if array is not None:
            form = f"{array.dtype} of shape {array.shape}"
            sha256 = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
        described |= {f"form of {name}": form, f"SHA-256 of {name}": sha256}
    return described


def _differences(kept: dict, given: dict) -> str:
    missing = "unknown"
    return ", ".join(
        f"{name} was {kept.get(name, missing)}, is {given.get(name, missing)}"
        for name in {**kept, **given}
        if kept.get(name, missing) != given.get(name, missing)
    )


def _plain(value: Any) -> Any:
    """Say in JSON what it has no word for."""
    return value.item() if isinstance(value, np.generic) else type(value).__name__


class Checkpoints:
    """The snapshots of one training run, in a folder of its own, which is made where it is missing.

    ``identity`` is what the numbers of the run depend on, data and settings, in values that JSON
    can hold; versions are added. For ``every`` and ``resume`` see :meth:`.Estimator.fit`. Where a
    snapshot is resumed ``seed`` is that one's, so that a run whose seed was drawn at random goes on
    as it began; ``epoch`` tells how many are done. ``notes`` are JSON values that the caller wants
    back, kept with every snapshot.

    Raises a ValueError where the snapshot is of another identity (the message names every
    difference), none is whole, or ``every`` is wrong; a FileExistsError where the folder holds
    snapshots that are not to be resumed; an OSError where it cannot be made, read or written to.
    Warns where a snapshot is damaged, and the one before it is taken.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        identity: dict[str, Any],
        *,
        seed: int,
        every: int | str = "auto",
        resume: bool = False,
    ) -> None:
        if every != "auto" and not (isinstance(every, Integral) and every >= 1):
            raise ValueError(f"checkpoint_every is {every!r}; expected 'auto' or an int from 1.")
        self.folder = Path(os.path.expanduser(folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                error.errno, f"checkpoint_dir={folder} cannot be a folder: {error.strerror}"
            ) from error
        versions = {
            "format of checkpoints": FORMAT,
            "version of gaal-alocc": __version__,
            "version of Keras": keras.__version__,
            "version of TensorFlow": tf.__version__,
            "version of NumPy": np.__version__,
        }
        self._identity = json.loads(json.dumps({**versions, **identity}, default=_plain))
        self._every = every
        self._cost = self._finished_writing = 0.0
        self.seed, self.epoch, self.notes = int(seed), 0, {}
        self._arrays, self._values = {}, None
        self._kept: list[Path] = []  # those this run restored or wrote, the last one first
        found = self._names()
        if found and not resume:
            raise FileExistsError(
                f"checkpoint_dir={self.folder} holds the checkpoint of a run that came to epoch"
                f" {found[0][0]}. Go on with it by resume=True (--resume), or choose another"
                " folder."
            )
        if found:
            path, self._arrays, values = self._newest_whole(found)
            differences = _differences(values["identity"], self._identity)
            if differences:
                raise ValueError(
                    f"The checkpoint in checkpoint_dir={self.folder} is of another run:"
                    f" {differences}."
                )
            self.seed, self.epoch = values["seed"], values["epoch"]
            self.notes = values["notes"]
            self._values = values
            self._kept = [path]

    def _names(self) -> list[tuple[int, str, Path]]:
        """Epoch, start of the SHA-256 and path of each snapshot, newest first."""
        matches = [NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        return sorted(
            ((int(m[1]), m[2], self.folder / m[0]) for m in matches if m is not None), reverse=True
        )

    def _newest_whole(
        self, found: list[tuple[int, str, Path]]
    ) -> tuple[Path, dict[str, np.ndarray], dict[str, Any]]:
        for _, digest, path in found:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest().startswith(digest):
                with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                    arrays = dict(archive)
                return path, arrays, json.loads(str(arrays.pop("values")))
            warnings.warn(f"The checkpoint {path} is damaged, and left out.", stacklevel=2)
        raise ValueError(
            f"checkpoint_dir={self.folder} holds damaged checkpoints only. Remove them to begin"
            " anew."
        )

    def restore(
        self,
        variables: Iterable[keras.Variable],
        generators: Sequence[np.random.Generator],
        n_epochs: int,
        **conditions: Any,
    ) -> tuple[list[pd.DataFrame], bool]:
        """Name what changes in training, and set it to the snapshot's state if one is resumed.

        These are the variables of networks and optimizers, and the generators that are drawn from
        from epoch to epoch; ``conditions`` are more of the identity, which only the training knows.
        Returns what :meth:`save` was given, empty where nothing is resumed, and whether the run had
        been stopped before its last epoch. Raises a ValueError where the conditions differ, or the
        snapshot lies beyond ``n_epochs``.
        """
        self._variables, self._generators = list(variables), list(generators)
        self._conditions = conditions
        if self._values is None:
            return [], False
        differences = _differences(self._values["conditions"], conditions)
        if self.epoch > n_epochs:
            differences = f"it came to epoch {self.epoch}, and epochs is {n_epochs}"
        if differences:
            raise ValueError(
                f"The checkpoint in checkpoint_dir={self.folder} is of another run: {differences}."
            )
        arrays, self._arrays = self._arrays, {}
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[f"variable_{i:03d}"])
        for generator, state in zip(self._generators, self._values["generators"]):
            generator.bit_generator.state = state
        columns = self._values["columns"]
        table = pd.DataFrame({name: arrays[f"history_{name}"] for name in columns})
        return [table], self._values["stopped"]

    def epochs_to_go(self, epoch: int) -> float:
        """How many epochs after this one the next snapshot is due; infinity for "auto"."""
        return math.inf if self._every == "auto" else self._every - epoch % self._every

    def due(self, epoch: int) -> bool:
        """Whether the end of this epoch, counted from 1, is the time for a snapshot."""
        if self._every == "auto":
            return time.monotonic() - self._finished_writing >= (SHARE - 1) * self._cost
        return epoch % self._every == 0

    def save(self, epoch: int, history: pd.DataFrame, stopped: bool = False) -> None:
        """Write a snapshot, and remove all but it and the one restored or written before.

        The history is of numbers, a row an update; ``stopped`` tells that training ends here though
        epochs are left. Where it cannot be written, as on a full disk, earlier ones are left as
        they are.
        """
        start = time.monotonic()
        values = {
            "identity": self._identity,
            "conditions": self._conditions,
            "seed": self.seed,
            "epoch": epoch,
            "stopped": bool(stopped),
            "generators": [generator.bit_generator.state for generator in self._generators],
            "columns": list(history),
            "notes": self.notes,
        }
        arrays = {f"variable_{i:03d}": v.numpy() for i, v in enumerate(self._variables)}
        arrays |= {f"history_{name}": column.to_numpy() for name, column in history.items()}
        buffer = io.BytesIO()
        np.savez(buffer, values=np.array(json.dumps(values)), **arrays)
        content = buffer.getbuffer()
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = self.folder / f"snapshot_{epoch:06d}.{digest}.npz"
        write_whole(path, content)
        # Not by their epochs: a damaged one may be of a later epoch than what was resumed.
        self._kept = [path, *(kept for kept in self._kept if kept != path)][:KEPT]
        for *_, other in self._names():
            if other not in self._kept:
                other.unlink()
        self._finished_writing = time.monotonic()
        self._cost = self._finished_writing - start


def open_checkpoints(
    folder: str | os.PathLike | None,
    estimator: BaseEstimator,
    data: dict[str, np.ndarray | None],
    *,
    seed: int,
    every: int | str = "auto",
    resume: bool = False,
    free: Collection[str] = (),
) -> Checkpoints | None:
    """Make the arguments of an estimator's ``fit`` a :class:`Checkpoints`; None without a folder.

    Its class, its parameters and the data, by name, enter the identity; but no ``random_state``
    that is no int, verbose, epochs, or what else of the parameters the training is ``free`` of.
    """
    if folder is None:
        for name, value, default in (
            ("resume", resume, False),
            ("checkpoint_every", every, "auto"),
        ):
            if value != default:
                raise ValueError(
                    f"{name}={value!r}, but checkpoint_dir is None; expected a folder."
                )
        return None
    params = estimator.get_params(deep=False)
    if not isinstance(params["random_state"], Integral):
        params["random_state"] = None
    settings = {name: params[name] for name in params if name not in {"verbose", "epochs", *free}}
    identity = {"class": type(estimator).__name__, **settings, **describe_data(**data)}
    return Checkpoints(folder, identity, seed=seed, every=every, resume=resume)
