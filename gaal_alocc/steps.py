"""A model's step on a batch, by either door; each takes (model, x, y) and returns Keras's logs."""

from __future__ import annotations

import keras

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
