"""A model's step on a batch, by either door; each takes (model, x, y) and returns Keras's logs."""

from collections.abc import Callable

import keras
import tensorflow as tf

from gaal_alocc import distribution


def train_on_batch(model: keras.Model, x, y) -> dict:
    """Step of the first door: Keras's own call, outside any graph of ours."""
    model.reset_metrics()  # Keras before 3.15 does not, and would give a running mean
    return model.train_on_batch(x, y, return_dict=True)


def test_on_batch(model: keras.Model, x, y) -> dict:
    """Pass of the first door that trains nothing."""
    model.reset_metrics()
    return model.test_on_batch(x, y, return_dict=True)


def train_step(model: keras.Model, x, y) -> dict:
    """Step of the second door: what train_on_batch runs, to be traced into a larger graph."""
    model.reset_metrics()  # as train_on_batch does, or the loss would be a running mean
    return distribution.run_step(model, model.train_step, x, y)


def test_step(model: keras.Model, x, y) -> dict:
    """Pass of the second door that trains nothing."""
    model.reset_metrics()
    return distribution.run_step(model, model.test_step, x, y)


def traced_once(step: Callable) -> Callable:
    """Trace a step of the second door once, though an update takes it several times.

    Its batches are always of one shape.
    """
    made = {}

    @tf.autograph.experimental.do_not_convert  # nothing to convert
    def call(model: keras.Model, x, y) -> dict:
        if model not in made:
            graph = tf.function(lambda x, y: step(model, x, y), autograph=False)
            made[model] = graph.get_concrete_function(x, y)
        return made[model](x, y)

    return call
