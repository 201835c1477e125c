"""Fits of ALOCC on several devices beside fits on one: a process of its own.

python distributed.py mirrored DEVICES RUN..., or multiworker INDEX PORT PORT RUN... A run is named
by its fidelity, by what is wrong with it, or "resumed" (the authors'), and by its door; behind that
", batches of N". The last line printed is the result, in JSON. In float64, so that what differs
does so for a reason.
"""

import contextlib
import functools
import json
import os
import sys
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from alocc import ALOCC
from gaal_alocc import distribution, optimizers

X = np.random.default_rng(0).random((14, 16, 16))
# 7 images are not to be divided evenly by 2. Clipped hard, for it matters when it is done.
SETTINGS = {"epochs": 1, "batch_size": 7, "gf_dim": 2, "df_dim": 2, "clipvalue": 0.01}
AUTHORS = {"fidelity": "authors", "clipvalue": None}  # they clip nothing


def detector(door, strategy=None, **settings):
    settings = {**SETTINGS, "steps_per_execution": door, "strategy": strategy, **settings}
    return ALOCC(**settings, random_state=0)


class Interruption(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise InterruptedError


def resumed(door, strategy):
    """How a run broken off under a strategy and ended on one device differs from another."""
    broken = detector(door, strategy, **AUTHORS, epochs=2)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(InterruptedError), rows_seen() as seen:
            broken.fit(X, None, Interruption(), checkpoint_dir=folder, checkpoint_every=1)
        assert not hasattr(broken, "history_")
        broken.set_params(strategy=None).fit(X, checkpoint_dir=folder, resume=True)
    return difference(detector(door, **AUTHORS, epochs=2).fit(X), broken), seen


def difference(one, other):
    """Largest of the histories, weights and scores."""
    pairs = [
        (one.history_, other.history_),
        *((one.score_samples(X, score), other.score_samples(X, score)) for score in one.offsets_),
        *zip(one.generator_.get_weights(), other.generator_.get_weights()),
        *zip(one.discriminator_.get_weights(), other.discriminator_.get_weights()),
    ]
    # Not Python's max, which passes over NaN.
    return float(np.max([np.max(np.abs(np.asarray(a) - np.asarray(b))) for a, b in pairs]))


@contextlib.contextmanager
def rows_seen():
    """How many images come to the steps of each model, the numbers that occur on the replicas."""
    seen, step = {}, keras.Model.train_step

    def spy(self, data):
        rows = {*seen.get(self.name, ()), tf.nest.flatten(data[0])[0].shape[0]}
        seen[self.name] = sorted(rows)
        return step(self, data)

    with mock.patch.object(keras.Model, "train_step", spy):
        yield seen


def of_its_share(x, axes):
    count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
    return *keras.ops.moments(x, axes), count


def mutations():
    """Wrong ways to distribute, each of which must show in the numbers."""
    return {
        "statistics of a share": mock.patch.object(distribution, "moments", of_its_share),
        "shares of a gradient clipped": mock.patch.multiple(
            optimizers.Reusable,
            _clip_gradients=keras.optimizers.Optimizer._clip_gradients,
            _all_reduce_sum_gradients=keras.optimizers.Optimizer._all_reduce_sum_gradients,
        ),
    }


@functools.cache
def on_one_device(**settings):
    return detector("auto", **settings).fit(X)


def differences(strategy, runs):
    """Each run's from one device's, and the rows that its replicas were handed."""
    result = {"differences": {}, "rows": {}}
    for run in runs:
        named, _, batch_size = run.partition(", batches of ")
        way, door = named.rsplit(" ", 1)
        door = door if door == "auto" else int(door)
        if way == "resumed":
            result["differences"][run], result["rows"][run] = resumed(door, strategy)
            continue
        wrong = mutations().get(way)
        settings = {"fidelity": way if wrong is None else "published"}
        if batch_size:
            settings["batch_size"] = int(batch_size)
        with wrong or contextlib.nullcontext(), rows_seen() as seen:
            other = detector(door, strategy, **settings).fit(X)
        result["rows"][run] = seen
        result["differences"][run] = difference(on_one_device(**settings), other)
    return result


def mirrored(devices, *runs):
    distribution.use_devices(int(devices))
    return differences("mirrored", runs)


def multiworker(index, port, other_port, *runs):
    workers = [f"127.0.0.1:{number}" for number in (port, other_port)]
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(index)}}
    )
    distribution.resolve("multiworker")
    return differences("multiworker", runs)


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    run = {"mirrored": mirrored, "multiworker": multiworker}[sys.argv[1]]
    print(json.dumps(run(*sys.argv[2:])))
