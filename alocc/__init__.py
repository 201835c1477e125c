"""ALOCC: adversarially learned one-class classification, as published.

Sabokrou et al., "Adversarially Learned One-Class Classifier for Novelty Detection", CVPR 2018
(arXiv:1802.09088).
"""

import importlib
from typing import Any

from gaal_alocc import preconditions

_EXPORTS = {"ALOCC": "alocc.detector", "ALOCCEnsemble": "alocc.ensemble"}
__all__ = ["ALOCC", "ALOCCEnsemble"]


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import: wait until the detector is asked for.
    if name in _EXPORTS:
        preconditions.check_backend()  # here, as Keras may fail to import another one
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    if name == "datasets":  # which errors of the detector name
        return importlib.import_module("alocc.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
