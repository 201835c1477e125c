"""Fits on several devices beside fits on one: a process of its own, as TensorFlow starts once.

python distributed.py mirrored DEVICES, strategies DEVICES, or multiworker INDEX PORT PORT. The last
line printed is the result, in JSON.
"""

import contextlib
import itertools
import json
import os
import sys
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from gaal import MOGAAL, SOGAAL, GAALEnsemble, ensemble
from gaal.tensorboard import TensorBoard
from gaal_alocc import distribution

X = np.random.default_rng(0).random((110, 3), dtype=np.float32)
Y = np.arange(110) < 11
BATCH = 37  # not to be divided evenly by 2 or 4
# Rates so large that a wrong gradient shows.
SETTINGS = {"stop_epochs": 2, "batch_size": BATCH, "lr_d": 0.3, "lr_g": 0.3, "random_state": 0}


def fit(name, door, strategy=None, y=Y, **settings):
    settings = {**SETTINGS, "steps_per_execution": door, "strategy": strategy, **settings}
    if name == "GAALEnsemble":
        del settings["stop_epochs"]
        with mock.patch.object(ensemble, "FIRST", 2):
            return GAALEnsemble(2, n_updates=6, n_snapshots=3, **settings).fit(X, y)
    detector = SOGAAL(**settings) if name == "SOGAAL" else MOGAAL(k=4, **settings)
    return detector.fit(X, y)


def difference(one, other):
    """Largest of the histories, weights and scores."""
    weights = [
        fitted.weights_ if isinstance(fitted, GAALEnsemble) else fitted.combine_model_.get_weights()
        for fitted in (one, other)
    ]
    pairs = [
        (one.history_, other.history_),
        (one.score_samples(X), other.score_samples(X)),
        *zip(*weights, strict=True),
    ]
    return float(np.max([np.max(np.abs(np.asarray(a) - np.asarray(b))) for a, b in pairs]))


@contextlib.contextmanager
def rows_seen():
    """How many rows come to the steps of each model, the numbers that occur on the replicas."""
    seen, step = {}, keras.Model.train_step

    def spy(self, data):
        rows = {*seen.get(self.name, ()), data[0].shape[-2]}
        seen[self.name] = sorted(rows)
        return step(self, data)

    with mock.patch.object(keras.Model, "train_step", spy):
        yield seen


def mutations():
    """Wrong ways to distribute, each of which must show in the numbers."""
    reduce_gradients = keras.optimizers.Optimizer._all_reduce_sum_gradients

    def twice(self, pairs):
        return [(2 * gradient, variable) for gradient, variable in reduce_gradients(self, pairs)]

    optimizer = keras.optimizers.Optimizer
    return {
        "shares not weighted": mock.patch.object(distribution, "weights", return_value=None),
        "gradients not summed": mock.patch.object(
            optimizer, "_all_reduce_sum_gradients", lambda self, pairs: pairs
        ),
        "gradients summed twice": mock.patch.object(optimizer, "_all_reduce_sum_gradients", twice),
    }


class Interruption(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 3:
            raise InterruptedError


def resumed(first, second):
    """Break training off under one strategy and end it under another."""
    detector = MOGAAL(k=4, **SETTINGS, strategy=first)
    with tempfile.TemporaryDirectory() as folder:
        board = TensorBoard(f"{folder}/board", detector, X)
        with contextlib.suppress(InterruptedError):
            detector.fit(X, Y, [board, Interruption()], checkpoint_dir=folder, checkpoint_every=2)
        assert os.listdir(f"{folder}/board/train")
        return detector.set_params(strategy=second).fit(X, Y, checkpoint_dir=folder, resume=True)


def own_strategies(devices):
    """Fit under several of the user's own strategies, between steps of a model that is theirs."""
    both, again = (tf.distribute.MirroredStrategy() for _ in range(2))
    last = tf.distribute.MirroredStrategy([f"CPU:{devices - 1}"])
    local = tf.distribute.MultiWorkerMirroredStrategy()  # of one worker, without TF_CONFIG
    with again.scope():  # its messages have numbers before a detector sees the strategy
        own = keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(1)])
        own.compile("sgd", "mse", jit_compile=False)
    steps = [
        ("SOGAAL", 1, both),
        ("SOGAAL", "auto", again),
        ("MOGAAL", "auto", last),
        ("MOGAAL", 1, again),
        ("SOGAAL", "auto", local),
    ]
    alone = {name: fit(name, "auto") for name in ("SOGAAL", "MOGAAL")}
    result = {}
    for step in steps:
        own.fit(X[:80], X[:80, :1], batch_size=40, verbose=0)
        name, door, strategy = step
        result[str(len(result))] = difference(alone[name], fit(name, door, strategy))
    return result


def divided(names_and_doors, one):
    """How fits on several devices differ from those on one, and the rows that their steps see."""
    result = {}
    for name, door in names_and_doors:
        with rows_seen() as seen:
            result[f"{name} {door}"] = difference(one[name], fit(name, door, "mirrored"))
        result[f"{name} {door} rows"] = seen
    return result


def mirrored(devices):
    distribution.use_devices(devices)
    if devices > 2:  # other shares, by the same steps
        return divided([("MOGAAL", "auto")], {"MOGAAL": fit("MOGAAL", "auto")})
    one = {name: fit(name, "auto") for name in ("GAALEnsemble", "SOGAAL", "MOGAAL")}
    result = divided(itertools.product(one, (1, "auto")), one)
    for wrong, mutation in mutations().items():
        with mutation:
            result[wrong] = difference(one["MOGAAL"], fit("MOGAAL", "auto", "mirrored"))
    return result


def strategies(devices):
    distribution.use_devices(devices)
    one = fit("MOGAAL", "auto")
    result = {
        "resumed on one device": difference(one, resumed("mirrored", None)),
        "resumed on several devices": difference(one, resumed(None, "mirrored")),
    }

    def whole(x, axis=0):
        return distribution.per_replica([x] * devices)

    # What Keras does with a batch. The numbers are right, and nothing is won.
    for door in (1, "auto"):
        with mock.patch.object(distribution, "divide", whole), rows_seen() as seen:
            fit("SOGAAL", door, "mirrored", y=None)
        result[f"batch not divided {door} rows"] = seen
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        result["of one replica"] = difference(one, fit("MOGAAL", "auto"))
    result["own strategies"] = own_strategies(devices)
    return result


def multiworker(index, *ports):
    workers = [f"127.0.0.1:{port}" for port in ports]
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(index)}}
    )
    distribution.resolve("multiworker")
    result = {"chief": distribution.is_chief("multiworker")}
    for name, door in (("SOGAAL", 1), ("MOGAAL", "auto")):
        detector = fit(name, door, "multiworker")
        result[f"{name} {door}"] = difference(fit(name, door), detector)
    # A seed of its own on each: the first one's counts.
    detector = fit("SOGAAL", "auto", "multiworker", random_state=None, verbose=1)
    result["scores"] = detector.score_samples(X).tolist()
    try:
        SOGAAL(strategy="multiworker").fit(X + 0.01 * int(index))
    except ValueError as error:
        result["error"] = str(error)
    return result


if __name__ == "__main__":
    run = {"mirrored": mirrored, "strategies": strategies, "multiworker": multiworker}[sys.argv[1]]
    print(json.dumps(run(*map(int, sys.argv[2:]))))
