"""Images for ALOCC: MNIST, digits, folders; the noise model, the one-class split, patches.

Images are arrays (n, height, width) or (n, height, width, channels), uint8 in 0..255 or
float in [0, 1].
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state

from alocc.images import (
    DIM,
    check_channels_last,
    check_options,
    check_pair,
    read_images,
    resize_images,
    to_channels,
)
from gaal_alocc.file_kinds import instead

NOISE_SIGMA = 0.155  # of the published program, for pixels in [0, 1]
NOISE_BLOCK = 2**20  # pixels whose noise is drawn at a time

IMAGE_SUFFIXES = (
    ".apng",
    ".avif",
    ".bmp",
    ".gif",
    ".jfif",
    ".jp2",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pfm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)

_NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")
_IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


class DatasetUnavailableError(OSError):
    """A data set is neither on this machine nor to be had by download."""


# ---------------------------------------------------------------------------------------
# MNIST and digits


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


def _as_bunch(
    arrays: dict[str, np.ndarray], name: str, source: str, what: str = "", of: str = ""
) -> Bunch:
    _check_mnist(arrays, source)
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
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        cached = home / "datasets" / "mnist.npz"
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


def _check_mnist(arrays: dict[str, np.ndarray], source: str) -> None:
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


def load_images(
    dataset: str | Path = "mnist",
    path: str | Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    white: float | None = None,
    background: int | None = None,
    download: bool = True,
) -> Bunch:
    """Load a data set by its name, or a folder of images.

    When MNIST is asked for without a path and is not to be had, scikit-learn's digits take
    its place, with a warning and with ``name`` and ``DESCR`` saying so. A path that was given
    and does not hold is an error, never replaced.

    Parameters
    ----------
    dataset : {"mnist", "digits"} or path, default="mnist"
        A name; or a folder that holds IDX files of the names of MNIST's, as Fashion-MNIST does;
        or a folder of images for :func:`load_image_folder`. A folder with the
        subfolders train and test gives the two parts, read as one set; what else lies in it,
        as the ground_truth of MVTec AD, is passed over.
    path : str or Path, optional
        For "mnist" where its files are, see :func:`load_mnist`. With any other name than
        "mnist" and "digits", the folder of images, as ``dataset_address`` once was.
    size : (int, int), optional
        (height, width) to resize to.
    channels : {1, 3}, optional
        What a folder's images are turned into. By default grey if all that are trained on
        are, else colour.
    white : float, optional
        What is white, see :func:`load_image_folder`.
    background : int, optional
        What shows through transparent images of a folder, see :func:`load_image_folder`.
    download : bool, default=True
        Whether MNIST may be downloaded.

    Returns
    -------
    Bunch
        data, target, test_data, test_target, files, test_files (None where there is no such
        part, or no file an image), name, DESCR.

    Warns
    -----
    UserWarning
        When digits take MNIST's place.
    """
    options = check_options(size, channels, white, background)
    if dataset == "mnist":
        try:
            images = load_mnist(path, download)
        except DatasetUnavailableError as error:
            warnings.warn(
                f"NOT MNIST: {error} scikit-learn's digits, enlarged to 28 x 28, take its"
                " place; numbers on them do not compare with published ones.",
                UserWarning,
                stacklevel=2,
            )
            images = load_digits_28()
    elif dataset == "digits":
        images = load_digits_28()
    else:
        folder = Path(os.path.expanduser(dataset if path is None else path))
        if _idx_file(folder, _IDX_NAMES["x_train"]) is None:
            return _load_parts(folder, options)
        images = _as_bunch(_read_idx_folder(folder), str(folder), f"{folder} (IDX files)")
    if channels == 3:
        raise ValueError(f"{images.name} is grey, but three channels are asked for.")
    for part in ("data", "test_data"):
        if white is not None and white < 255:
            images[part] = np.rint(to_unit(images[part], white=white) * 255).astype(np.uint8)
        if size is not None and images[part].shape[1:3] != options["size"]:
            images[part] = resize_images(images[part], *options["size"])
            images.DESCR += f", resized to {size[0]} x {size[1]}" if part == "data" else ""
    images.update(files=None, test_files=None)
    return images


def _load_parts(folder: Path, options: dict) -> Bunch:
    if not folder.is_dir():
        raise FileNotFoundError(f"{str(folder)!r} is neither 'mnist' nor 'digits' nor a folder.")
    subfolders = [entry.name for entry in _entries(folder) if entry.is_dir()]
    if not {"train", "test"} <= set(subfolders):
        images = load_image_folder(folder, **options)
        return Bunch(**images, test_data=None, test_target=None, test_files=None)
    files, target = _find_images(folder / "train")
    test_files, test_target = _find_images(folder / "test")
    images = read_images([*files, *test_files], **options)
    train = _stack(files, images[: len(files)])
    test = _stack(test_files, [to_channels(i, train.shape[3]) for i in images[len(files) :]])
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"{files[0]} is {_size_text(train[0])}, {test_files[0]} is {_size_text(test[0])}:"
            " give a size to resize to (--input_height)."
        )
    beside = [name for name in subfolders if name not in ("train", "test")]
    return Bunch(
        data=train,
        target=target,
        files=[str(file) for file in files],
        test_data=test,
        test_target=test_target,
        test_files=[str(file) for file in test_files],
        name=str(folder),
        DESCR=f"{len(train)} training and {len(test)} test images from {folder}"
        + (f", without what is in {', '.join(beside)}" if beside else ""),
    )


# ---------------------------------------------------------------------------------------
# Folders of images


def load_image_folder(
    folder: str | Path,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    white: float | None = None,
    background: int | None = None,
) -> Bunch:
    """Load a folder of images, or of subfolders of images that name their classes.

    Files are taken in sorted order, with numbers in names in order of size (2 before 10).
    Files whose suffix is not that of an image, and hidden ones, are passed over. Needs Pillow,
    whose modes become, upright as EXIF says:

    ====================================  =================================================
    Mode                                  Read as
    ====================================  =================================================
    1, L                                  grey
    LA, La                                grey, laid on the background
    P, PA                                 grey if its colours are, laid on the background
    RGB                                   colour
    RGBA, RGBa                            colour, laid on the background
    RGBX                                  colour, and a warning of the channel left out
    CMYK, YCbCr, HSV, LAB                 colour, by Pillow's conversion to RGB
    I;16, I;16L, I;16B, I;16N, I          grey, by ``white``
    F                                     grey, by ``white``
    ====================================  =================================================

    A transparent colour of a 1, L, P or RGB image counts as its alpha. 16-bit PNGs and TIFFs
    in colour are read by their upper 8 bits, and refused where these hold next to nothing. Of
    8 bits are all but those of the last two rows; a ``white`` up to 255 is theirs as well.

    Parameters
    ----------
    folder : str or Path
        Holds images, or one subfolder a class; or it is one image file. Files in a folder are
        known as images by their suffix: PNG, JPEG, JPEG 2000, BMP, GIF, TIFF, WebP, AVIF, PBM,
        PGM, PPM or PFM.
    size : (int, int), optional
        (height, width) to resize each image to. By default all must have one size.
    channels : {1, 3}, optional
        1 turns images grey, 3 into colour. By default grey if all images are, else colour.
    white : float, optional
        What is white, of 0 for black; above 0. By default 255 in files of 8 bits a pixel, with
        a warning where all of the set are below 128, and 1 for floats; for other whole numbers
        the most that 8, 12 or 16 bits hold, or all bits of the file less a sign, whichever of
        them first holds every such pixel of the set, with a warning unless they are the
        file's. Above 255 it is for files of more than 8 bits alone. Images to be compared, as
        those to train on and those to score, should be given the same.
    background : int in 0..255, optional
        The grey that shows through transparency. By default 255, white; and black, with a
        warning, for an image that could not be told from white.

    Returns
    -------
    Bunch
        data (n, height, width, channels), uint8; target (n,), the names of the subfolders, or
        None without subfolders; files, the n paths; name and DESCR.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds no image.
    ValueError
        If two images differ in size and no ``size`` is given, if a file is not a readable
        image or larger than Pillow's limit, if its pixels are below black, above white, NaN or
        signed bytes, if images lie beside subfolders of images, or for a bad argument.

    Warns
    -----
    UserWarning
        Naming the files of which only the first page or frame, or not every channel, is read;
        that are laid on black, or are transparent all over; whose ``white`` is taken from
        their pixels, or leaves them dark; whose EXIF data are broken.
    """
    options = check_options(size, channels, white, background)
    folder = Path(os.path.expanduser(folder))
    files, target = ([folder], None) if folder.is_file() else _find_images(folder)
    return Bunch(
        data=_stack(files, read_images(files, **options)),
        target=target,
        files=[str(file) for file in files],
        name=str(folder),
        DESCR=f"{len(files)} images from {folder}",
    )


def _find_images(folder: Path) -> tuple[list[Path], np.ndarray | None]:
    """Find the image files of a folder, or of its subfolders with their names as classes."""
    if not folder.is_dir():
        raise FileNotFoundError(f"folder={str(folder)!r} is not a folder.")
    files = _image_files(folder)
    in_subfolders = {
        entry.name: found
        for entry in _entries(folder)
        if entry.is_dir() and (found := _image_files(entry))
    }
    if files and in_subfolders:
        raise ValueError(
            f"{folder} holds images ({files[0].name}) beside the subfolder"
            f" {next(iter(in_subfolders))!r} with images: move them into subfolders, one a class."
        )
    if in_subfolders:
        files = [file for found in in_subfolders.values() for file in found]
        return files, np.repeat(list(in_subfolders), [len(v) for v in in_subfolders.values()])
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no image, nor does a subfolder of it; suffixes looked for:"
            f" {', '.join(IMAGE_SUFFIXES)}."
        )
    return files, None


def _stack(files: list[Path], images: list[np.ndarray]) -> np.ndarray:
    """One array (n, height, width, channels) of images, in colour if any is."""
    for file, image in zip(files, images):
        if image.shape[:2] != images[0].shape[:2]:
            raise ValueError(
                f"images differ in size: {files[0]} is {_size_text(images[0])},"
                f" {file} is {_size_text(image)}; give a size to resize to (--input_height)."
            )
    n_channels = max(image.shape[2] for image in images)
    data = np.empty((len(images), *images[0].shape[:2], n_channels), np.uint8)
    for i, image in enumerate(images):
        data[i] = image  # a grey image among colour ones is spread over the channels
    return data


def load_frames(
    folder: str | Path,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = 1,
    white: float | None = None,
    background: int | None = None,
) -> np.ndarray:
    """Load the frames of a video from a folder of images, in sorted order.

    Parameters
    ----------
    folder : str or Path
        Holds one image a frame; or one subfolder a video, whose frames follow one another.
    size : (int, int), optional
        (height, width) to resize to.
    channels : {1, 3} or None, default=1
    white, background : optional
        As in :func:`load_image_folder`, whose errors and warnings apply.

    Returns
    -------
    ndarray of uint8, shape (n, height, width, channels)
    """
    options = check_options(size, channels, white, background)
    return load_image_folder(folder, **options).data


def _natural(path: Path) -> list:
    # re.split alternates text and digits, so that like is compared with like
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)] + [path.name]


def _entries(folder: Path) -> list[Path]:
    return sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=_natural)


def _image_files(folder: Path) -> list[Path]:
    return [e for e in _entries(folder) if e.suffix.lower() in IMAGE_SUFFIXES and e.is_file()]


def _size_text(image: np.ndarray) -> str:
    return f"{image.shape[0]} x {image.shape[1]} (height x width)"


# ---------------------------------------------------------------------------------------
# Pixels


def to_unit(X: np.ndarray, first: int = 0, *, white: float | None = None) -> np.ndarray:
    """Bring pixels to float32 in [0, 1].

    Parameters
    ----------
    X : array
        uint8 in 0..255, which is divided by 255, float in [0, 1], or bool; or any numbers with
        their ``white``.
    first : int, default=0
        What the error calls X[0], for a part of a larger array.
    white : float, optional
        What is white in X, of 0 for black; above 0. By default 255 in uint8 and 1 in floats.

    Returns
    -------
    ndarray of float32
        A copy unless X is float32 already and has no ``white``.

    Raises
    ------
    ValueError
        If X is of whole numbers other than uint8 and has no ``white``, of what is no numbers,
        holds NaN, or a value below black or above white as float32; with its place.
    """
    X = np.asarray(X)
    if white is not None and not 0 < white < np.inf:
        raise ValueError(f"white={white!r}, expected a number above 0, or None.")
    if X.dtype.kind not in "bfiu":
        raise ValueError(f"X is {X.dtype}, expected uint8, or float in [0, 1].")
    if white is None and X.dtype.kind in "iu" and X.dtype != np.uint8:
        raise ValueError(
            f"X is {X.dtype}, expected uint8, or float in [0, 1]: of other whole numbers it is not"
            " known which is white. alocc.datasets.to_unit(X, white=255), or 4095, 65535 or what"
            " is white in X, gives such floats."
        )
    with np.errstate(over="ignore"):  # what float32 does not hold becomes infinite
        unit = X.astype(np.float32, copy=False)
    if X.dtype == np.uint8 and white is None:
        unit /= 255
        return unit
    if white is not None:
        unit = np.divide(unit, np.float32(white), out=None if unit is X else unit)
    if unit.size and not (np.min(unit) >= 0 and np.max(unit) <= 1):  # NaN fails both
        place = np.argwhere(~((unit >= 0) & (unit <= 1)))[0]
        bad = X[tuple(place)]
        found = f"values from {np.nanmin(X)} to {np.nanmax(X)}" if bad == bad else "NaN"
        place[0] += first
        expected = "[0, 1], or uint8" if white is None else f"[0, {white:g}], its white"
        raise ValueError(
            f"X holds {found}, expected pixels in {expected}. The first other one is {bad},"
            f" X[{', '.join(map(str, place))}]."
        )
    return unit


def check_white(X: np.ndarray) -> None:
    """Refuse bytes that are all dark, as images to train on: 255 may not be their white.

    Parameters
    ----------
    X : array
        Any images. Nothing is said of those that are all 0.

    Raises
    ------
    ValueError
        If X is uint8 and holds more than 0, but nothing from 128 up.
    """
    if X.dtype == np.uint8 and 0 < (high := X.max(initial=0)) < DIM:
        raise ValueError(
            f"X is uint8, of which 255 is white, but holds nothing above {high}. Say what is white"
            f" in it: alocc.datasets.to_unit(X, white={high}), or white=255 if it is that dark, for"
            " these images and those to be scored; in the shell --white."
        )


def add_noise(
    X: np.ndarray,
    sigma: float = NOISE_SIGMA,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Add the published noise: Gaussian, the sum clipped to [0, 1].

    It is made once, before training, and not drawn afresh in each epoch (paper, section 3.1:
    the input of R is x + eta, eta ~ N(0, sigma^2 I)).

    Parameters
    ----------
    X : array of any shape
        uint8, or float in [0, 1].
    sigma : float, default=0.155
        Standard deviation of the noise, for pixels in [0, 1]; 0 or more.
    random_state : int, RandomState or None
        Seeds the noise.

    Returns
    -------
    ndarray of float32, of the shape of X
        In [0, 1].

    Raises
    ------
    ValueError
        For a negative sigma, or pixels that :func:`to_unit` refuses.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma={sigma!r}, expected 0 or more.")
    X = to_unit(X)
    random_state = check_random_state(random_state)
    noisy = np.empty(X.shape, np.float32)
    clean, flat = X.reshape(-1), noisy.reshape(-1)
    for i in range(0, X.size, NOISE_BLOCK):  # noise is float64: all at once would be twice X
        block = clean[i : i + NOISE_BLOCK]
        noise = random_state.normal(0.0, sigma, block.shape)
        flat[i : i + NOISE_BLOCK] = np.clip(block + noise, 0, 1)
    return noisy


# ---------------------------------------------------------------------------------------
# The one-class protocol


def one_class_split(
    X: np.ndarray,
    y: np.ndarray,
    target: object,
    outlier_share: float | None = None,
    *,
    X_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    test_share: float = 0.2,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Split labelled images as the paper does: one class is the inliers, the rest outliers.

    Training sees the target class only. The test part is its images and, at the given share,
    outliers drawn without replacement from all other classes (section 4.1).

    Parameters
    ----------
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images to train on and, without ``X_test``, to test on.
    y : array of shape (n,)
        Their classes.
    target : label
        The class of the inliers. A label is found by value, or by its text ("1" finds 1).
    outlier_share : float in [0, 1), optional
        Outliers among all test images, in the paper 0.1 to 0.5. By default every image of
        the other classes is in the test.
    X_test, y_test : arrays, optional
        Images to test on. Without them ``test_share`` of the target's images is held out,
        and outliers come from X.
    test_share : float in (0, 1), default=0.2
        Share of the target's images held out where there is no test part.
    random_state : int, RandomState or None
        Seeds what is held out, and which outliers are drawn.

    Returns
    -------
    Bunch
        X_train, the inliers, in their order; X_test; labels (m,), the classes of X_test;
        is_outlier (m,), bool; train_index and test_index, rows of X (of X_test where given).
        Inliers come first in the test, in order, then the outliers.

    Raises
    ------
    ValueError
        If the target is no label, naming those there are; for a bad share; or if there are
        too few outliers, or inliers to hold out.
    """
    if outlier_share is not None and not 0 <= outlier_share < 1:
        raise ValueError(f"outlier_share={outlier_share!r}, expected a share in [0, 1).")
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test come together: one is missing.")
    rng = check_random_state(random_state)
    y = _check_labels(X, y, "y")
    target = _find_label(y, target)
    train = np.flatnonzero(y == target)
    if X_test is None:
        if not 0 < test_share < 1:
            raise ValueError(f"test_share={test_share!r}, expected a share in (0, 1).")
        n_held_out = round(test_share * len(train))
        if not 0 < n_held_out < len(train):
            raise ValueError(
                f"test_share={test_share} of the {len(train)} images of target {target!r}"
                f" are {n_held_out}: nothing to test or to train on."
            )
        inliers = np.sort(rng.permutation(train)[:n_held_out])
        train = np.setdiff1d(train, inliers)
        X_test, y_test = X, y
    else:
        y_test = _check_labels(X_test, y_test, "y_test")
        inliers = np.flatnonzero(y_test == _find_label(y_test, target, "y_test"))
    outliers = np.flatnonzero(y_test != target)
    if outlier_share is not None:
        wanted = round(len(inliers) * outlier_share / (1 - outlier_share))
        if wanted > len(outliers):
            raise ValueError(
                f"outlier_share={outlier_share} beside {len(inliers)} inliers takes {wanted}"
                f" outliers, but there are {len(outliers)}."
            )
        outliers = np.sort(rng.permutation(outliers)[:wanted])
    test = np.concatenate([inliers, outliers])
    return Bunch(
        X_train=X[train],
        X_test=X_test[test],
        labels=y_test[test],
        is_outlier=np.arange(len(test)) >= len(inliers),
        train_index=train,
        test_index=test,
    )


