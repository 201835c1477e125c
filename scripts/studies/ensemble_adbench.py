"""Set GAALEnsemble beside plain detectors on ADBench's sets, by what scripts/adbench.py measured.

Reads the table that ``scripts/adbench.py`` writes, prints a table with paired tests against
GAALEnsemble and one set by set, and draws the mean ranks. No set is named that the rule was
chosen on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.tables import markdown
from ranking.tables import by_set, draw
from studies.ensemble_rule import compared

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHOSEN_ON = "Ionosphere PageBlocks pendigits Pima annthyroid shuttle SpamBase Stamps Waveform WDBC"
DETECTORS = ("GAALEnsemble", "IsolationForest", "kNN", "LOF", "ECOD")


def main(argv: list[str] | None = None) -> int:
    """Print the tables and draw the ranks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--table", type=Path, default=DOCS / "adbench.csv")
    parser.add_argument("--output", type=Path, default=DOCS / "ensemble" / "ranks.png")
    args = parser.parse_args(argv)
    cells = pd.read_csv(args.table)
    seen = cells["data"].str.partition("_")[2].isin(CHOSEN_ON.split())
    cells = cells[~seen & cells["detector"].isin(DETECTORS)]
    cells = cells[cells["protocol"] == "published"]
    auc = by_set(cells).dropna()[[*DETECTORS]]
    cells = cells[cells["data"].isin(auc.index)]
    print(*compared(cells, "GAALEnsemble"), "", sep="\n")
    rows = [[name, *(f"{value:.3f}" for value in row)] for name, row in zip(auc.index, auc.values)]
    print(*markdown(["AUC", *DETECTORS], rows), sep="\n")
    draw(auc).savefig(args.output, dpi=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
