"""The weights of R and D after every epoch: in memory, beside snapshots, in a saved detector.

In memory they are a list of ``{"R": [...], "D": [...]}``, an epoch each.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from gaal_alocc.checkpoints import Checkpoints, write_whole, writing

Models = Mapping[str, keras.Model]  # "R" and "D"
Weights = dict[str, list[np.ndarray]]


def uncompiled(model: keras.Model) -> keras.Model:
    """Copy a model without its optimizer, which holds the other model's variables too."""
    copy = type(model).from_config(model.get_config())  # clone_model compiles where it can
    copy.set_weights(model.get_weights())
    return copy


def weights_of(models: Models) -> Weights:
    """Give the weights of now."""
    return {name: model.get_weights() for name, model in models.items()}


def write(models: Models, checkpoints: Checkpoints, epoch: int) -> None:
    """Write the weights after an epoch beside the snapshots, which note their SHA-256."""
    for name, model in models.items():
        path = _path(checkpoints, epoch, name)
        # From an archive, for which Keras makes them in memory: where HDF5 itself meets a full
        # disk, the process crashes.
        aside = checkpoints.folder / "unfinished.keras"
        with writing(path, aside):
            uncompiled(model).save(aside)
            with zipfile.ZipFile(aside) as archive:
                content = archive.read("model.weights.h5")
            aside.unlink()
        write_whole(path, content)
        checkpoints.notes[path.name] = hashlib.sha256(content).hexdigest()


def read(models: Models, checkpoints: Checkpoints) -> list[Weights]:
    """Read what :func:`write` wrote of all epochs that are done, by way of models of that form.

    Raises
    ------
    ValueError
        If some are missing, damaged or of another run.
    """
    copies = {name: uncompiled(model) for name, model in models.items()}
    epoch_weights = []
    for epoch in range(checkpoints.epoch):
        for name, copy in copies.items():
            path = _path(checkpoints, epoch, name)
            if not path.is_file():
                raise ValueError(f"{path} is missing, without which the run cannot be resumed.")
            if hashlib.sha256(path.read_bytes()).hexdigest() != checkpoints.notes[path.name]:
                raise ValueError(f"{path} is damaged or of another run: the run cannot be resumed.")
            copy.load_weights(path)
        epoch_weights.append(weights_of(copies))
    return epoch_weights


def _path(checkpoints: Checkpoints, epoch: int, name: str) -> Path:
    return checkpoints.folder / f"epoch_{epoch:02d}_{name}.weights.h5"


def save(path: Path, epoch_weights: Sequence[Weights], used: Iterable[int]) -> None:
    """Write the weights of the epochs that are used into one npz file."""
    arrays = {
        f"{epoch}/{name}/{i}": array
        for epoch in used
        for name, weights in epoch_weights[epoch].items()
        for i, array in enumerate(weights)
    }
    np.savez(path, **arrays)


def load(path: Path) -> list[Weights]:
    """Read what :func:`save` wrote, where it did; the epochs between are empty."""
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        found = {}
        for key in arrays.files:
            epoch, name, i = key.split("/")
            found[int(epoch), name, int(i)] = arrays[key]
    epoch_weights = [{} for _ in range(max(epoch for epoch, _, _ in found) + 1)]
    for epoch, name, i in sorted(found):
        epoch_weights[epoch].setdefault(name, []).append(found[epoch, name, i])
    return epoch_weights
