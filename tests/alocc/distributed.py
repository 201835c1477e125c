"""Fits of ALOCC on several devices beside fits on one: a process of its own.

python distributed.py mirrored DEVICES RUN..., or multiworker INDEX PORT PORT RUN... The last line
printed is the result, in JSON. In float64, so that what differs does so for a reason.
"""

import contextlib
import json
import os
import sys
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from alocc import ALOCC
from gaal_alocc import distribution

X = np.random.default_rng(0).random((14, 16, 16))
# 7 images are not to be divided evenly by 2 or 4. Clipped hard, for it matters when it is done.
SETTINGS = {"epochs": 1, "batch_size": 7, "gf_dim": 2, "df_dim": 2, "clipvalue": 0.01}


def fit(fidelity, door, strategy=None):
    settings = {"fidelity": fidelity, "steps_per_execution": door, "strategy": strategy}
    return ALOCC(**SETTINGS, **settings, random_state=0).fit(X)


def difference(one, other):
    """Largest of the histories, weights and scores."""
    pairs = [
        (one.history_, other.history_),
        *((one.score_samples(X, score), other.score_samples(X, score)) for score in one.offsets_),
        *zip(one.generator_.get_weights(), other.generator_.get_weights()),
        *zip(one.discriminator_.get_weights(), other.discriminator_.get_weights()),
    ]
    return max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in pairs)


def of_its_share(x, axes):
    count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
    return *keras.ops.moments(x, axes), count


def mutations():
    """Wrong ways to distribute, each of which must show in the numbers."""
    patch = mock.patch.object
    return {
        "shares not weighted": patch(distribution, "weights", return_value=None),
        "statistics of a share": patch(distribution, "moments", of_its_share),
        "shares of a gradient clipped": patch(
            distribution, "clipping_the_sum", lambda optimizer: optimizer
        ),
    }


def differences(strategy, runs):
    """Of each run, named by fidelity and door, or by what is wrong with it."""
    wrong, result = mutations(), {}
    for run in runs:
        fidelity, door = ("published", "auto") if run in wrong else run.split()
        door = door if door == "auto" else int(door)
        with wrong.get(run, contextlib.nullcontext()):
            other = fit(fidelity, door, strategy)
        result[run] = difference(fit(fidelity, "auto"), other)
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
