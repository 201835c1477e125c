"""Image files, read by Pillow, so that each gives what is seen in it.

What becomes of each mode stands in :func:`alocc.datasets.load_image_folder`. Pillow itself
drops transparency, leaves photos on their sides, cuts values that are no bytes down to bytes,
and takes the first page of many, all without a word.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alocc.pixels import check_pair, resize_images
from gaal_alocc.file_kinds import instead

if TYPE_CHECKING:
    from PIL import Image

# Pillow's modes, by what is made of them; those that are in neither are colour.
GREY = ("1", "L", "LA", "La")
PALETTE = ("P", "PA")
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
OF_16_BITS = (";16B", ";16L", ";16N")  # ends of raw modes; BGR;16 has that many in all
BITS = (8, 12, 16)  # a pixel, of what is kept in files of more
FEW = 16 * 16  # pixels, of which that cannot be told
FAINT = 16  # grey levels of 255: differences below are hardly seen
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two of more than 4 GB
TIFF_PHOTOMETRIC, TIFF_SAMPLES, TIFF_SAMPLE_FORMAT, TIFF_BITS = 262, 277, 339, 258
TIFF_COMPRESSION = 259
SIGNED = 2  # of TIFF_SAMPLE_FORMAT
SAMPLE_FORMATS = {1: "unsigned numbers", SIGNED: "signed numbers", 3: "floats"}
SAMPLE_FORMATS |= {4: "undefined values", 5: "complex whole numbers", 6: "complex floats"}


@dataclasses.dataclass
class _File:
    """One image: its pixels, and what is known of their scale."""

    path: Path
    pixels: np.ndarray  # (height, width, 1 or 3), uint8, or float whose white is to be found
    low: float = 0
    high: float = 255
    white: float | None = 255  # None where the file does not tell
    bits: int = 8  # the most that its kind of numbers can hold, less a sign
    upper_bytes: int | None = None  # of 16 bits a channel Pillow gives these: the highest
    notes: tuple[str, ...] = ()


def read_images(
    paths: Sequence[Path],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    white: float | None = None,
    background: int | None = None,
) -> list[np.ndarray]:
    """Read image files as one set, whose depth is decided for all of them.

    The options are those of :func:`alocc.datasets.load_image_folder`, which tells the errors and
    warnings. Each is uint8 of shape (height, width, channels), grey with 1 unless ``channels`` is
    3.
    """
    files = [_read(path, size, channels, white, background) for path in paths]
    guessed = _find_white(files, white)
    _check_upper_bytes(files, white)
    if white is None and not guessed:
        _tell_dark(files)
    notes: dict[str, list[Path]] = {}
    for file in files:
        for note in file.notes:
            notes.setdefault(note, []).append(file.path)
    for note, found in notes.items():
        warnings.warn(f"{_name(found)}: {note}", UserWarning, stacklevel=3)
    return [_as_bytes(file) for file in files]


def check_options(
    size: tuple[int, int] | None,
    channels: int | None,
    white: float | None,
    background: int | None,
) -> dict:
    """Check the options of :func:`read_images` and give them by name."""
    if channels not in (None, 1, 3):
        raise ValueError(f"channels={channels!r}, expected 1, 3 or None.")
    if size is not None:
        size = check_pair(size, "size")
    if white is not None and not 0 < white < np.inf:
        raise ValueError(f"white={white!r}, expected a number above 0, or None.")
    if background is not None and background not in range(256):
        raise ValueError(f"background={background!r}, expected a grey from 0 to 255, or None.")
    return {"size": size, "channels": channels, "white": white, "background": background}


def to_channels(image: np.ndarray, channels: int | None) -> np.ndarray:
    """Turn an image (height, width, 1 or 3) grey or into colour; None leaves it as it is."""
    if channels in (None, image.shape[2]):
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))[:, :, None]


# ---------------------------------------------------------------------------------------
# One file


def _read(
    path: Path,
    size: tuple[int, int] | None,
    channels: int | None,
    white: float | None,
    background: int | None,
) -> _File:
    from PIL import Image, UnidentifiedImageError

    try:
        # Not by the path: of that Pillow maps plain TIFFs into memory, and mixes up the width
        # and height of those to be turned.
        with open(path, "rb") as opened, Image.open(opened) as image:
            file = _decode(path, image, background)
    except Exception as error:  # a broken file leads Pillow to many others than OSError
        if isinstance(error, UnidentifiedImageError | KeyError) and (found := _tiff_kind(path)):
            raise ValueError(
                f"{path} is not a readable image: it is a TIFF of {found}, which Pillow does not"
                " open. tifffile.imread reads most such files; write them anew with 8 bits a"
                " channel, or in grey with unsigned 16 bits or floats of 32."
            ) from error
        found = instead(path)
        if isinstance(error, UnidentifiedImageError) and found and "image" not in found:
            raise ValueError(f"{path} is not a readable image{found}.") from error
        raise ValueError(f"{path} is not a readable image: {error}") from error
    if file.pixels.dtype == np.uint8 and file.upper_bytes is None:
        file.high = int(file.pixels.max())
        if white is not None and white < 255:  # else it speaks of the files of more bits
            _check_high(file, white)
            file.pixels = np.rint(file.pixels * (255 / white)).astype(np.uint8)
    file.pixels = to_channels(file.pixels, channels)
    if size is not None:
        file.pixels = resize_images(file.pixels[None], *size)[0]
    return file


def _decode(path: Path, image: Image.Image, background: int | None) -> _File:
    """Read one image; a ValueError's text goes on from "is not a readable image: "."""
    notes = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # in which the rest are aids
        notes.append("holds several pages or frames, of which the first alone is read.")
    tags = getattr(image, "tag_v2", {})  # as the rest of this, gone from what is turned
    raw_mode = _raw_mode(image)
    white = _known_white(image, tags)
    image.load()
    image, turning = _upright(image)
    notes += turning
    if image.mode == "RGBX" or tags.get(TIFF_SAMPLES, 1) > len(image.getbands()):
        notes.append("holds more channels than are read, the first three or the first.")

    if image.mode in DEEP:
        return _decode_deep(path, image, white, tags, tuple(notes))
    if image.mode == "L" and SIGNED in np.atleast_1d(tags.get(TIFF_SAMPLE_FORMAT, 1)):
        raise ValueError("its pixels are signed bytes; expected 0 to 255.")
    upper_bytes = None
    if raw_mode.endswith(OF_16_BITS):  # of several channels, as one alone is not of bytes
        if "transparency" in image.info:
            raise ValueError("it has 16 bits a channel and a transparent colour; save it as RGBA.")
        extrema = zip(image.getbands(), image.getextrema())
        upper_bytes = max(high for band, (_, high) in extrema if band not in "Aa")
    pixels, more = _flatten(image, raw_mode, background)
    high = 255 if upper_bytes is None else upper_bytes
    return _File(path, pixels, high=high, upper_bytes=upper_bytes, notes=(*notes, *more))


