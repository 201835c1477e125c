"""Tables of text in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def markdown(header: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lay a table out as lines of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return ["| " + " | ".join(line) + " |" for line in cells]


def frame(table: pd.DataFrame) -> list[str]:
    """Lay a DataFrame of text out as lines of Markdown."""
    return markdown(table.columns, table.to_numpy())
