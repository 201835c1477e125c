"""An update of ALOCC through the graph door, beside a hand-written graph and Keras's calls."""

import statistics

import numpy as np
import tensorflow as tf

from alocc import networks, training
from benchmarking.timing import by_turns


def alocc(turns: int, n_updates: int = 8) -> list[dict]:
    """Compare ALOCC's graph door with a hand-written graph and with the plain transcription."""
    batch_size, shape, rng = 128, (28, 28, 1), np.random.default_rng(0)
    x = rng.random((n_updates, batch_size, *shape), dtype=np.float32)
    z = np.clip(x + rng.normal(0, 0.155, x.shape), 0, 1).astype(np.float32)
    ones = np.ones((batch_size, 1), np.float32)

    def build():
        models = networks.combine(
            networks.build_generator(shape, seed=0), networks.build_discriminator(shape, seed=0)
        )
        networks.compile_models(models)
        return models

    def plain():
        models = build()

        def epoch():
            for real, noisy in zip(x, z):
                fake = models.generator.predict(noisy, verbose=0)
                models.discriminator.train_on_batch(real, ones)
                models.discriminator.train_on_batch(fake, 0 * ones)
                for _ in range(2):
                    models.adversarial_model.train_on_batch(noisy, [real, ones])

        return epoch

    def hand_written():
        models = build()
        R, D, optimizer = models.generator, models.discriminator, models.discriminator.optimizer

        def cross_entropy(y, p):
            p = tf.clip_by_value(p, 1e-7, 1 - 1e-7)
            return -tf.reduce_mean(y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))

        def step(loss, variables):
            with tf.GradientTape() as tape:
                value = loss()
            optimizer.apply(tape.gradient(value, variables), variables)
            return value

        @tf.function
        def graph(x, z):
            losses = tf.TensorArray(tf.float32, tf.shape(x)[0])
            for i in tf.range(tf.shape(x)[0]):
                fake = R(z[i], training=False)
                real_loss = step(
                    lambda i=i: cross_entropy(ones, D(x[i], training=True)), D.trainable_variables
                )
                fake_loss = step(
                    lambda fake=fake: cross_entropy(0 * ones, D(fake, training=True)),
                    D.trainable_variables,
                )

                def adversarial(i=i):
                    reconstruction = R(z[i], training=True)
                    validity = cross_entropy(ones, D(reconstruction, training=True))
                    return 0.2 * cross_entropy(x[i], reconstruction) + validity

                for _ in range(2):
                    total = step(adversarial, R.trainable_variables)
                losses = losses.write(i, tf.stack([real_loss, fake_loss, total]))
            return losses.stack()

        return lambda: graph(x, z).numpy()

    door = training.fused(build(), batch_size)
    sides = {"ours": lambda: door(x, z).numpy(), "hand": hand_written(), "plain": plain()}
    by_turns(sides, 1)  # traces and first calls
    times = by_turns(sides, 3 * turns)
    ratio = {
        name: statistics.median(other / mine for other, mine in zip(times[name], times["ours"]))
        for name in ("hand", "plain")
    }
    return [
        {
            "figure": "ALOCC, 28 x 28, batch 128: one update",
            "graph_ms": 1000 * statistics.median(times["ours"]) / n_updates,
            "hand_written_ms": 1000 * statistics.median(times["hand"]) / n_updates,
            "plain_ms": 1000 * statistics.median(times["plain"]) / n_updates,
            "ours_to_hand_written": 1 / ratio["hand"],
            "plain_to_ours": ratio["plain"],
            "goal": "<= 1.1, > 1",
        }
    ]
