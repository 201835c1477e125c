"""Callbacks as the detectors' ``fit`` takes them."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
from sklearn.base import BaseEstimator

REFUSED = {  # of Keras's, and what to do instead
    "BackupAndRestore": "it keeps one model of a GAN's, and no state of the random numbers. Give"
    " fit checkpoint_dir= and resume=True: a killed run goes on to the same numbers",
    "OrbaxCheckpoint": "it has not been tried here. Take ModelCheckpoint, or give fit"
    " checkpoint_dir=",
    "ProgbarLogger": "there would be two bars. Set verbose=1",
    "SwapEMAWeights": "the published optimizers keep no moving average of the weights. Leave it"
    " out",
}
# What Keras calls of a callback before the first update.
_EARLY = (
    "set_params",
    "set_model",
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_train_batch_begin",
)


def as_list(
    callbacks: Iterable[keras.callbacks.Callback] | keras.callbacks.Callback | None,
) -> list[keras.callbacks.Callback]:
    """Make a list of the argument ``callbacks``, which may be one, an iterator, or None.

    Raises a TypeError of anything else in it, and a ValueError of one of Keras's that cannot do
    here what it is for; the message says what can.
    """
    if callbacks is None:
        return []
    callbacks = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}; expected instances of keras.callbacks.Callback."
            )
        for name, remedy in REFUSED.items():
            if isinstance(callback, getattr(keras.callbacks, name, ())):
                raise ValueError(f"callbacks holds a {name}, which cannot work here: {remedy}.")
    return callbacks


def set_estimator(
    callbacks: Sequence[keras.callbacks.Callback], estimator: BaseEstimator, X: np.ndarray
) -> None:
    """Tell callbacks whom they serve, and on what: those with a ``set_estimator(estimator, X)``.

    X are rows or images as the networks see them; in a search the estimator is a clone.
    """
    for callback in callbacks:
        if hasattr(callback, "set_estimator"):
            callback.set_estimator(estimator, X)


def leave_models_alone(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether no callback can have changed what the first update is traced from.

    Keras's own and ours have not; what a user's does is its own affair, LambdaCallback's too.
    """
    return all(
        getattr(type(callback), name).__module__.split(".")[0] in ("keras", __package__)
        and not isinstance(callback, keras.callbacks.LambdaCallback)
        for callback in callbacks
        for name in _EARLY
    )
