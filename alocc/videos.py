"""Videos: folders of frames as UCSD's, what is anomalous in them, and one that is made."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state

from alocc.folders import MASKS, load_parts, mask_files
from alocc.images import check_options
from alocc.pixels import resize_images

# A video of UCSD's lists, TestVideoFile{end+1}.gt_frame = [5:90, 140:200], in MATLAB's words.
LISTED = re.compile(r"\{\s*(end\s*\+\s*1|\d+)\s*\}\s*\.\s*gt_frame\s*=\s*(\[[\d:,;\s]*\]|[\d:]+)")


def load_video(
    folder: str | Path,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = 1,
    white: float | None = None,
    background: int | None = None,
) -> Bunch:
    """Load videos to train and to test on, laid out as UCSD's anomaly data set (section 4.2).

    ``Train/Train001/001.tif`` and so on, all of it normal; ``Test/Test001/001.tif``; beside a
    video to test on its masks, ``Test/Test001_gt/001.bmp``, of which all but black is anomalous.
    Where a video has none, its anomalous frames are those of the published list beside the
    videos, ``Test/UCSDped1.m``, counted from 1.

    Parameters
    ----------
    folder : str or Path
        As UCSDped1 or UCSDped2; Train and Test may be in lower case.
    size, channels, white, background
        As in :func:`alocc.datasets.load_image_folder`, whose errors and warnings apply; ``size`` is
        that of masks too.

    Returns
    -------
    Bunch
        train_frames (n, height, width, channels) and test_frames (m, ...), uint8, video after
        video; train_videos (n,) and test_videos (m,), their names; is_anomalous (m,), bool;
        masks (m, height, width), bool, what is anomalous, and has_mask (m,), bool, whether it
        is known; train_files, test_files, name and DESCR. Without masks and list is_anomalous
        is None, and has_mask nowhere True.

    Raises
    ------
    FileNotFoundError
        If the folder has no Train and Test with frames in them.
    ValueError
        If some of the videos to test on have neither masks nor a place in the list, if a
        video has not as many masks as frames, or of another size, or if the list cannot be
        read or names frames that are not there.
    """
    options = check_options(size, channels, white, background)
    folder = Path(os.path.expanduser(folder))
    parts = load_parts(folder, options)
    if parts.test_data is None:
        raise FileNotFoundError(f"folder={str(folder)!r} has no subfolders Train and Test.")
    frames = parts.test_data
    masks = np.zeros(frames.shape[:3], bool)
    has_mask, is_anomalous, first = np.zeros(len(frames), bool), np.zeros(len(frames), bool), 0
    known = False
    for marked, anomalous in _truth(parts.test_files):
        known = True
        part = slice(first, first + len(anomalous))
        is_anomalous[part], has_mask[part], first = anomalous, marked is not None, part.stop
        if marked is None:
            continue
        if size is not None:
            marked = resize_images(marked * np.uint8(255), *frames.shape[1:3]) >= 128
        if marked.shape[1:] != frames.shape[1:3]:
            raise ValueError(
                f"the masks of {Path(parts.test_files[part.start]).parent} are"
                f" {marked.shape[1]} x {marked.shape[2]} (height x width), its frames"
                f" {frames.shape[1]} x {frames.shape[2]}."
            )
        masks[part] = marked
    return Bunch(
        train_frames=parts.data,
        train_videos=parts.target,
        train_files=parts.files,
        test_frames=frames,
        test_videos=parts.test_target,
        test_files=parts.test_files,
        is_anomalous=is_anomalous if known else None,
        masks=masks,
        has_mask=has_mask,
        name=parts.name,
        DESCR=parts.DESCR,
    )


def frame_truth(files: Sequence[str]) -> np.ndarray | None:
    """Tell which frames to test on are anomalous, by their masks or the list beside them.

    Parameters
    ----------
    files : sequence of str
        The frames, in folders of videos.

    Returns
    -------
    ndarray of bool, or None
        None where there are neither masks nor a list.
    """
    found = [anomalous for _, anomalous in _truth(files)]
    return np.concatenate(found) if found else None


def _truth(files: Sequence[str]) -> Iterator[tuple[np.ndarray | None, np.ndarray]]:
    """Masks (n, height, width) and anomalous frames (n,) of each video; nothing if unknown."""
    videos: dict[Path, int] = {}
    for file in files:
        videos[Path(file).parent] = videos.get(Path(file).parent, 0) + 1
    root = Path(files[0]).parent.parent
    source, listed = _read_list(root)
    if source is None and not any(mask_files(video) for video in videos):
        return
    for number, (video, n) in enumerate(videos.items(), 1):
        if masks := mask_files(video):
            if len(masks) != n:
                raise ValueError(
                    f"{masks[0].parent} holds {len(masks)} masks, {video} {n} frames; expected as"
                    " many."
                )
            marked = np.stack([_read_mask(mask) for mask in masks])
            yield marked, marked.any(axis=(1, 2))
        elif number in listed:
            anomalous = listed[number]
            if len(anomalous) and not 1 <= anomalous.min() <= anomalous.max() <= n:
                raise ValueError(
                    f"{source} lists frames {anomalous.min()} to {anomalous.max()} of video"
                    f" {number}, {video}, which has {n}."
                )
            yield None, np.isin(np.arange(1, n + 1), anomalous)
        else:
            raise ValueError(
                f"{video} has neither masks, in {video.name}{MASKS} beside it, nor a place in a"
                f" list of anomalous frames{f', {source}' if source else ' (as UCSDped1.m)'}."
            )


def _read_mask(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).any(axis=2)
    except Exception as error:  # a broken file leads Pillow to many others than OSError
        raise ValueError(f"{path} is not a readable mask: {error}") from error


def _read_list(root: Path) -> tuple[Path | None, dict[int, np.ndarray]]:
    """Read UCSD's list of anomalous frames, by the number of the video; frames count from 1."""
    texts = {path: path.read_text(errors="replace") for path in sorted(root.glob("*.m"))}
    texts = {path: re.sub(r"%.*|\.\.\.", "", text) for path, text in texts.items()}
    texts = {path: text for path, text in texts.items() if "gt_frame" in text}
    if not texts:
        return None, {}
    if len(texts) > 1:
        raise ValueError(f"{' and '.join(map(str, texts))} list anomalous frames; expected one.")
    ((path, text),) = texts.items()
    found = LISTED.findall(text)
    if len(found) != text.count("gt_frame"):
        expected = "TestVideoFile{end+1}.gt_frame = [61:180];"
        raise ValueError(f"{path} has other lines of gt_frame than {expected}")
    listed: dict[int, np.ndarray] = {}
    for place, ranges in found:
        number = int(place) if place.isdigit() else max(listed, default=0) + 1
        try:
            listed[number] = _frames(ranges)
        except ValueError as error:
            raise ValueError(f"{path}: {ranges} names no frames of video {number}.") from error
    return path, listed


def _frames(ranges: str) -> np.ndarray:
    """MATLAB's 5:90, 140:2:200, 210 as numbers."""
    numbers: list[int] = []
    for part in re.split(r"[,;\s]+", re.sub(r"\s*:\s*", ":", ranges).strip("[] ,;\n\t")):
        ends = [int(end) for end in part.split(":")] if part else []
        if len(ends) > 3 or 0 in ends:
            raise ValueError(part)
        if ends:
            numbers += range(ends[0], ends[-1] + 1, ends[1] if len(ends) == 3 else 1)
    return np.array(numbers, int)


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
