"""What a target is: a published figure or table, and how it is run, judged and drawn."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction.verdicts import Comparison

FRESH, TIMES = 1000, 3
"""The first of the seeds that had no part in choosing their number, and how many times as many."""


@dataclass(frozen=True)
class Plan:
    """What one run of scripts/reproduce.py is asked for, and the published files it has.

    ``threads`` are those of every process: the last digits of a sum depend on their number, and
    training amplifies them.
    ``gaal_home`` is the folder of GAAL's published files, all twelve in a full plan and at least
    onecluster in a quick one, ``mnist`` the file of MNIST, ``ucsd`` and ``caltech`` the folders of
    UCSD Ped2 and of Caltech-256, in a full plan alone; None where there are none, and something
    else stands in for them.
    """

    full: bool
    seeds: int
    first_seed: int = 0
    threads: int = 1
    gaal_home: Path | None = None
    mnist: Path | None = None
    ucsd: Path | None = None
    caltech: Path | None = None

    @property
    def all_seeds(self) -> range:
        """List the seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def some_seeds(self, most: int) -> range:
        """List the first of the seeds, no more than ``most``."""
        return self.all_seeds[:most]

    @property
    def fresh_seeds(self) -> range:
        """List three times as many seeds, beyond those by which their number was chosen.

        They judge a statement of order that the first ten could not tell. Plans whose seeds are
        disjoint have disjoint ones here, too.
        """
        first = FRESH + TIMES * self.first_seed
        return range(first, first + TIMES * self.seeds)


@dataclass(frozen=True)
class Outcome:
    """What the raw numbers of a target's runs come to.

    ``tables`` by their titles, in the order of showing; ``stand_in`` says what stands in for
    which published data, if anything does.
    """

    comparisons: list[Comparison]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stand_in: str = ""


@dataclass(frozen=True)
class Target:
    """One published figure or table.

    ``pieces`` names the independent runs as keyword arguments of ``run``, small and picklable;
    ``run`` makes one of them in a process of its own and returns what is measured and drawn,
    picklable and no network in it. ``numbers`` takes the raw numbers of a run from that, as JSON
    holds them: what the run was of, its seed and settings, its curve at some updates, its end.
    ``judge`` gets those of all runs, in the order of the pieces, and nothing else, so that anybody
    can judge again from what the report keeps. ``draw`` gets the plan and all that the runs
    returned, and gives figures by their titles, films as bytes of WebP; ``data`` has the name,
    the source and the SHA-256 of each data set (of the file, or of the bytes of the rebuilt array).
    A piece may name another ``run`` for itself. Pieces that differ in their seed only are run one
    after the other by one process, unless they are ``long``, each of minutes, and equal ones of
    several targets once. ``needs`` names the published files that a quick run takes where they
    can be had: "onecluster", "mnist".
    """

    name: str
    title: str
    source: str
    settings: str
    pieces: Callable[[Plan], list[dict]]
    run: Callable[..., dict]
    numbers: Callable[[dict], dict]
    judge: Callable[[list[dict]], Outcome]
    draw: Callable[[Plan, list[dict]], dict[str, Figure | bytes]]
    data: Callable[[Plan], list[dict[str, str]]] = lambda plan: []
    needs: tuple[str, ...] = ()
    long: bool = False


def as_json(value):
    """Turn numbers of NumPy into those that JSON holds, NaN into None: as read from a file."""
    text = json.dumps(value, default=lambda x: x.tolist())
    return json.loads(text, parse_constant=lambda name: None if name == "NaN" else float(name))


def only(*names: str) -> Callable[[dict], dict]:
    """Take these of what a run returned as its raw numbers."""
    return lambda result: {name: result[name] for name in names}


def columns(frames: Iterable[dict[str, list]]) -> pd.DataFrame:
    """Put the columns of several runs one below the other."""
    return pd.concat(map(pd.DataFrame, frames), ignore_index=True)


def never(**_) -> dict:
    """Stand for the run of a target whose pieces name theirs."""
    raise AssertionError("a target without a run of its own was run")


def sha256(data: Path | str | np.ndarray) -> str:
    """Compute the SHA-256 of a file, or of the bytes of an array."""
    if isinstance(data, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()
    with open(data, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
