"""Programs: graphs that runs of one shape share, traced for the first of them.

A graph of TensorFlow is traced over the variables of one run, which are inputs of it like any
other. A :class:`Program` hands it those of another run in their place. So no state is kept
between runs, none has to be put right where one failed, and runs in several threads do not
meet. The programs used last are kept, a handful of them; :func:`clear` lets go of all.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import keras
import tensorflow as tf
from tensorflow.python.eager import context

KEPT = 16  # programs: a fit needs one to three, and one more to score

_programs: OrderedDict[Hashable, Program] = OrderedDict()
_architectures: WeakKeyDictionary[keras.Model, str] = WeakKeyDictionary()
_lock = threading.RLock()


class Program:
    """A traced function, to be run on the variables of whoever calls it.

    Parameters
    ----------
    function : tf.function
        With an input signature.
    variables : sequence of keras.Variable or tf.Variable
        What it reads and writes. Under a strategy it stays with them.

    Attributes
    ----------
    forms : list of (TensorShape, DType)
        Of the variables.
    whole : bool
        Whether it reads and writes no others: what does cannot be shared.
    """

    def __init__(self, function: Any, variables: Sequence) -> None:
        self._graph = function.get_concrete_function()
        self._dtypes = [spec.dtype for spec in tf.nest.flatten(function.input_signature)]
        self.forms = [(v.shape, tf.as_dtype(v.dtype)) for v in variables]
        self.whole = not tf.distribute.has_strategy()
        if self.whole:
            numbers = {id(v.handle): i for i, v in enumerate(variables)}
            inputs = self._graph.captured_inputs
            self._captured = [(numbers.get(id(tensor)), tensor) for tensor in inputs]
            self.whole = all(
                number is not None or tensor.dtype != tf.resource
                for number, tensor in self._captured
            )

    def __call__(self, variables: Sequence, *arguments: Any) -> Any:
        """Run on variables of the same number, order, shapes and types.

        Parameters
        ----------
        variables : sequence of keras.Variable or tf.Variable
            Read and written.
        *arguments : array-like
            Those of the function.
        """
        inputs = [tf.convert_to_tensor(a, dtype) for a, dtype in zip(arguments, self._dtypes)]
        if not self.whole:  # its own ones: nobody else runs it
            return self._graph(*inputs)
        for number, tensor in self._captured:
            inputs.append(tensor if number is None else variables[number].handle)
        return self._graph.inference_fn.call_preflattened(inputs)


def shared(key: Hashable, make: Callable[[], Program], *, any_settings: bool = False) -> Program:
    """Give the program that runs alike share, made for the first of them.

    Parameters
    ----------
    key : hashable
        All that its graph depends on but for Keras's and TensorFlow's settings. None for a
        program that is not to be shared.
    make : callable
        Makes it, where it is not there.
    any_settings : bool, default=False
        Whether it is the same whatever these are.

    Returns
    -------
    Program
        Under a strategy one of its own.
    """
    if key is None or tf.distribute.has_strategy():
        return make()
    key = (key, debuggers(), None if any_settings else _settings())
    with _lock:
        program = _programs.pop(key, None) or make()
        if program.whole:
            _programs[key] = program
        while len(_programs) > KEPT:
            _programs.popitem(last=False)
    return program


def call(model: keras.Model, x: Any) -> tf.Tensor:
    """Apply a model as at test time, by a program that all of its architecture share.

    Parameters
    ----------
    model : keras.Model
        With one input and one output.
    x : array-like
        A batch, of any length.

    Returns
    -------
    Tensor
        ``model(x, training=False)``, by its weights of now.
    """
    if any(isinstance(v.value, tf.distribute.DistributedValues) for v in model.weights):
        return model(x, training=False)
    rows = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype)
    graph = tf.function(lambda x: model(x, training=False), input_signature=[rows])
    key = ("call", architecture(model))
    program = shared(key, lambda: Program(graph, model.weights), any_settings=True)
    return program(model.weights, x)


class SharedSteps:
    """Have models' ``train_on_batch`` and ``test_on_batch`` run shared programs, in a ``with``.

    Keras traces a function of its own for every model.

    Parameters
    ----------
    key : hashable
        As of :func:`shared`; None leaves it to Keras.
    models : sequence of keras.Model
        Compiled.
    variables : sequence of keras.Variable or tf.Variable
        All that any of them reads and writes.
    """

    def __init__(self, key: Hashable, models: Sequence[keras.Model], variables: Sequence) -> None:
        self._functions = []
        if key is None or tf.distribute.has_strategy():
            return
        for i, model in enumerate(models):
            for name in ("train", "test"):
                step = getattr(model, f"{name}_step")
                function = _step_function((key, i, name), step, variables)
                self._functions.append((model, f"{name}_function", function))

    def __enter__(self) -> None:
        for model, name, function in self._functions:
            setattr(model, name, function)

    def __exit__(self, *exception: object) -> None:
        for model, name, _ in self._functions:
            setattr(model, name, None)  # Keras makes its own when it is next asked to


def _step_function(key: Hashable, step: Callable, variables: Sequence) -> Callable:
    made: dict[tuple, Program] = {}

    def on_batches(batches: Iterator) -> dict:
        batch = tuple(part for part in next(batches) if part is not None)
        arrays = [tf.convert_to_tensor(part) for part in tf.nest.flatten(batch)]
        signature = tuple(tf.TensorSpec(array.shape, array.dtype) for array in arrays)
        if signature not in made:
            made[signature] = shared(
                (key, signature),
                lambda: Program(
                    tf.function(
                        lambda *parts: step(tf.nest.pack_sequence_as(batch, parts)),
                        input_signature=signature,
                    ),
                    variables,
                ),
            )
        return made[signature](variables, *arrays)

    return on_batches


def debuggers() -> tuple:
    """Give what puts operations into graphs, as tf.debugging.enable_check_numerics does."""
    return tuple(context.context().op_callbacks)


def clear() -> None:
    """Let go of all programs: the next run of any shape traces its own.

    It frees their memory once the last run has ended that is using them. No number depends
    on it.
    """
    with _lock:
        _programs.clear()


def _settings() -> tuple:
    return (
        keras.config.floatx(),
        keras.config.epsilon(),
        keras.config.dtype_policy().name,
        keras.config.image_data_format(),
        tf.config.functions_run_eagerly(),
        tf.config.optimizer.get_jit(),
        tf.zeros(()).device,  # that of the tf.device around
    )


def sources(*modules: ModuleType) -> tuple:
    """Everything of some modules that a graph is traced from, as part of a key.

    Where something else has been put in a function's or a number's place, as a test does, it
    is another program.
    """
    return tuple(
        value
        for module in modules
        for name, value in vars(module).items()
        if not name.startswith("__") and (callable(value) or isinstance(value, int | float | str))
    )


def architecture(*models: keras.Model) -> str:
    """Describe the layers of models, but not where their weights start, as part of a key."""
    for model in models:
        if model not in _architectures:
            _architectures[model] = repr(_without_initializers(model.get_config()))
    return "\n".join(_architectures[model] for model in models)


def _without_initializers(config: Any) -> Any:
    if isinstance(config, dict):
        return {
            name: _without_initializers(value)
            for name, value in config.items()
            if not name.endswith("_initializer")
        }
    if isinstance(config, list | tuple):
        return [_without_initializers(value) for value in config]
    return config
