"""Callbacks as the detectors' ``fit`` takes them."""

from __future__ import annotations

from collections.abc import Iterable

import keras


def as_list(
    callbacks: Iterable[keras.callbacks.Callback] | keras.callbacks.Callback | None,
) -> list[keras.callbacks.Callback]:
    """Make a list of the argument ``callbacks``, which may be one, an iterator, or None.

    Raises
    ------
    TypeError
        If it holds something else.
    """
    if callbacks is None:
        return []
    callbacks = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}; expected instances of keras.callbacks.Callback."
            )
    return callbacks
