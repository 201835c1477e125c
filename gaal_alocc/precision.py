"""The float type that a training computes in, whatever Keras is set to."""

import contextlib
import threading
from collections.abc import Iterator

import keras

_lock = threading.Lock()
_inside = 0  # trainings at this moment, in several threads
_outside = ""  # Keras's default when the first of them began


@contextlib.contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Have Keras make and run layers, losses and metrics in a float type, and put back its own.

    "float32" or "float64" stands in the place of ``keras.config.floatx()``, which all threads
    share, and of the dtype policy, which is each thread's own.
    """
    global _inside, _outside
    policy = keras.config.dtype_policy()
    with _lock:
        if _inside == 0:
            _outside = keras.config.floatx()
        _inside += 1
        keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _lock:
            _inside -= 1
            if _inside == 0:
                keras.config.set_floatx(_outside)
