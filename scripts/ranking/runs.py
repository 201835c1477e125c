"""The cells of a benchmark's table: laid out, run, kept."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd
from common import cells as shared

from ranking.detectors import TURNED, Detector

KEY = ["detector", "data", "protocol", "seed", "settings", "random_state"]
read = shared.read


def cells(
    data: Iterable[str],
    detectors: Mapping[str, Detector],
    seeds: Iterable[int],
    protocols: Iterable[str],
    data_home: Path | None,
    offline: bool,
) -> list[dict]:
    """Lay the cells out, division by division: whoever stops early has fewer, but of all sets.

    A detector of one seed is seeded as its rows are divided, one of several by 0, 1, ...
    """
    home = None if data_home is None else str(data_home)
    settings = {name: entry.settings for name, entry in detectors.items()}
    return [
        {
            "detector": detector,
            "data": name,
            "protocol": protocol,
            "seed": seed,
            "settings": settings[detector],
            "random_state": seed if entry.seeds == 1 else own,
            "entry": dataclasses.asdict(entry),
            "data_home": home,
            "offline": offline,
            "alone": protocol == "whole",  # so that the peak of memory is its own
        }
        for protocol in protocols
        for seed in seeds
        for name in data
        for detector, entry in detectors.items()
        for own in range(entry.seeds)
    ]


def run(cell: dict, limit: float | None) -> list[dict]:
    """Run a cell; one that fails has rows too, which say why."""
    answer = shared.run(cell, "ranking.worker", limit=limit)
    if "rows" in answer:
        return answer["rows"]
    numbers = ("auc", "average_precision", "fit_s", "score_s", "memory_mb")
    ways = ("", TURNED) if cell["entry"]["turned"] else ("",)
    return [
        {**{k: cell[k] for k in KEY}, "detector": cell["detector"] + way,
         **dict.fromkeys(numbers, math.nan), "error": answer["error"]}
        for way in ways
    ]  # fmt: skip


def collect(
    path: Path, wanted: list[dict], jobs: int, limit: float | None, retry: bool
) -> pd.DataFrame:
    """Run the cells that are not in the table yet, keep it up to date, and return what was wanted.

    Cells of a detector on a division go together: one process trains all of its seeds. ``retry``
    runs those that failed again.
    """
    from gaal_alocc.progress import Progbar

    bar = Progbar(len(wanted), unit_name="cell")

    def make(missing: list[dict]) -> Iterator[pd.DataFrame]:
        together = itertools.groupby(missing, lambda cell: [cell[k] for k in KEY[:-1]])
        some = (list(cells) for _, cells in together)
        for made in shared.spread(functools.partial(run, limit=limit), some, jobs):
            if made:
                yield pd.DataFrame([row for rows in made for row in rows])

    def show(rows: pd.DataFrame, done: int, total: int) -> None:
        bar.target = total
        bar.update(done, finalize=done == total)

    return kept(shared.collect(path, KEY, wanted, make, show, retry), wanted)


def kept(table: pd.DataFrame | None, wanted: list[dict]) -> pd.DataFrame:
    """Take of a table of finished cells those that are wanted, in their order."""
    if table is None:
        return pd.DataFrame()
    plain = table["detector"].str.removesuffix(TURNED)
    found = shared.kept(table.assign(detector=plain, way=table["detector"]), wanted, KEY)
    return found.assign(detector=found["way"]).drop(columns="way")