def _tiff_kind(path: Path) -> str:
    """Tell what pixels a TIFF holds, by its tags; empty for other files and broken ones."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        with open(path, "rb") as file:
            head = file.read(16)
            if not head.startswith(TIFF):
                return ""
            tags = ImageFileDirectory_v2(head if 43 in head[2:4] else head[:8])
            file.seek(tags.next)
            tags.load(file)
        bits, kinds = (np.atleast_1d(tags.get(t, 1)) for t in (TIFF_BITS, TIFF_SAMPLE_FORMAT))
        return (
            f"{SAMPLE_FORMATS[int(kinds[0])]} of {' and '.join(map(str, np.unique(bits)))} bits"
            f" (BitsPerSample {bits.tolist()}, SampleFormat {kinds.tolist()}, SamplesPerPixel"
            f" {tags.get(TIFF_SAMPLES, 1)}, PhotometricInterpretation {tags[TIFF_PHOTOMETRIC]},"
            f" Compression {tags.get(TIFF_COMPRESSION, 1)})"
        )
    except Exception:  # as many kinds as there are broken files
        return ""


def _raw_mode(image: Image.Image) -> str:
    """How the file lays its pixels out, in Pillow's words; empty where it does not say."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3]
        first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        return first if isinstance(first, str) else ""
    return ""


