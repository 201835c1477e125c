"""Files that appear whole or not at all, and CSV read to the last digit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

# Arguments by which pandas.read_csv gives every float as it was written; 3.1 does so unasked.
_EXACT_UNASKED = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
EXACTLY = {} if _EXACT_UNASKED else {"float_precision": "round_trip"}


def write_aside(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file aside by ``save(path)``, then rename it."""
    aside = path.with_name(f".unfinished-{path.name}")  # the same ending, which savers go by
    try:
        save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
