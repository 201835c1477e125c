"""Images as ALOCC takes them: arrays, or data sets of batches; whole, or in blocks to be scored."""

import itertools
import warnings
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from alocc.networks import check_image_shape
from alocc.pixels import check_channels_last, check_white, to_unit
from gaal_alocc.arrays import as_array, batches, in_batches

BLOCK_PIXELS = 2**20  # of the images that are scored at a time: bounds the memory of the maps
ALL_BUT_BLACK = 16  # of uint8: what is scored, and as dark, may be of another scale


def check_images(X) -> np.ndarray:
    """Look at the form of X, not at its pixels, and give it its axis of channels."""
    X = np.concatenate(list(_batches(X))) if in_batches(X) else as_array(X)
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X has shape {X.shape}; expected (n, height, width) or (n, height, width, channels)."
        )
    if len(X) == 0:
        raise ValueError(f"X has shape {X.shape}; expected at least one image.")
    if _single(X.shape):
        raise ValueError(
            f"X has shape {X.shape}, as a single image has; expected (n, height, width) or (n,"
            " height, width, channels): give X[None], or of a tf.data.Dataset X.batch(n)."
        )
    check_channels_last(X, "X")
    return X[..., None] if X.ndim == 3 else X


def _single(shape: Sequence[int | None]) -> bool:
    """Tell whether it is the shape of one image, without the axis of images."""
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))


def _batches(X: tf.data.Dataset | keras.utils.PyDataset) -> Iterator[np.ndarray]:
    """Batches of images as arrays; the first is there even where there are no images."""
    expected = "batches of images, (n, height, width) or (n, height, width, channels)"
    spec = getattr(X, "element_spec", None)  # which tf.data alone tells
    if isinstance(spec, tf.TensorSpec) and spec.shape.rank and _single(spec.shape):
        raise ValueError(
            f"X is a tf.data.Dataset of single images, {tuple(spec.shape)}; expected {expected}:"
            " X.batch(n)."
        )
    found = batches(X, (3, 4), expected)
    size = (0, 0, 0) if spec is None else [size or 0 for size in spec.shape[1:]]
    return itertools.chain([next(found, np.empty([0, *size]))], found)


def pixels(X: np.ndarray, dtype: str, first: int = 0) -> np.ndarray:
    """X in [0, 1]; first is what an error calls X[0]. Who scores bytes that are dark is warned."""
    if X.dtype == np.uint8 and 0 < (high := X.max(initial=0)) <= ALL_BUT_BLACK:
        warnings.warn(
            f"X is uint8, of which 255 is white, but holds nothing above {high} from X[{first}] to"
            f" X[{first + len(X) - 1}], which is all but black. If another value is white, give"
            f" alocc.datasets.to_unit(X, white={high}), in the shell --white.",
            UserWarning,
            stacklevel=5,
        )
    return to_unit(X, first).astype(dtype, copy=False)


def to_train(X, dtype: str) -> np.ndarray:
    """Images in [0, 1], of which it is sure that R and D can be trained on them."""
    X = check_images(X)
    check_image_shape(X.shape[1:])
    check_white(X)
    return pixels(X, dtype)


def blocks(
    X, image_shape: tuple[int, ...], dtype: str, batch_size: int | None = None
) -> Iterator[np.ndarray]:
    """Give images to be scored, in [0, 1], some at a time: of a data set no more is read.

    The shape and the dtype are those of the networks' images. By ``batch_size`` so many, or some
    more, come together, where they are scored by their own statistics.
    """
    if in_batches(X) and getattr(X, "shuffle", None) is True:  # an Iterator of Keras
        warnings.warn(
            "X shuffles its images, and so their scores: shuffle=False keeps their order.",
            UserWarning,
            stacklevel=4,
        )
    first = 0
    for images in _batches(X) if in_batches(X) else [X]:
        images = check_images(images)
        n = len(images)
        if images.shape[1:] != image_shape:
            raise ValueError(
                f"X has images of shape {images.shape[1:]} (height, width, channels); ALOCC was"
                f" fitted on {image_shape}."
            )
        if batch_size is not None and n < batch_size:
            raise ValueError(
                f"X has {n} images; with statistics='batch' they are normalised by their own"
                f" statistics, batch_size={batch_size} at least at a time. Expected more images,"
                " or other statistics."
            )
        for part in parts(images, batch_size):
            yield pixels(images[part], dtype, first + part.start)
        first += n


def parts(images: np.ndarray, batch_size: int | None) -> Iterator[slice]:
    """Divide images: in as many as are scored at a time, or ``batch_size`` or some more."""
    n, step = len(images), max(1, BLOCK_PIXELS // (images.shape[1] * images.shape[2]))
    ends = [*range(step, n, step), n]
    if batch_size is not None:
        ends = [*range(batch_size, n - batch_size + 1, batch_size), n]
    return map(slice, [0, *ends], ends)
