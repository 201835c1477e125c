"""Check a report: its verdicts from its raw numbers, and its raw numbers by runs made again."""

import io
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from reproduction import report, stored
from reproduction.target import Plan, Target, as_json

ROUNDING = 1e-9
"""Share by which numbers may differ that another version of SciPy or pandas computes."""


def verify(targets: Iterable[Target], folder: Path) -> dict[str, list[str] | None]:
    """Recompute what a report states from its raw numbers, of the runs that its plan asks for.

    Returns what is not as stated, by the names of the targets that are there: an empty list where
    all is, None where the target was made before raw numbers were kept. Raises FileNotFoundError if
    there is no report in the folder.
    """
    faults = {}
    for target in targets:
        result = stored.read(folder / target.name)
        if result is None:
            continue
        faults[target.name] = None
        if "runs" in result:
            try:
                faults[target.name] = faults_of(target, result, folder / target.name)
            except (OSError, ValueError, LookupError, TypeError) as error:
                faults[target.name] = [f"{type(error).__name__}: {error}"]
    if not faults:
        raise FileNotFoundError(f"{folder} holds no report on what was asked for")
    return faults


def verify_pages(targets: Iterable[Target], folder: Path) -> dict[str, list[str]]:
    """Lay the pages of a report out again, and say which of them is not what it should be."""
    try:
        pages = report.pages(report.collect(targets, folder), folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        return {"pages": [f"{type(error).__name__}: {error}"]}
    stated = {name: folder / name for name in pages}
    return {
        name: []
        if stated[name].is_file() and stated[name].read_text() == text
        else ["not what the files of its targets say"]
        for name, text in pages.items()
    }


def faults_of(target: Target, result: dict, folder: Path) -> list[str]:
    """Say where a target states something else than its raw numbers come to."""
    raw = stored.read_runs(folder)
    if len(raw) != result["runs"]:
        return [f"{len(raw)} runs in {stored.RUNS}, the report states {result['runs']}"]
    others = stored.others(target, result, folder)
    if others:
        return [others]
    outcome = target.judge([run["numbers"] for run in raw])
    again = stored.stated(outcome)
    faults = [
        f"{where}: the report states {theirs!r}, its raw numbers give {ours!r}"
        for where, theirs, ours in differences({key: result[key] for key in again}, again)
    ]
    stated = {table["title"]: folder / table["file"] for table in result["tables"]}
    if list(stated) != list(outcome.tables):
        return [*faults, f"tables: {list(stated)}, its raw numbers give {list(outcome.tables)}"]
    for title, table in outcome.tables.items():
        both = cells(stated[title]), cells(io.StringIO(table.to_csv(index=False)))
        faults += [
            f"table {title}, {where}: the report has {theirs!r}, its raw numbers give {ours!r}"
            for where, theirs, ours in differences(*both)
        ]
    return faults


def cells(table: IO | Path) -> dict[str, list]:
    """Read a table's columns from CSV."""
    return as_json(pd.read_csv(table).to_dict("list"))


def differences(theirs, ours, where: str = "", near: float = ROUNDING) -> Iterator[tuple]:
    """Go through two values of JSON: where they differ, the one and the other.

    Numbers that differ by no more than a share of ``near`` are the same.
    """
    if isinstance(theirs, dict) and isinstance(ours, dict) and theirs.keys() == ours.keys():
        for key, value in theirs.items():
            yield from differences(value, ours[key], f"{where}, {key}" if where else key, near)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, pair in enumerate(zip(theirs, ours)):
            yield from differences(*pair, f"{where} {i}", near)
    elif isinstance(theirs, float) and isinstance(ours, float):
        if not math.isclose(theirs, ours, rel_tol=near, abs_tol=near**2):
            yield where, theirs, ours
    elif theirs != ours:
        yield where, theirs, ours


# --- Runs made again -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A run of a report: of which target, the how manieth, and what makes it."""

    target: Target
    index: int
    plan: Plan
    piece: dict

    def named(self) -> str:
        """Name the run by what sets it apart."""
        told = {k: v for k, v in self.piece.items() if k not in ("run", *stored.FILES)}
        return f"run {self.index} ({', '.join(f'{k} {v}' for k, v in told.items())})"


def draw(
    targets: Iterable[Target],
    folder: Path,
    n: int,
    seed: int,
    find: Callable[[Plan, list[Target]], tuple[Plan, list[str]]],
) -> tuple[list[Drawn], list[str]]:
    """Draw runs of a report at random, of those whose data ``find`` finds.

    Returns them, and a line on each target whose runs cannot be drawn, and why.
    """
    some, told = [], []
    for target in targets:
        result = stored.read(folder / target.name)
        if result is None or "runs" not in result:
            continue
        asked = result["plan"]
        plan = Plan(asked["full"], asked["seeds"], asked["first seed"], asked["threads"])
        try:
            plan, _ = find(plan, [target])
        except (OSError, ValueError) as error:
            told.append(f"{target.name}: {error}")
            continue
        others = stored.others(target, result, folder / target.name)
        recorded = [run["of"] for run in stored.read_runs(folder / target.name)]
        if others or stored.asked_of(target, plan) != recorded:
            files = "made with published files, which are not at hand"
            told.append(f"{target.name}: {'its runs are others now' if others else files}")
            continue
        pieces = target.pieces(plan)
        some += [Drawn(target, i, plan, piece) for i, piece in enumerate(pieces)]
    return random.Random(seed).sample(some, min(n, len(some))), told


def compare(run: Drawn, result: dict, folder: Path) -> tuple[bool, str]:
    """Hold a run that was made again against what is recorded of it.

    With the versions and the processor that the report was made with it has to be the same bit
    for bit. With others the last digits of sums differ, and training amplifies them; then the
    verdict, with the new numbers in the place of those recorded, has to stay. Returns whether it is
    good, and what was found in words.
    """
    folder = folder / run.target.name
    raw = [one["numbers"] for one in stored.read_runs(folder)]
    recorded, made = raw[run.index], as_json(run.target.numbers(result))
    timeless = [{k: v for k, v in one.items() if k != "seconds"} for one in (recorded, made)]
    found = list(differences(*timeless, near=0.0))
    if not found:
        return True, "the same, bit for bit"
    where, theirs, ours = max(found, key=distance)
    told = f"differs in {len(found)} numbers, most in {where}: recorded {theirs!r}, now {ours!r}"
    if stored.environment() == (folder / stored.ENVIRONMENT).read_text():
        return False, f"{told}; with the same versions and processor"
    raw[run.index] = made
    stated = stored.read(folder)["verdict"]
    verdict = stored.stated(run.target.judge(raw))["verdict"]
    stays = f"the verdict stays {stated}" if verdict == stated else f"{stated} becomes {verdict}"
    return verdict == stated, f"{told}; with other versions or another processor; {stays}"


def distance(difference: tuple) -> float:
    """Measure a difference of numbers as a share; other ones come first."""
    _, theirs, ours = difference
    if not all(isinstance(value, (int, float)) for value in (theirs, ours)):
        return math.inf
    return abs(theirs - ours) / max(abs(theirs), abs(ours))
