"""What has to be done when Keras and TensorFlow are imported, whoever in the process does so.

Both take seconds to import, so the packages wait with it until a detector is asked for. What
cannot wait is done here, at the moment of the import.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# What files that Keras saves of the networks name: the package it is registered for, the module
# that defines it, the names.
CLASSES = {
    ("gaal", "gaal.networks"): (
        "CombineModel StackedIdentity SubGeneratorLoss SummedSubGeneratorLoss"
    ),
    ("gaal_alocc", "gaal_alocc.optimizers"): "InverseTimeDecay RMSprop SGD",
    ("alocc", "alocc.networks"): "AdversarialModel Conv2DTranspose",
    ("alocc", "alocc.keras2"): "BatchNormalization BinaryCrossentropy RMSprop",
    ("alocc.tensorflow1", "alocc.tensorflow1"): (
        "BatchNormalization LeakyReLU RMSProp SigmoidCrossEntropy"
    ),
}
FUNCTIONS = {("gaal", "gaal.networks"): "clipped_binary_crossentropy"}


class _Awaited:
    """Stands for a class in Keras's register until a file names it: then it is imported."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def from_config(self, config: dict) -> Any:
        return getattr(importlib.import_module(self._module), self._name).from_config(config)


def _awaited_function(module: str, name: str) -> Callable:
    def function(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments)

    function.__name__ = name
    return function


def announce(keras: ModuleType) -> None:
    """Have Keras find what its files name; what has been imported already stays as it is."""
    known = keras.saving.get_custom_objects()
    for (package, module), names in CLASSES.items():
        for name in names.split():
            known.setdefault(f"{package}>{name}", _Awaited(module, name))
    for (package, module), names in FUNCTIONS.items():
        for name in names.split():
            if f"{package}>{name}" not in known:
                register = keras.saving.register_keras_serializable(package)
                register(_awaited_function(module, name))


def import_triton() -> None:
    """Import Triton, where it is there, as TensorFlow must not come before it.

    PyTorch built for CUDA imports it when a network is first trained. After TensorFlow that
    is a segmentation fault; the other way round both work.
    """
    with contextlib.suppress(Exception):  # it is PyTorch's, and not needed here
        importlib.import_module("triton")


class _Watch(MetaPathFinder):
    """Leaves finding modules to others, and looks who is found."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name == "tensorflow":
            import_triton()
        if name != "keras" or (spec := PathFinder.find_spec(name, path)) is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_announce(module: ModuleType) -> None:
            execute(module)
            announce(module)

        spec.loader.exec_module = execute_and_announce
        return spec


def watch() -> None:
    """See to the above in this process; once, and at once where Keras is there already."""
    if any(isinstance(finder, _Watch) for finder in sys.meta_path):
        return
    if "keras" in sys.modules:
        announce(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _Watch())
