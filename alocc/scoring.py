"""How R and D score images, by the weights of one epoch or of several, and what normalises them.

Scoring changes nothing: the weights of an epoch that is not in use are inputs of the graph.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from alocc import inputs, networks
from alocc.epochs import Models
from gaal_alocc import onednn, programs

SCORES = ("reconstruction", "d_x", "d_rx")
STATISTICS = ("moving", "train_batch", "batch")
PARTS = {"reconstruction": ["R"], "d_x": ["D"], "d_rx": ["R", "D"]}  # that a score needs
TOGETHER = 2  # groups, and epochs, that a graph has in hand at a time
CALL_PIXELS = 2**20  # of images, times epochs, of one call: about a second, to be interrupted after


def score(
    models: Models, x: np.ndarray, score: str, statistics: str, calibration: dict
) -> np.ndarray:
    """Score images (n, height, width, channels) in [0, 1] by the weights that the models have.

    For the scores and statistics see :class:`alocc.ALOCC`. The calibration is of :func:`calibrate`,
    whose "statistics" are looked at with "train_batch" alone. They are (n,), float64, not oriented.
    """

    def run(name: str, images) -> tf.Tensor:
        if statistics == "moving":
            return programs.call(models[name], images)
        kept = None
        if statistics == "train_batch":
            kept = calibration["statistics"]["R" if name == "R" else score]
        return networks.normalized_by_batch(models[name], images, kept)[0]

    seen = x if score == "d_x" else run("R", x)
    if score == "reconstruction":
        # Not as it is shown: D, which sees images and tanh alike, draws R's output to x itself.
        return -np.mean((x - seen.numpy()) ** 2, axis=(1, 2, 3), dtype=np.float64)
    return run("D", seen).numpy().ravel().astype(np.float64)


def oriented(scores: np.ndarray, sign: int, probability: bool) -> np.ndarray:
    """Turn scores round where the sign is -1: a probability to that of the opposite."""
    if sign > 0:
        return scores
    return 1 - scores if probability else -scores


def calibrate(
    models: Models,
    references: np.ndarray,
    statistics: str,
    *,
    batch_size: int,
    orient: bool,
    probability: bool,
) -> dict:
    """Find what scores by the present weights are held against; no labels are needed.

    The references are training images, by the first ``batch_size`` of which "train_batch"
    normalises. By ``orient`` D's scores get the sign of the mean of its logit; ``probability``
    tells in what D ends.
    """
    batch = references[:batch_size]
    rx, of_r = networks.normalized_by_batch(models["R"], batch)
    by_batch = {
        "R": of_r,
        "d_x": networks.normalized_by_batch(models["D"], batch)[1],
        "d_rx": networks.normalized_by_batch(models["D"], rx)[1],
    }
    sign = dict.fromkeys(SCORES, 1)
    calibration = {
        "statistics": {
            name: [[part.numpy().tolist() for part in pair] for pair in pairs]
            for name, pairs in by_batch.items()
        },
        "sign": sign,
    }
    parts = list(inputs.parts(references, batch_size if statistics == "batch" else None))
    scores = {}
    for name in SCORES:
        found = [score(models, references[p], name, statistics, calibration) for p in parts]
        scores[name] = np.concatenate(found)
    for name in ("d_x", "d_rx") if orient else ():
        logits = scores[name]
        if probability:
            eps = keras.config.epsilon()
            logits = scipy.special.logit(np.clip(logits, eps, 1 - eps))
        if np.mean(logits) < 0:
            sign[name] = -1
            scores[name] = oriented(scores[name], -1, probability)
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    deviations = {name: float(np.std(values)) for name, values in scores.items()}
    return {**calibration, "mean": means, "deviation": deviations}


def stack(epoch_weights: Sequence[dict], calibrations: Sequence[dict]) -> dict:
    """Put what :func:`score_by_epoch` scores with into one tensor a weight, epoch after epoch.

    Of E calibrations, with their "epoch", come "R" and "D", weights (E, ...) of ``epoch_weights_``,
    and "statistics", as those of a calibration.
    """

    def of(per_epoch: Sequence[dict]) -> dict:
        return tf.nest.map_structure(lambda *parts: tf.constant(np.stack(parts)), *per_epoch)

    used = [epoch_weights[calibration["epoch"]] for calibration in calibrations]
    statistics = [
        {
            name: [[np.array(part) for part in pair] for pair in pairs]
            for name, pairs in kept.items()
        }
        for kept in (calibration["statistics"] for calibration in calibrations)
    ]
    return {**of(used), "statistics": of(statistics)}


def score_by_epoch(
    models: Models, epochs: dict, x: np.ndarray, score: str, statistics: str
) -> np.ndarray:
    """Score images by the stacked weights of E epochs, (E, n), float64; the models' are left alone.

    See :func:`score`. Images go through the networks in groups of one size, filled up, but for
    "batch": how many are scored would show in the last digits of each, and where an epoch scores
    training images nearly alike these are much of their standard deviation. Raises a ValueError
    where the epochs' weights are not those of such models.
    """
    given = {}
    for name in PARTS[score]:
        kept = epochs["statistics"]["R" if name == "R" else score]
        given[name] = (epochs[name], kept if statistics == "train_batch" else ())
        shapes = [tuple(v.shape) for v in models[name].weights]
        if shapes != [tuple(array.shape[1:]) for array in epochs[name]]:
            raise ValueError(
                f"{name} has weights of the shapes {shapes}, and had others in the epochs that"
                " select_epoch='mean' scores with: it has been changed since, as by enable_lora."
                " Expected R and D as they were trained, or another epoch by use_epoch."
            )

    def score_images(now: dict, x: tf.Tensor) -> tf.Tensor:
        def run(name: str, images: tf.Tensor) -> tf.Tensor:
            model, (weights, kept) = models[name], now[name]
            with keras.StatelessScope(list(zip(model.weights, weights))):
                if statistics == "moving":
                    return model(images, training=False)
                return networks.normalized_by_batch(model, images, kept or None)[0]

        seen = x if score == "d_x" else run("R", x)
        if score == "reconstruction":
            return -tf.reduce_mean(tf.cast((x - seen) ** 2, tf.float64), (1, 2, 3))
        return tf.cast(tf.reshape(run("D", seen), (-1,)), tf.float64)

    def score_epochs(x: tf.Tensor, *stacks: tf.Tensor) -> tf.Tensor:
        def one_epoch(i: tf.Tensor) -> tf.Tensor:
            now = tf.nest.pack_sequence_as(given, [array[i] for array in stacks])
            if statistics == "batch":
                return score_images(now, x)
            return tf.reshape(_each(lambda images: score_images(now, images), groups), (-1,))

        groups = tf.reshape(x, (-1, group, *x.shape[1:])) if statistics != "batch" else ()
        return _each(one_epoch, tf.range(tf.shape(stacks[0])[0]))

    n, group = len(x), _group()
    if statistics != "batch":
        x = np.pad(x, [(0, -n % group), *[(0, 0)] * 3], "edge")
    arrays = [tf.convert_to_tensor(x), *tf.nest.flatten(given)]
    form = programs.form(*(models[name] for name in PARTS[score]))
    if form is None:
        return score_epochs(*arrays).numpy()[:, :n]
    signature = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays]
    program = programs.shared(
        ("scores of epochs", form, score, statistics, *signature),
        lambda: programs.Program(tf.function(score_epochs, signature, autograph=False), []),
        any_settings=True,
    )
    stacks = arrays[1:]
    few = max(1, CALL_PIXELS // (len(stacks[0]) * group * math.prod(x.shape[1:3]))) * group
    if statistics == "batch":
        few = len(x)
    parts = [program([], x[i : i + few], *stacks) for i in range(0, len(x), few)]
    return np.concatenate(parts, axis=1)[:, :n]


def _group() -> int:
    """Count the images that go through the networks of an epoch together.

    oneDNN sums for each in the same order, whatever its place among them; others may not.
    """
    return 4 if onednn.enabled() and not tf.config.list_logical_devices("GPU") else 1


def _each(function: Callable, x: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(function, x, fn_output_signature=tf.float64, parallel_iterations=TOGETHER)
