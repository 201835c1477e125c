"""The progress bar of trainings and sweeps."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Sequence

import keras

NARROW = 110  # columns of a terminal in which Keras's bar and a few numbers do not fit


def tell(line: str) -> None:
    """Print a line beside the bars, or nothing where stdout will not have it."""
    with contextlib.suppress(Exception):
        print(line)


class Progbar(keras.utils.Progbar):
    """Keras's progress bar, which minds where it is shown, and fails of nothing.

    On a terminal it stays within one line until its end, as what is wrapped cannot be overwritten.
    In a file or a pipe it is the line of its end alone, without control characters. Where stdout is
    missing, closed or will not be written to it falls silent: what it accompanies goes on.
    """

    def __init__(self, target: int | None, *, verbose: int = 1, **kwargs) -> None:
        try:
            terminal = sys.stdout.isatty()
        except Exception:
            terminal, verbose = False, 0
        self._columns = shutil.get_terminal_size().columns if terminal else None
        if verbose == 1 and not terminal and "ipykernel" not in sys.modules:
            verbose = 2
        if terminal and self._columns < NARROW:
            kwargs["width"] = 8
        with contextlib.nullcontext() if verbose else contextlib.redirect_stdout(None):
            super().__init__(target, verbose=verbose, **kwargs)

    def update(
        self,
        current: int,
        values: Sequence[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show progress, with all of the values at the end and before it with those that fit."""
        if not self.verbose:
            return
        if finalize and self.target is None:
            self.target = current  # known at last, and Keras before 3.15 cannot end without it
        last = self.target is not None and current >= self.target if finalize is None else finalize
        if self._columns is not None and not last:
            values = self._fitting(values or [])
        try:
            super().update(current, values, finalize)
        except Exception:
            self.verbose = 0

    def _fitting(self, values: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
        count = f"{self.target}/{self.target} " if self.target else "   1000/Unknown"
        room = self._columns - len(count) - self.width - len(f" 59s 100ms/{self.unit_name}")
        fitting = []
        for name, value in values:
            needed = len(f" - {name}: 0.0000")
            if needed < room:
                room -= needed
                fitting.append((name, value))
        return fitting


def shower(
    target: int, unit_name: str, names: Sequence[str], *, verbose: int, per: int = 1
) -> Callable:
    """Make what shows a :class:`.Loop` on one bar: units of ``per`` updates, and what is named."""
    bar = Progbar(target, verbose=verbose, unit_name=unit_name, stateful_metrics=names)

    def show(done: int, logs: dict[str, float], last: bool) -> None:
        values = [(name, logs[name]) for name in names if name in logs]
        bar.update(done / per, values, finalize=last)

    return show
