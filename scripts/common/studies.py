"""What a study does whatever it studies: keep its runs in one table, end well, name its call."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaal_alocc.files import write_aside

if TYPE_CHECKING:
    import pandas as pd

Main = Callable[[list[str] | None], int]


def ending(program: str) -> Callable[[Main], Main]:
    """Have a program say what went wrong and return 2, or 130 where it was interrupted."""

    def wrap(main: Main) -> Main:
        @functools.wraps(main)
        def ended(argv: list[str] | None = None) -> int:
            try:
                return main(argv)
            except (OSError, ValueError) as error:
                print(f"{program}: {error}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                print(f"\n{program}: interrupted; call again to go on", file=sys.stderr)
                return 130

        return ended

    return wrap


def called(script: str, argv: list[str] | None) -> str:
    """Give the command that made a result."""
    return " ".join([f"python scripts/{script}.py", *(sys.argv[1:] if argv is None else argv)])


def read(path: Path) -> pd.DataFrame | None:
    """Read the table of finished runs; None where there is none yet."""
    import pandas as pd

    return pd.read_csv(path) if path.exists() else None


def collect(
    path: Path,
    key: Sequence[str],
    wanted: Sequence[tuple],
    run: Callable[..., pd.DataFrame],
    tell: Callable[[pd.DataFrame], str],
) -> pd.DataFrame | None:
    """Make the runs that are not in the table yet, one by one, and keep it up to date.

    Parameters
    ----------
    path : Path
        CSV of the finished runs.
    key : sequence of str
        The columns that tell a run from the others.
    wanted : sequence of tuple
        A run's values of ``key`` each.
    run : callable
        Makes one of ``wanted``, unpacked, and returns its rows without ``key``.
    tell : callable
        Says in words what the rows of a run show.

    Returns
    -------
    DataFrame or None
        All of the table, other runs too; None if it has none.
    """
    import pandas as pd

    table = read(path)
    known = set() if table is None else set(table[[*key]].itertuples(index=False, name=None))
    for number, one in enumerate(wanted, 1):
        label = f"{number}/{len(wanted)} " + ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in zip(key, one)
        )
        if one in known:
            print(f"{label}: there already", flush=True)
            continue
        rows = run(*one)
        for place, (name, value) in enumerate(zip(key, one)):
            rows.insert(place, name, value)
        table = rows if table is None else pd.concat([table, rows], ignore_index=True)
        write_aside(path, lambda aside, table=table: table.to_csv(aside, index=False))
        print(f"{label}: {tell(rows)}", flush=True)
    return table
