"""TensorFlow's start in a command: on Keras's behalf, and without its lines about the machine."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from gaal_alocc import preconditions

# What it says of every machine, by the source files that say it. Some of it comes before any
# level of logging holds, and so past TF_CPP_MIN_LOG_LEVEL.
_MACHINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
    rb"|.*\b(port|cpu_feature_guard|cudart_stub|cuda_(platform|driver|executor|diagnostics)"
    rb"|cuda_(dnn|fft|blas)|computation_placer)\.cc:\d+\] "
)


def choose_tensorflow() -> None:
    """Have Keras take TensorFlow, whatever it is set to, and TensorFlow say only what matters.

    To be called before either is imported. Below level 3 come notes of its optimizer's inner
    life; a TF_CPP_MIN_LOG_LEVEL of the user's own holds. What goes wrong is raised all the same.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Import TensorFlow behind the lines inside the ``with``, as :func:`starting_tensorflow`."""
    choose_tensorflow()
    with contextlib.nullcontext() if "tensorflow" in sys.modules else _held_back():
        yield
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def starting_tensorflow() -> Iterator[None]:
    """Import TensorFlow and have it find its devices, both behind the lines inside the ``with``.

    What is written to stderr meanwhile comes at the end, without those lines that TensorFlow
    writes of every machine. Where it has started already nothing is held back.
    """
    choose_tensorflow()
    with contextlib.nullcontext() if preconditions.has_started() else _held_back():
        yield
        import tensorflow as tf

        tf.config.list_logical_devices()


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            told = b"".join(line for line in held if not _MACHINE.match(line))
            with contextlib.suppress(OSError), open(2, "wb", closefd=False) as stream:
                stream.write(told)


def _flush() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no stderr, or a closed one
        sys.stderr.flush()