def _known_white(image: Image.Image, tags: Mapping[int, object]) -> float | None:
    """Find the white of pixels of more than 8 bits, where the file or Pillow says it."""
    if image.mode == "F":
        return 1.0
    if image.format == "PPM" and image.tile[0][0] != "raw":  # Pillow has scaled them
        return 65535.0
    if tags.get(TIFF_BITS) == (12,):
        return 4095.0
    return None


def _upright(image: Image.Image) -> tuple[Image.Image, list[str]]:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image), []
    except Exception:  # a broken EXIF block is no reason to lose the photo
        return image, ["its EXIF data are broken; it is taken to stand upright."]


def _decode_deep(
    path: Path,
    image: Image.Image,
    white: float | None,
    tags: Mapping[int, object],
    notes: tuple[str, ...],
) -> _File:
    """Pixels that are no bytes: whole numbers, of which the white is to be found, or floats."""
    if "transparency" in image.info:
        raise ValueError("it has more than 8 bits a pixel and a transparent grey; save it as RGBA.")
    values = np.asarray(image)
    (bits, *_), (kind, *_) = (
        np.atleast_1d(tags.get(tag, default))
        for tag, default in ((TIFF_BITS, 16), (TIFF_SAMPLE_FORMAT, 1))
    )
    if image.mode == "I" and (bits, kind) == (32, 1):  # of which Pillow makes signed numbers
        values = values.view(np.uint32)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds pixels that are NaN or infinite.")
    if tags.get(TIFF_PHOTOMETRIC) == 0:  # white is
        if image.mode == "F":
            raise ValueError("it is of floats whose white is 0; expected black to be 0.")
        values = 65535 - values
    low, high = float(values.min()), float(values.max())
    pixels = values[:, :, None].astype(np.float32)
    return _File(path, pixels, low, high, white, int(bits) - (kind == SIGNED), notes=notes)


def _flatten(
    image: Image.Image, raw_mode: str, background: int | None
) -> tuple[np.ndarray, list[str]]:
    """Pixels of an image of bytes, grey (height, width, 1) or colour, laid on the background."""
    mode, notes = image.mode, []
    if mode == "La":
        image = image.convert("LA")
    if mode == "L" and "transparency" in image.info and raw_mode in ("L;2", "L;4"):
        # Pillow stretches the pixels to 255, but not the grey that is transparent
        image.info["transparency"] *= 255 // (2 ** int(raw_mode[2:]) - 1)
    if "transparency" in image.info or image.getbands()[-1] in "Aa":
        image, notes = _lay_on(image.convert("RGBA"), background)
    pixels = np.asarray(image.convert("RGB"))  # LAB and others lead to grey by way of colours
    grey = mode in GREY or raw_mode == "LA;16B"  # which Pillow gives as RGBA
    if grey or (mode in PALETTE and (pixels == pixels[:, :, :1]).all()):
        pixels = pixels[:, :, :1]
    return pixels, notes


def _lay_on(image: Image.Image, background: int | None) -> tuple[Image.Image, list[str]]:
    """Compose an RGBA image with a grey ground: white, or what shows it where white does not."""
    from PIL import Image

    def on(grey: int) -> Image.Image:
        return Image.alpha_composite(Image.new("RGBA", image.size, (grey, grey, grey, 255)), image)

    least, most = image.getextrema()[3]
    if most == 0:
        return on(255 if background is None else background), [
            "is transparent all over: nothing of it is seen."
        ]
    if background is not None:
        return on(background), []
    seen = on(255)
    if least < most and min(low for low, _ in seen.getextrema()[:3]) > 255 - FAINT:
        return on(0), [
            "is white, with its shape in its transparency alone: laid on black and not, as"
            " others, on white; background= sets one for all."
        ]
    return seen, []


