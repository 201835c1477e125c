"""What a study does whatever it studies: keep its runs in one table, end well, name its call."""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from common import cells

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


def collect(
    path: Path,
    key: Sequence[str],
    wanted: Sequence[tuple],
    run: Callable[..., pd.DataFrame],
    tell: Callable[[pd.DataFrame], str],
) -> pd.DataFrame | None:
    """Make the runs that are not in the table yet, one by one, and keep it up to date.

    A run that is ``wanted`` is its values of the columns ``key``, which tell it from the others.
    ``run`` makes it of these values, and returns its rows without them; ``tell`` says in words what
    the rows show. All of the table is returned, other runs too; None if it has none.
    """

    def make(missing: list[dict]) -> Iterator[pd.DataFrame]:
        for one in missing:
            rows = run(*one.values())
            yield pd.DataFrame(one, index=rows.index).join(rows)

    def show(rows: pd.DataFrame, done: int, total: int) -> None:
        named = ", ".join(f"{name.replace('_', ' ')} {rows[name].iloc[0]}" for name in key)
        print(f"{done}/{total} {named}: {tell(rows)}", flush=True)

    return cells.collect(path, key, [dict(zip(key, one)) for one in wanted], make, show)
