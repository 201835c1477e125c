"""GAAL: outlier detection by generative adversarial active learning, as published.

SO-GAAL and MO-GAAL of Liu et al., "Generative Adversarial Active Learning for Unsupervised
Outlier Detection", IEEE TKDE 2019 (arXiv:1809.10816).
"""

import importlib
from typing import Any

from gaal_alocc import preconditions

_EXPORTS = {
    "SOGAAL": "gaal.detectors",
    "MOGAAL": "gaal.detectors",
    "GAALEnsemble": "gaal.ensemble",
}
__all__ = ["MOGAAL", "SOGAAL", "GAALEnsemble"]


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import: wait until a detector is asked for.
    if name in _EXPORTS:
        preconditions.check_backend()  # here, as Keras may fail to import another one
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
