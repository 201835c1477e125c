"""Files that appear whole or not at all, CSV read to the last digit, and Keras's cache."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

# Arguments by which pandas.read_csv gives every float as it was written; 3.1 does so unasked.
_EXACT_UNASKED = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
EXACTLY = {} if _EXACT_UNASKED else {"float_precision": "round_trip"}


def keras_cache() -> Path:
    """Find the folder that Keras keeps its downloads in."""
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras"))


def write_aside(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file aside by ``save(path)``, then rename it."""
    aside = path.with_name(f".unfinished-{path.name}")  # the same ending, which savers go by
    try:
        save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(folder: Path) -> Iterator[Path]:
    """Make the folder and one in it to write to; what lies there in the end is moved up.

    Opened before the training, so that a folder that cannot be written to costs nobody a run.
    Where anything fails, neither files nor folders are left behind.
    """
    made = list(itertools.takewhile(lambda path: not path.exists(), [folder, *folder.parents]))
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            aside = tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-")
        except OSError as error:
            raise OSError(f"--output {folder} cannot be written to: {error.strerror}") from error
        with aside:
            yield Path(aside.name)
            files = list(Path(aside.name).iterdir())
            for file in files:
                if (folder / file.name).is_dir():
                    raise IsADirectoryError(f"--output: {folder / file.name} is a folder")
            for file in files:
                os.replace(file, folder / file.name)
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()  # empty ones only
