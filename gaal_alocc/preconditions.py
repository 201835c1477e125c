"""What the packages need of the process that they run in: Keras on TensorFlow, eager, not forked.

Whatever is missing is told in one sentence, before it would break or hang somewhere inside.
"""

import os
import sys
import threading


def has_started() -> bool:
    """Whether TensorFlow has computed something, by which it has started its threads."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = None if module is None else module.context_safe()
    return getattr(context, "_context_handle", None) is not None


def _lost_its_threads() -> bool:
    """Whether this process is a fork in which nobody was there to note it; known on Linux only."""
    tasks = "/proc/self/task"
    if not has_started() or not os.path.isdir(tasks):
        return False
    return len(os.listdir(tasks)) <= threading.active_count()


def _note_fork() -> None:
    global _forked
    _forked = _forked or has_started()


_forked = _lost_its_threads()
if hasattr(os, "register_at_fork"):  # Windows forks nothing
    os.register_at_fork(after_in_child=_note_fork)


def check_backend() -> None:
    """Raise an ImportError unless Keras's backend is TensorFlow."""
    try:
        import keras
    except ModuleNotFoundError as error:  # of another backend, perhaps
        if error.name in ("keras", "tensorflow"):
            raise
        backend = error.name
    else:
        backend = keras.config.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"Keras's backend is {backend}, but gaal and alocc train by TensorFlow: set the"
            " environment variable KERAS_BACKEND=tensorflow before Keras is first imported."
        )


def check() -> None:
    """Raise unless this process can train and score.

    An ImportError where Keras's backend is another than TensorFlow; a RuntimeError where TensorFlow
    is in graph mode, or the process was forked after TensorFlow had started: a fork has none of its
    threads, for which it would wait for ever.
    """
    check_backend()
    import tensorflow as tf

    if not tf.executing_eagerly():
        raise RuntimeError(
            "TensorFlow is in graph mode, in which gaal and alocc cannot work: leave out"
            " tf.compat.v1.disable_eager_execution() or disable_v2_behavior(), and call them"
            " outside of tf.Graph and tf.function."
        )
    if _forked:
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, whose threads are missing"
            " here: it would wait for them for ever. Start processes by joblib's loky (its"
            ' default) or by multiprocessing.get_context("spawn"), or fork before TensorFlow is'
            " first used."
        )
