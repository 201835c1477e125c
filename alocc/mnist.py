"""MNIST and what is laid out as it is, IDX files; the digits that stand in for it offline."""

import gzip
import math
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from alocc.pixels import resize_images
from gaal_alocc.file_kinds import instead
from gaal_alocc.files import keras_cache

_IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_NPZ_NAMES = tuple(_IDX_NAMES)


class DatasetUnavailableError(OSError):
    """A data set is neither on this machine nor to be had by download."""


def load_mnist(path: str | Path | None = None, download: bool = True) -> Bunch:
    """Load MNIST, from files of your own or by ``keras.datasets.mnist``.

    Parameters
    ----------
    path : str or Path, optional
        An npz file as Keras lays it out (x_train, y_train, x_test, y_test), a folder that
        holds it as mnist.npz, or a folder with the four IDX files (train-images-idx3-ubyte
        and so on, gzipped or not).
    download : bool, default=True
        Without a path, whether Keras may download the file if it is not in its cache yet.

    Returns
    -------
    Bunch
        data (n, 28, 28) and test_data, uint8 in 0..255; target (n,) and test_target, uint8,
        the digits 0 to 9; name "mnist"; DESCR, which says where the images come from.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``, or no MNIST in that folder.
    ValueError
        If a file there is not what its name says.
    DatasetUnavailableError
        Without a path, if the images are neither in Keras's cache nor to be downloaded.
    """
    if path is None:
        arrays, source = _mnist_by_keras(download)
    else:
        path = Path(os.path.expanduser(path))
        if not path.exists():
            raise FileNotFoundError(f"path={str(path)!r} does not exist.")
        if path.is_file():
            arrays, source = _read_npz(path), str(path)
        elif (path / "mnist.npz").is_file():
            arrays, source = _read_npz(path / "mnist.npz"), str(path / "mnist.npz")
        else:
            arrays, source = _read_idx_folder(path), f"{path} (IDX files)"
    return _as_bunch(arrays, "mnist", source, "MNIST, ", " of handwritten digits")


def load_idx_folder(folder: Path) -> Bunch:
    """Load a folder of IDX files of the names of MNIST's, whatever is in them."""
    return _as_bunch(_read_idx_folder(folder), str(folder), f"{folder} (IDX files)")


def holds_idx(folder: Path) -> bool:
    """Tell whether a folder holds IDX files of images to train on, of the names of MNIST's."""
    return _idx_file(folder, _IDX_NAMES["x_train"]) is not None


def _as_bunch(
    arrays: dict[str, np.ndarray], name: str, source: str, what: str = "", of: str = ""
) -> Bunch:
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.dtype != np.uint8 or x.ndim != 3 or 0 in x.shape:
            raise ValueError(
                f"{source}: the images of x_{part} are {x.dtype} of shape {x.shape}, expected"
                " uint8 of shape (n, height, width)."
            )
        if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
            raise ValueError(
                f"{source}: y_{part} is {y.dtype} of shape {y.shape}, expected a whole number"
                f" for each of the {len(x)} images."
            )
    return Bunch(
        data=arrays["x_train"],
        target=arrays["y_train"],
        test_data=arrays["x_test"],
        test_target=arrays["y_test"],
        name=name,
        DESCR=f"{what}{len(arrays['x_train'])} training and {len(arrays['x_test'])} test"
        f" images{of}, from {source}",
    )


def _mnist_by_keras(download: bool) -> tuple[dict[str, np.ndarray], str]:
    if not download:
        cached = keras_cache() / "datasets" / "mnist.npz"
        if cached.is_file():
            return _read_npz(cached), f"Keras's cache, {cached}"
        raise DatasetUnavailableError(
            f"MNIST is not in Keras's cache ({cached}) and download=False: give the path of"
            " an mnist.npz or of the four IDX files, or allow the download."
        )
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DatasetUnavailableError(
            f"MNIST could not be downloaded ({error}): give the path of an mnist.npz or of"
            " the four IDX files."
        ) from error
    return dict(zip(_NPZ_NAMES, (x_train, y_train, x_test, y_test))), "keras.datasets.mnist"


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an npz file{instead(path)}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _NPZ_NAMES if name in archive.files}
            found = sorted(archive.files)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a readable npz file: {error}") from error
    missing = [name for name in _NPZ_NAMES if name not in arrays]
    if missing:
        raise ValueError(f"{path} lacks the arrays {missing}; it holds {found}.")
    return arrays


def _read_idx_folder(folder: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for key, name in _IDX_NAMES.items():
        found = _idx_file(folder, name)
        if found is None:
            raise FileNotFoundError(
                f"{folder} holds neither mnist.npz nor the IDX file {name} (or {name}.gz)."
            )
        arrays[key] = read_idx(found)
    return arrays


def _idx_file(folder: Path, name: str) -> Path | None:
    """Find an IDX file by its published name, spelt with a dot or not, gzipped or not."""
    spellings = (name, name.replace("-idx", ".idx"))
    candidates = [folder / (s + end) for s in spellings for end in ("", ".gz")]
    return next((file for file in candidates if file.is_file()), None)


def read_idx(path: str | Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Parameters
    ----------
    path : str or Path
        The file; gzip is known by its first two bytes, whatever the name.

    Returns
    -------
    ndarray of uint8
        Of the shape that its header gives.

    Raises
    ------
    ValueError
        If the header is not that of an IDX file of unsigned bytes, or the file is shorter
        or longer than it says.
    """
    path = Path(os.path.expanduser(path))
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is not a whole gzip file: {error}.") from error
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes: it starts with {raw[:4].hex(' ')!r},"
            " expected 00 00 08 and the number of dimensions."
        )
    n_dims = raw[3]
    shape = struct.unpack(f">{n_dims}I", raw[4 : 4 + 4 * n_dims])
    values = raw[4 + 4 * n_dims :]
    if len(values) != math.prod(shape):
        raise ValueError(
            f"{path} holds {len(values)} bytes, but its header says {shape}, which are"
            f" {math.prod(shape)}."
        )
    return np.frombuffer(values, np.uint8).reshape(shape).copy()


def load_digits_28() -> Bunch:
    """Load scikit-learn's 8 x 8 digits, enlarged to 28 x 28: what stands in for MNIST offline.

    The images are enlarged by :func:`resize_images` and their 0..16 stretched to 0..255. The
    last fifth, in the order of the file, is the test part. They are not MNIST: coarser, 1797
    in all, so numbers on them do not compare with numbers on MNIST.

    Returns
    -------
    Bunch
        data (1438, 28, 28), test_data (359, 28, 28), uint8 in 0..255; target and test_target,
        the digits 0 to 9; name "digits"; DESCR.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = resize_images(digits.images.astype(np.float32) / 16, 28, 28)
    images = np.rint(images * 255).astype(np.uint8)
    n_train = len(images) * 4 // 5
    return Bunch(
        data=images[:n_train],
        target=digits.target[:n_train].astype(np.uint8),
        test_data=images[n_train:],
        test_target=digits.target[n_train:].astype(np.uint8),
        name="digits",
        DESCR=f"scikit-learn's digits, 8 x 8 enlarged to 28 x 28, {n_train} training and"
        f" {len(images) - n_train} test images (not MNIST)",
    )
