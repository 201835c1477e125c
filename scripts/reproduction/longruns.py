"""Single runs of minutes, kept as JSON so that an interrupted report goes on where it was."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from gaal_alocc.files import write_aside
from reproduction.stored import portable, processor, versions


def name(run: Callable[..., dict], arguments: dict, threads: int) -> str:
    """Name the file of a run by all that its numbers depend on, wherever its data lie."""
    of = [portable(run, arguments), threads, versions(), processor()]
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:32] + ".json"


def write(path: Path, result: dict, seconds: float) -> None:
    """Keep what a run returned, and its seconds of processor time."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps([result, seconds], default=packed)
    write_aside(path, lambda aside: aside.write_text(text))


def read(path: Path) -> tuple[dict, float]:
    """Read what a run returned, and its seconds."""
    result, seconds = json.loads(path.read_text(), object_hook=unpacked)
    return result, seconds


def packed(value):
    """Turn arrays and tables into what JSON holds; numbers of Python keep every bit there."""
    if isinstance(value, pd.DataFrame):
        return {"columns": {column: value[column].to_numpy() for column in value}}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    return value.item()


def unpacked(value: dict):
    """Turn arrays and tables back."""
    if value.keys() == {"columns"}:
        return pd.DataFrame(value["columns"])
    if value.keys() == {"array", "dtype"}:
        return np.array(value["array"], None if value["dtype"] == "|O" else value["dtype"])
    return value
