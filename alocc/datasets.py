"""Images for ALOCC: every way to come by them, and what makes data of them.

Images are arrays (n, height, width) or (n, height, width, channels), uint8 in 0..255 or
float in [0, 1]. All but :func:`load_images` lies in rooms of its own and is at hand here.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from alocc.folders import IMAGE_SUFFIXES, load_frames, load_image_folder, load_parts
from alocc.images import check_options
from alocc.mnist import (
    DatasetUnavailableError,
    holds_idx,
    load_digits_28,
    load_idx_folder,
    load_mnist,
    read_idx,
)
from alocc.patches import anomaly_map, extract_patches, frame_scores
from alocc.pixels import NOISE_SIGMA, add_noise, resize_images, to_unit
from alocc.splits import one_class_split
from alocc.videos import frame_truth, load_video, make_blobs_video

__all__ = [
    "IMAGE_SUFFIXES",
    "NOISE_SIGMA",
    "DatasetUnavailableError",
    "add_noise",
    "anomaly_map",
    "extract_patches",
    "frame_scores",
    "load_digits_28",
    "load_frames",
    "load_image_folder",
    "load_images",
    "load_mnist",
    "load_video",
    "make_blobs_video",
    "one_class_split",
    "read_idx",
    "resize_images",
    "to_unit",
]


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
        as the ground_truth of MVTec AD, is passed over. UCSD's videos come frame by frame, see
        :func:`load_video`, their names as classes.
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
        part, or no file an image), name, DESCR; is_anomalous, bool, of the test images, where
        they are frames of videos with masks or a list of anomalous frames, else None.

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
        if not holds_idx(folder):
            images = load_parts(folder, options)
            images.is_anomalous = None
            if images.test_target is not None:
                images.is_anomalous = frame_truth(images.test_files)
            if images.is_anomalous is not None:
                images.DESCR += f", {images.is_anomalous.sum()} of these anomalous frames"
            return images
        images = load_idx_folder(folder)
    if channels == 3:
        raise ValueError(f"{images.name} is grey, but three channels are asked for.")
    for part in ("data", "test_data"):
        if white is not None and white < 255:
            images[part] = np.rint(to_unit(images[part], white=white) * 255).astype(np.uint8)
        if size is not None and images[part].shape[1:3] != options["size"]:
            images[part] = resize_images(images[part], *options["size"])
            images.DESCR += f", resized to {size[0]} x {size[1]}" if part == "data" else ""
    images.update(files=None, test_files=None, is_anomalous=None)
    return images
