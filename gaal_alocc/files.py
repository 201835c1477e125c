"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_aside(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file aside by ``save(path)``, then rename it."""
    aside = path.with_name(f".unfinished-{path.name}")  # the same ending, which savers go by
    try:
        save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
