"""oneDNN, by which TensorFlow computes on x86 processors, chosen before TensorFlow is imported."""

import os
import platform
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


def choose() -> None:
    """Have TensorFlow take oneDNN on every x86 processor, as it does by itself on the newest only.

    Where they have no AVX512-VNNI ALOCC trains 1.6 times as fast by it (docs/speed.md). What is
    computed is the same but for the last digits, so processes of one run have to agree: where
    TensorFlow is imported already, those that are started from here do as it does. A choice of the
    user's own holds.
    """
    if VARIABLE not in os.environ and platform.machine() in ("x86_64", "AMD64"):
        os.environ[VARIABLE] = str(int("tensorflow" not in sys.modules or enabled()))


def enabled() -> bool:
    """Whether TensorFlow, which is imported, computes by it; as chosen, if it does not tell."""
    try:
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled
    except ImportError:
        return chosen()
    return IsMklEnabled()


def chosen() -> bool:
    """Whether oneDNN is chosen, here or by the user, in one of TensorFlow's words for it."""
    return os.environ.get(VARIABLE, "").lower() in ("1", "true")
