"""What a target is: a published figure or table, and how it is run, shown and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction.verdicts import Comparison


@dataclass(frozen=True)
class Plan:
    """What one run of scripts/reproduce.py is asked for.

    ``data_home`` is a folder with GAAL's published files (in it or in its folder ``gaal``) and
    ``mnist.npz``, or None: what needs a download is then replaced by what scikit-learn ships.
    """

    full: bool
    seeds: int
    data_home: Path | None = None

    @property
    def gaal_home(self) -> Path | None:
        """The folder of GAAL's twelve files."""
        if self.data_home is None:
            return None
        inner = self.data_home / "gaal"
        return inner if inner.is_dir() else self.data_home

    @property
    def mnist(self) -> Path | None:
        """The file of MNIST, if it is there."""
        path = None if self.data_home is None else self.data_home / "mnist.npz"
        return path if path is not None and path.exists() else None


@dataclass(frozen=True)
class Outcome:
    """What a target shows.

    ``figures`` and ``tables`` by their titles, in the order of showing; ``data`` has the name,
    the source and the SHA-256 of each data set (of the file, or of the bytes of the rebuilt
    array). ``stand_in`` says what the numbers are of where that is not what was published.
    """

    comparisons: list[Comparison]
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)
    stand_in: str = ""


@dataclass(frozen=True)
class Target:
    """One published figure or table.

    ``pieces`` names the independent runs as keyword arguments of ``run``, small and picklable;
    ``run`` makes one of them in a process of its own and returns what ``show`` needs, picklable
    and no network in it; ``show`` gets the plan and all results, in the order of the pieces.
    """

    name: str
    title: str
    source: str
    settings: str
    pieces: Callable[[Plan], list[dict]]
    run: Callable[..., dict]
    show: Callable[[Plan, list[dict]], Outcome]


def nothing(plan: Plan) -> list[dict]:
    """Give the pieces of a target that trains nothing."""
    return []


def never(**_) -> dict:
    """Stand for the run of a target without pieces."""
    raise AssertionError("a target without pieces was run")


def sha256(data: Path | str | np.ndarray) -> str:
    """Compute the SHA-256 of a file, or of the bytes of an array."""
    if isinstance(data, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()
    with open(data, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
