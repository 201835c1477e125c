"""Folders of images: classes or videos in subfolders, parts to train and to test on."""

import os
import re
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from alocc.images import check_options, read_images, to_channels

MASKS = "_gt"  # at the end of the names of UCSD's folders of masks
# fmt: off
IMAGE_SUFFIXES = (
    ".apng", ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)
# fmt: on


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
    Files whose suffix is not that of an image, and hidden ones, are passed over; so is a
    subfolder beside another of its name without _gt, which holds masks as UCSD's videos have
    them. Needs Pillow, whose modes become, upright as EXIF says:

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
        What is white, of 0 for black; above 0. By default 255 in files of 8 bits a pixel and 1
        for floats; for other whole numbers the most that 8, 12 or 16 bits hold, or all bits of
        the file less a sign, whichever of them first holds every such pixel of the set, with a
        warning unless they are the file's; and with one where the whole set is below half of
        white. Above 255 it is for files of more than 8 bits alone. Images to be compared, as
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
    files, target = ([folder], None) if folder.is_file() else find_images(folder)
    return Bunch(
        data=_stack(files, read_images(files, **options)),
        target=target,
        files=[str(file) for file in files],
        name=str(folder),
        DESCR=f"{len(files)} images from {folder}",
    )


def load_frames(
    folder: str | Path,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = 1,
    white: float | None = None,
    background: int | None = None,
) -> np.ndarray:
    """Load the frames of a video from a folder of images, in sorted order.

    Videos to train and to test on, with what is anomalous in them, loads
    :func:`alocc.datasets.load_video`.

    Parameters
    ----------
    folder : str or Path
        Holds one image a frame; or one subfolder a video, whose frames follow one another.
    size, channels, white, background
        As in :func:`load_image_folder`, whose errors and warnings apply.

    Returns
    -------
    ndarray of uint8, shape (n, height, width, channels)
    """
    options = check_options(size, channels, white, background)
    return load_image_folder(folder, **options).data


def load_parts(folder: Path, options: dict) -> Bunch:
    """Load a folder of the parts train and test, in any case, or one without parts."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{str(folder)!r} is neither 'mnist' nor 'digits' nor a folder.")
    subfolders = {entry.name.lower(): entry for entry in entries(folder) if entry.is_dir()}
    if not {"train", "test"} <= set(subfolders):
        images = load_image_folder(folder, **options)
        return Bunch(**images, test_data=None, test_target=None, test_files=None)
    files, target = find_images(subfolders["train"])
    test_files, test_target = find_images(subfolders["test"])
    images = read_images([*files, *test_files], **options)
    train = _stack(files, images[: len(files)])
    del images[: len(files)]  # of a video much memory
    test = _stack(test_files, [to_channels(image, train.shape[3]) for image in images])
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"{files[0]} is {_size_text(train[0])}, {test_files[0]} is {_size_text(test[0])}:"
            " give a size to resize to (--input_height)."
        )
    beside = [entry.name for name, entry in subfolders.items() if name not in ("train", "test")]
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


def find_images(folder: Path) -> tuple[list[Path], np.ndarray | None]:
    """Find the image files of a folder, or of its subfolders with their names as classes."""
    if not folder.is_dir():
        raise FileNotFoundError(f"folder={str(folder)!r} is not a folder.")
    files = image_files(folder)
    in_subfolders = {
        entry.name: found
        for entry in entries(folder)
        if entry.is_dir() and not _holds_masks(entry) and (found := image_files(entry))
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


def _holds_masks(folder: Path) -> bool:
    video = folder.name.removesuffix(MASKS)
    return video != folder.name and folder.with_name(video).is_dir()


def mask_files(video: Path) -> list[Path]:
    """List the masks of a folder of frames, which lie in the one beside it; there may be none."""
    folder = video.with_name(video.name + MASKS)
    return image_files(folder) if folder.is_dir() else []


def _natural(path: Path) -> list:
    # re.split alternates text and digits, so that like is compared with like
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)] + [path.name]


def entries(folder: Path) -> list[Path]:
    """List what is in a folder, in the order of numbers in names, without hidden files."""
    return sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=_natural)


def image_files(folder: Path) -> list[Path]:
    """List the images in a folder."""
    return [e for e in entries(folder) if e.suffix.lower() in IMAGE_SUFFIXES and e.is_file()]


def _size_text(image: np.ndarray) -> str:
    return f"{image.shape[0]} x {image.shape[1]} (height x width)"
