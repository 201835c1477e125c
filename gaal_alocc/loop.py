"""The loop over epochs that the trainings of both papers share.

What an update is, and what it is given, is the training's own. The loop has what no paper speaks
of: callbacks, snapshots, the progress bar, and how much one call of a door may run.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from gaal_alocc import distribution
from gaal_alocc.checkpoints import Checkpoints

CALL_SECONDS = 0.5  # of one call: for so long neither is Ctrl-C heard nor does the bar move
PACES = 1000  # that are remembered
_paces: dict[Hashable, int] = {}  # updates of a call, as last found for runs of a kind


class Loop:
    """A training of ``n_epochs`` epochs of ``n_batches`` updates.

    ::

        for n in loop.epochs():  # n of them together, in one call
            for part in loop.calls():  # a slice of their batches
                loop.record(losses)  # of n * len(part) updates
            loop.add(auc=...)
        history = loop.history()

    A call takes about as long as ``CALL_SECONDS``, by the time that the one before it took for an
    update; the first of a ``kind``, of runs whose updates take as long, is of one update. No number
    depends on that. Several workers, whose calls must be alike, take all that they may.

    A sequence ``n_batches`` gives every epoch its own number. ``columns`` name an update's losses,
    and ``loss`` that of them by which the callbacks' model trains. A call may run so many epochs
    ``together``, with callbacks one, or so many ``batches`` of one; at these the callbacks' batches
    end. ``show`` is given how many updates are done, the means of the epoch's losses so far, and
    whether these are the last. ``epoch`` and ``done`` count the epochs and the updates that are.
    """

    def __init__(
        self,
        n_epochs: int,
        n_batches: int | Sequence[int],
        columns: Sequence[str],
        loss: str,
        *,
        together: int = 1,
        batches: int | None = None,
        model: keras.Model | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoints: Checkpoints | None = None,
        kind: Hashable = None,
        show: Callable[[int, dict[str, float], bool], None] | None = None,
    ) -> None:
        self.n_epochs = n_epochs
        self._lengths = np.broadcast_to(n_batches, n_epochs).tolist()
        self.n_batches = self._lengths[0]  # of the epoch that runs
        self._columns, self._loss = list(columns), loss
        self._most, self._batches = together, batches or max(self._lengths)
        self._model = model
        self._callbacks = keras.callbacks.CallbackList(
            list(callbacks), model=model, epochs=n_epochs, steps=self.n_batches, verbose=0
        )
        self._checkpoints = checkpoints
        self._show = show
        self.epoch = self.done = 0
        self._timed = not distribution.has_workers()
        self._kind = kind
        # Updates that a call may run.
        self._pace = _paces.get(kind, 1) if self._timed else together * max(self._lengths)
        self._history: list[pd.DataFrame] = []
        self._stopped = False

    def restore(
        self,
        variables: Iterable[keras.Variable],
        generators: Sequence[np.random.Generator] = (),
        **conditions: Any,
    ) -> None:
        """Go on from a snapshot, where there is one, see :meth:`.Checkpoints.restore`."""
        if self._checkpoints is None:
            return
        self._history, self._stopped = self._checkpoints.restore(
            variables, generators, self.n_epochs, **conditions
        )
        self.epoch = self._checkpoints.epoch
        self.done = sum(self._lengths[: self.epoch])

    def epochs(self) -> Iterator[int]:
        """Give how many epochs to run together, until all have, or a callback has had enough."""
        if len(_paces) > PACES:
            _paces.clear()
        if self._stopped:  # its snapshot holds what the callbacks made of the models at the end
            return
        if self._model is not None:
            self._model.stop_training = False
        self._callbacks.on_train_begin()
        while self.epoch < self.n_epochs and not self._stopped:
            self.n_batches = self._lengths[self.epoch]
            self._callbacks.on_epoch_begin(self.epoch)
            together = min(self._most, self.n_epochs - self.epoch)
            if self._checkpoints is not None:
                together = min(together, self._checkpoints.epochs_to_go(self.epoch))
            self._together = max(1, min(together, self._pace // self.n_batches))
            self._losses, self._more = np.empty((0, len(self._columns))), {}
            if self._show is not None:
                self._show(self.done, {}, False)
            yield self._together
            self._end_epochs()
        self._callbacks.on_train_end()
        # Not before: callbacks such as EarlyStopping put other weights back at the end. A run that
        # came to its last epoch keeps its own, from which it goes on where epochs have grown.
        if self._checkpoints is not None and self._stopped:
            self._checkpoints.save(self.epoch, self.history(), stopped=True)

    def calls(self) -> Iterator[slice]:
        """Give which of the epochs' batches to run, call by call, and time each."""
        for start in range(0, self.n_batches, self._batches):
            stop = min(start + self._batches, self.n_batches)
            self._callbacks.on_train_batch_begin(start)
            while start < stop:
                part = slice(start, min(start + self._pace, stop))
                before, begin = self.done, time.perf_counter()
                yield part
                if self._timed:
                    seconds = time.perf_counter() - begin
                    self._pace = max(1, int(CALL_SECONDS * (self.done - before) / seconds))
                    if self._kind is not None:
                        _paces[self._kind] = self._pace
                start = part.stop
                if self._show is not None and start < self.n_batches:
                    self._show(self.done, self.logs(), False)
            last = dict(zip(self._columns, self._losses[-1].tolist()))
            self._callbacks.on_train_batch_end(stop - 1, {**last, "loss": last[self._loss]})

    def record(self, losses: np.ndarray) -> None:
        """Take the losses of a call's updates, (updates, columns)."""
        self._losses = np.vstack([self._losses, losses])
        self.done += len(losses)

    def add(self, **values: np.ndarray) -> None:
        """Take further numbers of the epochs that just ran, one an epoch."""
        self._more.update(values)

    def logs(self) -> dict[str, float]:
        """Means of the losses so far in the epoch, the last one of several."""
        means = self._losses[-self.n_batches :].mean(axis=0)
        last = {name: float(values[-1]) for name, values in self._more.items()}
        return {**dict(zip(self._columns, means.tolist())), **last}

    def history(self) -> pd.DataFrame:
        """Give what was recorded, a row an update."""
        self._history = [pd.concat(self._history, ignore_index=True)]
        return self._history[0].rename_axis("update")

    def _end_epochs(self) -> None:
        more = {name: np.repeat(values, self.n_batches) for name, values in self._more.items()}
        table = pd.DataFrame(self._losses, columns=self._columns).assign(**more)
        self._history.append(table)
        self.epoch += self._together
        logs = self.logs()
        self._callbacks.on_epoch_end(self.epoch - 1, logs)
        self._stopped = self._model is not None and bool(self._model.stop_training)
        last = self._stopped or self.epoch == self.n_epochs
        if self._show is not None:
            self._show(self.done, logs, last)
        checkpoints = self._checkpoints
        if checkpoints is not None and not self._stopped and (last or checkpoints.due(self.epoch)):
            checkpoints.save(self.epoch, self.history())
