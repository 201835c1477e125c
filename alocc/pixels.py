"""Pixels in [0, 1], the noise model, and resizing.

Images are arrays (n, height, width) or (n, height, width, channels), uint8 in 0..255 or
float in [0, 1].
"""

from collections.abc import Sequence

import numpy as np
from sklearn.utils import check_random_state

from gaal_alocc.arrays import as_array

NOISE_SIGMA = 0.155  # of the published program, for pixels in [0, 1]
NOISE_BLOCK = 2**20  # pixels whose noise is drawn at a time
DIM = 128  # bytes that are all below may have another white than 255


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
    X = as_array(X)
    if white is not None and not 0 < white < np.inf:
        raise ValueError(f"white={white!r}, expected a number above 0, or None.")
    if X.dtype.kind not in "bfiu":
        raise ValueError(f"X is {X.dtype}, expected uint8, or float in [0, 1].")
    if white is None and X.dtype.kind in "iu" and X.dtype != np.uint8:
        raise ValueError(
            f"X is {X.dtype}, expected uint8, or float in [0, 1]: of other whole numbers it is not"
            " known which is white. alocc.datasets.to_unit(X, white=255), or 4095, 65535 or what"
            " is white in X, gives such floats; in the shell --white."
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

    Raises a ValueError where X is uint8 and holds more than 0, but nothing from 128 up.
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


def resize_images(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize images with a triangle filter: bilinear when they grow, an average when they shrink.

    Parameters
    ----------
    images : ndarray of shape (n, h, w) or (n, h, w, channels)
        uint8 or float.
    height, width : int
        New size, from 1 up.

    Returns
    -------
    ndarray of shape (n, height, width) or (n, height, width, channels)
        Of the dtype that came, uint8 rounded. Every pixel lies within the range of the
        pixels that it is made of.

    Raises
    ------
    ValueError
        If the images have another rank or dtype, or their channels first, or for a bad size.
    """
    images = as_array(images, "images")
    height, width = check_pair((height, width), "size")
    if images.ndim not in (3, 4):
        raise ValueError(
            f"images has shape {images.shape}; expected (n, height, width) or (n, height, width,"
            " channels)."
        )
    check_channels_last(images, "images")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"images is {images.dtype}, expected uint8 or float: to_unit makes floats of others."
        )
    rows = _resize_weights(images.shape[1], height)
    columns = _resize_weights(images.shape[2], width)
    low, high = (0, 255) if images.dtype == np.uint8 else (images.min(), images.max())
    resized = np.empty((len(images), height, width, *images.shape[3:]), images.dtype)
    for i, image in enumerate(images):  # one at a time, as the floats are 8 times as large
        values = np.einsum("ih,hw...,jw->ij...", rows, image, columns, optimize=True)
        values = np.clip(values, low, high)
        resized[i] = np.rint(values) if images.dtype == np.uint8 else values
    return resized


def _resize_weights(n_in: int, n_out: int) -> np.ndarray:
    """Weight of each old pixel in each new one, shape (n_out, n_in); rows sum to 1."""
    scale = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * scale - 0.5
    reach = max(scale, 1.0)
    distance = np.abs(np.arange(n_in) - np.clip(centres, 0, n_in - 1)[:, None])
    weights = np.maximum(0, 1 - distance / reach)
    return weights / weights.sum(axis=1, keepdims=True)


def check_pair(pair: int | Sequence[int], name: str) -> tuple[int, int]:
    """Read height and width, or one number for both."""
    both = (pair, pair) if isinstance(pair, int | np.integer) else tuple(pair)
    if len(both) != 2 or any(not isinstance(v, int | np.integer) or v < 1 for v in both):
        raise ValueError(f"{name}={pair!r}, expected two whole numbers from 1 up.")
    return int(both[0]), int(both[1])


def check_channels_last(images: np.ndarray, name: str) -> None:
    """Refuse images (n, channels, height, width), which would be taken for very low ones."""
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] > 4:
        raise ValueError(
            f"{name} has shape {images.shape}, channels first; expected (n, height, width,"
            f" channels): np.moveaxis({name}, 1, -1)."
        )