# ---------------------------------------------------------------------------------------
# The whole set


def _find_white(files: list[_File], white: float | None) -> bool:
    """Set the white of every file of more than 8 bits, and tell if it is from the pixels alone."""
    guessed = False
    deep = [file for file in files if file.pixels.dtype != np.uint8]
    for file in deep:
        if file.low < 0:
            raise ValueError(
                f"{file.path} holds pixels from {file.low:g} to {file.high:g}; expected 0 or more."
            )
    if white is not None:
        for file in deep:
            file.white = white
    unknown = [file for file in deep if file.white is None]
    if unknown:
        highest = max(unknown, key=lambda file: file.high)
        full = max(file.bits for file in unknown)
        # The whole of its numbers' range where there are none that have half of it to spare.
        fit = [b for b in (*BITS, full) if b <= full and highest.high < 2**b]
        if not fit or (fit[0] > BITS[-1] and highest.high < 2 ** (full - 1)):
            raise ValueError(
                f"{highest.path} holds pixels up to {highest.high:g}, more than 16 bits; give"
                " white, the value of white."
            )
        for file in unknown:
            file.white = 2.0 ** fit[0] - 1
        if guessed := fit[0] != full:
            warnings.warn(
                f"{_name([file.path for file in unknown])}: {full} bits a pixel, but none above"
                f" {highest.high:g}: read as {fit[0]} bits, white={2 ** fit[0] - 1}. Give white="
                " where that is not so, and to images that are to be compared.",
                UserWarning,
                stacklevel=4,
            )
    for file in deep:
        _check_high(file, file.white)
        if 0 < file.high < file.white / 510:
            file.notes += (f"nothing in it comes near white={file.white:g}: it is all black.",)
    return guessed


def _check_high(file: _File, white: float) -> None:
    if file.high > white * (1 + 1e-6):  # a float's last digits do not matter
        raise ValueError(
            f"{file.path} holds pixels up to {file.high:g}, above white={white:g}; give white, the"
            " value of white."
        )


def _tell_dark(files: list[_File]) -> None:
    """Tell of a set that is all dark, as are bytes of 0 and 1, whose white is hardly 255."""
    brightest = max(files, key=lambda file: file.high / file.white)
    high, white = brightest.high, brightest.white
    if 0 < 2 * high <= white and sum(math.prod(file.pixels.shape[:2]) for file in files) >= FEW:
        warnings.warn(
            f"{_name([file.path for file in files])}: none above {high:g}, where {white:g} is"
            f" white: read as dark images. Give white={high:g}, or what is white in them, where"
            f" that is not so, and white={white:g} where it is.",
            UserWarning,
            stacklevel=4,
        )


def _check_upper_bytes(files: list[_File], white: float | None) -> None:
    """Refuse 16 bits a channel that use the lower ones alone, of which Pillow keeps nothing."""
    colour = [file for file in files if file.upper_bytes is not None]
    if not colour:
        return
    highest = max(colour, key=lambda file: file.upper_bytes)
    if white not in (None, 65535):
        raise ValueError(
            f"{highest.path} has 16 bits a channel, of which the upper 8 are read: white is"
            f" 65535, not {white:g}. Save it with 8 bits a channel."
        )
    if white is None and highest.upper_bytes < 2 ** (BITS[-2] - 8):
        raise ValueError(
            f"{highest.path} has 16 bits a channel, of which the upper 8 are read, but nothing in"
            f" it is above {256 * highest.upper_bytes + 255}: save it with 8 bits a channel, or"
            " give white=65535 if it is that dark."
        )


def _as_bytes(file: _File) -> np.ndarray:
    if file.pixels.dtype == np.uint8:
        return file.pixels
    return np.rint(np.clip(file.pixels / file.white, 0, 1) * 255).astype(np.uint8)


def _name(paths: Sequence[Path]) -> str:
    return str(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