def _check_labels(X: np.ndarray, y: np.ndarray, name: str) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (len(X),):
        raise ValueError(f"{name} has shape {y.shape}, expected a label for each of {len(X)} rows.")
    return y


def _find_label(y: np.ndarray, target: object, name: str = "y") -> object:
    labels = np.unique(y)
    for label in labels:
        if label == target or str(label) == str(target):
            return label
    there = ", ".join(str(label) for label in labels)
    raise ValueError(f"target={target!r} is not among the labels of {name}: {there}.")


# ---------------------------------------------------------------------------------------
# Patches of frames


def extract_patches(
    frames: np.ndarray, size: int | tuple[int, int] = 30, stride: int | tuple[int, int] = 15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut frames into patches, as the paper's video experiment does (section 4.2, 30 x 30).

    Patches lie on a grid of the given stride from the top left corner. Where the grid leaves
    a rest at the bottom or right, one more patch lies flush with the border, so that with a
    stride no larger than the size every pixel is covered.

    Parameters
    ----------
    frames : ndarray of shape (n, height, width) or (n, height, width, channels)
        Any dtype, which the patches keep.
    size : int or (int, int), default=30
        (height, width) of a patch.
    stride : int or (int, int), default=15
        Step down and to the right.

    Returns
    -------
    patches : ndarray of shape (m, size[0], size[1]) or with channels
        Frame by frame, each from top left to bottom right.
    positions : ndarray of int, shape (m, 3)
        Frame, top and left of each patch.

    Raises
    ------
    ValueError
        If frames are not of rank 3 or 4, or smaller than a patch.
    """
    frames = np.asarray(frames)
    height, width = check_pair(size, "size")
    down, right = check_pair(stride, "stride")
    if frames.ndim not in (3, 4):
        raise ValueError(
            f"frames has shape {frames.shape}, expected (n, height, width) or with channels."
        )
    check_channels_last(frames, "frames")
    if frames.shape[1] < height or frames.shape[2] < width:
        raise ValueError(f"size={(height, width)} is larger than the frames, {frames.shape[1:3]}.")
    tops = _starts(frames.shape[1], height, down)
    lefts = _starts(frames.shape[2], width, right)
    grid = np.meshgrid(np.arange(len(frames)), tops, lefts, indexing="ij")
    positions = np.stack([axis.ravel() for axis in grid], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(frames, (height, width), axis=(1, 2))
    patches = windows[tuple(positions.T)]  # (m[, channels], height, width)
    if frames.ndim == 4:
        patches = np.moveaxis(patches, 1, -1)
    return np.ascontiguousarray(patches), positions


def _starts(length: int, size: int, stride: int) -> np.ndarray:
    return np.union1d(np.arange(0, length - size + 1, stride), [length - size])


def frame_scores(
    patch_scores: np.ndarray, positions: np.ndarray, n_frames: int | None = None
) -> np.ndarray:
    """Score frames by their least normal patch: a frame is anomalous if any patch is.

    Parameters
    ----------
    patch_scores : array of shape (m,)
        Higher is more normal, as score_samples gives them.
    positions : array of shape (m, 3)
        From :func:`extract_patches`.
    n_frames : int, optional
        By default up to the last frame with a patch.

    Returns
    -------
    ndarray of float, shape (n_frames,)
        The least of each frame's patch scores; NaN for a frame without patches.
    """
    patch_scores, positions = _check_patch_scores(patch_scores, positions)
    n_frames = _count_frames(positions, n_frames)
    scores = np.full(n_frames, np.inf)
    np.minimum.at(scores, positions[:, 0], patch_scores)
    scores[np.bincount(positions[:, 0], minlength=n_frames) == 0] = np.nan
    return scores


def anomaly_map(
    patch_scores: np.ndarray,
    positions: np.ndarray,
    size: int | tuple[int, int],
    frame_size: tuple[int, int],
    n_frames: int | None = None,
) -> np.ndarray:
    """Put patch scores back into frames: each pixel's mean over the patches that cover it.

    Parameters
    ----------
    patch_scores : array of shape (m,)
        Any score; minus score_samples for a map that is high where the frame is anomalous.
    positions : array of shape (m, 3)
        From :func:`extract_patches`.
    size : int or (int, int)
        (height, width) of a patch.
    frame_size : (int, int)
        (height, width) of a frame.
    n_frames : int, optional
        By default up to the last frame with a patch.

    Returns
    -------
    ndarray of float, shape (n_frames, height, width)
        NaN where no patch lies.
    """
    patch_scores, positions = _check_patch_scores(patch_scores, positions)
    height, width = check_pair(size, "size")
    frame_size = check_pair(frame_size, "frame_size")
    if len(positions) and np.any(
        np.max(positions[:, 1:], axis=0) > (frame_size[0] - height, frame_size[1] - width)
    ):
        raise ValueError(f"patches of size {(height, width)} reach beyond frame_size={frame_size}.")
    sums = np.zeros((_count_frames(positions, n_frames), *frame_size))
    counts = np.zeros(sums.shape, np.int32)
    for score, (frame, top, left) in zip(patch_scores, positions):
        where = (frame, slice(top, top + height), slice(left, left + width))
        sums[where] += score
        counts[where] += 1
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _check_patch_scores(
    patch_scores: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    patch_scores, positions = np.asarray(patch_scores, float), np.asarray(positions)
    if patch_scores.ndim != 1 or positions.shape != (len(patch_scores), 3):
        raise ValueError(
            f"patch_scores has shape {patch_scores.shape} and positions {positions.shape},"
            " expected (m,) and (m, 3)."
        )
    return patch_scores, positions


def _count_frames(positions: np.ndarray, n_frames: int | None) -> int:
    least = int(positions[:, 0].max()) + 1 if len(positions) else 0
    if n_frames is None:
        return least
    if n_frames < least:
        raise ValueError(f"n_frames={n_frames}, but positions name frame {least - 1}.")
    return n_frames


def make_blobs_video(
    n_train: int = 40,
    n_test: int = 40,
    height: int = 48,
    width: int = 64,
    n_blobs: int = 4,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make a video of round blobs that drift about, and a test in which a square intrudes.

    Parameters
    ----------
    n_train, n_test : int, default=40
        Number of frames. In the test, the intruder crosses the frame in the second half.
    height, width : int, default=48, 64
        Size of a frame, from 16 up.
    n_blobs : int, default=4
        Blobs, in training and in the test.
    random_state : int, RandomState or None
        Seeds where the blobs start and how fast they go.

    Returns
    -------
    Bunch
        train_frames (n_train, height, width) and test_frames, uint8; is_anomalous (n_test,),
        bool; intruder (n_test, height, width), bool, its pixels.
    """
    if min(height, width) < 16:
        raise ValueError(f"height={height}, width={width}, expected 16 or more.")
    rng = check_random_state(random_state)
    train_frames = _drifting_blobs(n_train, height, width, n_blobs, rng)
    test_frames = _drifting_blobs(n_test, height, width, n_blobs, rng)
    is_anomalous = np.arange(n_test) >= n_test - n_test // 2
    side = min(height, width) // 4
    top = rng.randint(0, height - side + 1)
    lefts = np.linspace(0, width - side, max(is_anomalous.sum(), 1)).astype(int)
    intruder = np.zeros(test_frames.shape, bool)
    for frame, left in zip(np.flatnonzero(is_anomalous), lefts):
        intruder[frame, top : top + side, left : left + side] = True
    test_frames[intruder] = 255
    return Bunch(
        train_frames=train_frames,
        test_frames=test_frames,
        is_anomalous=is_anomalous,
        intruder=intruder,
    )


def _drifting_blobs(
    n: int, height: int, width: int, n_blobs: int, rng: np.random.RandomState
) -> np.ndarray:
    extent = np.array([height, width])
    start = rng.uniform(0, 1, (n_blobs, 2)) * extent
    speed = rng.uniform(0.5, 1.5, (n_blobs, 2)) * rng.choice([-1, 1], (n_blobs, 2))
    centres = (start + speed * np.arange(n)[:, None, None]) % extent
    y, x = np.ogrid[:height, :width]
    light = np.zeros((n, height, width))
    for blob in range(n_blobs):
        cy, cx = (centres[:, blob, axis][:, None, None] for axis in (0, 1))
        light = np.maximum(light, np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.5**2)))
    return np.rint(light * 180).astype(np.uint8)
