"""Programs: graphs that runs of one shape share, traced for the first of them.

A graph of TensorFlow is traced over the variables of one run, which are inputs of it like any
other. A :class:`Program` hands it those of another run in their place. So no state is kept
between runs, none has to be put right where one failed, and runs in several threads do not
meet. The programs used last are kept, a handful of them; :func:`clear` lets go of all.
"""

from __future__ import annotations

import functools
import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

KEPT = 16  # programs: a fit needs one to three, and one more to score

_OWN = ("keras", "gaal_alocc", "gaal", "alocc", "builtins", "inspect")
_TOPOLOGY = ("_inputs_struct", "_outputs_struct", "_operations", "_functional")  # of Keras's models
_FORM = "_gaal_alocc_form"

_programs: OrderedDict[Hashable, Program] = OrderedDict()
_lock = threading.RLock()


class Program:
    """A traced function, to be run on the variables of whoever calls it.

    The function has an input signature, and reads and writes the variables. ``forms`` are these's
    shapes and types. ``whole`` tells whether it uses no others: what does cannot be shared. Under a
    strategy it stays with its own.
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
        """Run with arguments, on variables of the same number, order, shapes and types."""
        inputs = [tf.convert_to_tensor(a, dtype) for a, dtype in zip(arguments, self._dtypes)]
        if not self.whole:  # its own ones: nobody else runs it
            return self._graph(*inputs)
        for number, tensor in self._captured:
            inputs.append(tensor if number is None else variables[number].handle)
        return self._graph.inference_fn.call_preflattened(inputs)


def shared(key: Hashable, make: Callable[[], Program], *, any_settings: bool = False) -> Program:
    """Give the program that runs alike share, made for the first of them.

    The key is all that its graph depends on but for Keras's and TensorFlow's settings, or, by
    ``any_settings``, whatever these are; None for a program that is not to be shared. Under a
    strategy it is one of its own.
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
    """Apply a model as at test time to a batch of any length, by its weights of now.

    The model has one input and one output. All of its :func:`form` share the program.
    """
    known = form(model)
    distributed = any(isinstance(v.value, tf.distribute.DistributedValues) for v in model.weights)
    if known is None or distributed:
        return model(x, training=False)
    rows = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype)
    graph = tf.function(lambda x: model(x, training=False), input_signature=[rows])
    program = shared(("call", known), lambda: Program(graph, model.weights), any_settings=True)
    return program(model.weights, x)


class SharedSteps:
    """Have models' ``train_on_batch`` and ``test_on_batch`` run shared programs, in a ``with``.

    Keras traces a function of its own for every model. The key is as of :func:`shared`, None leaves
    it to Keras; the models are compiled, the variables all that any of them reads and writes.
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


class Unaltered:
    """Whether modules and classes, and what these modules define, hold what they held at first.

    What a test or a notebook has put in a function's, a class's or a number's place may depend on
    anything: no program is shared as long as it stands there.
    """

    def __init__(self, *spaces: ModuleType | type) -> None:
        classes = (
            value
            for space in spaces
            for value in vars(space).values()
            if isinstance(value, type) and value.__module__ == space.__name__
        )
        self._spaces = dict.fromkeys((*spaces, *classes))
        self._seen = self._look()

    def __bool__(self) -> bool:
        return _same(self._look(), self._seen)

    def _look(self) -> list:
        seen = []
        for space in self._spaces:
            for name, value in vars(space).items():
                if isinstance(value, FunctionType):  # its parts too: editors put new ones in
                    seen += (value, value.__code__, value.__defaults__)
                elif name.startswith("__"):  # Python's own, some of which come later
                    continue
                else:
                    seen += value.values() if isinstance(value, dict) else (value,)
        return seen


def form(*models: keras.Model) -> Hashable | None:
    """Describe built models, as they are now, by all that a graph of them depends on.

    It is the same for models that are alike but for the numbers in their weights, and None where it
    cannot be known: where a layer is not of a class of Keras's or of these packages, holds a
    function or an object that is not (an activation, a constraint), or has changed what it is made
    of since (LoRA, quantization).
    """
    forms = []
    for model in models:
        known = vars(model).get(_FORM)
        if known is None or not _same(_look(*known.parts), known.seen):
            parts = model._flatten_layers(), model.variables
            known = SimpleNamespace(parts=parts, seen=_look(*parts), form=_describe(*parts))
            vars(model)[_FORM] = known  # past Keras, which would look for layers in it
        forms.append(known.form)
    return None if None in forms else tuple(forms)


def _look(layers: Sequence[keras.Layer], variables: Sequence[keras.Variable]) -> list:
    """All that a graph of these might depend on, to be compared by identity."""
    seen = []
    for layer in layers:
        kind, attributes = type(layer), vars(layer)
        seen += (kind, kind.call)
        if isinstance(layer, keras.Model):  # in which training and compiling leave much
            seen += [attributes.get(name) for name in _TOPOLOGY]
            seen += attributes.keys() & _methods(kind)
        else:
            seen += attributes.values()
    for v in variables:
        seen += (v.trainable, v.constraint, v.regularizer)
    return seen


@functools.cache
def _methods(kind: type) -> frozenset[str]:
    """Names that no attribute hides but where somebody has put it: Keras itself hides three."""
    names = (name for name in dir(kind) if callable(getattr(kind, name, None)))
    return frozenset(names) - {"build", "quantize", "loss"}


def _describe(
    layers: Sequence[keras.Layer], variables: Sequence[keras.Variable]
) -> Hashable | None:
    functions = []
    for layer in layers:
        kind, attributes = type(layer), vars(layer)
        changed = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
        if changed or not _is_own(kind) or attributes.keys() & _methods(kind):
            return None
        functions.append(kind.call)
        if isinstance(layer, keras.Model):
            continue
        rules = (rule for v in layer.weights for rule in (v.constraint, v.regularizer))
        used = (*layer.weights, *(rule for rule in rules if rule is not None))
        values = list(attributes.values())
        if not all(map(_is_own, values)) or not {*map(id, used)} <= {*map(id, values)}:
            return None  # the layer does not tell of all
        functions += (
            value
            for name, value in attributes.items()
            if isinstance(value, FunctionType) and name not in ("build", "quantize")
        )
    config = repr(_without_initializers(layers[0].get_config()))  # the model's
    return (config, *functions, *(v.trainable for v in variables))


def _is_own(thing: Any) -> bool:
    """Whether a function, or the class of an object, is Keras's, Python's or these packages'."""
    thing = getattr(thing, "__func__", thing)
    if isinstance(thing, FunctionType):
        module = thing.__globals__["__name__"]  # which functools.wraps does not carry over
    else:
        module = (thing if isinstance(thing, type) else type(thing)).__module__
    return module.partition(".")[0] in _OWN or isinstance(thing, np.generic)


def _same(one: Sequence, other: Sequence) -> bool:
    return len(one) == len(other) and all(map(operator.is_, one, other))


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
