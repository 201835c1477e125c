"""The recorded runs of the published program, replayed."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from alocc import keras2, networks, tensorflow1, training
from alocc.replay import replay, replay_authors, tolerance

TRACES = Path(__file__).parent.parent / "traces"
DIM2 = TRACES / "alocc_dim2_float64.npz"  # the smaller
DIM10 = TRACES / "alocc_dim10_float64.npz"  # reaches the clipping of the cross-entropy
AUTHORS_DIM4 = TRACES / "alocc_authors_dim4_float64.npz"
AUTHORS_GRAPH = TRACES / "alocc_authors_graph_float64.npz"  # of the authors' own graph
PUBLISHED = networks.FIDELITIES["published"]
AUTHORS = networks.FIDELITIES["authors"]


@keras.saving.register_keras_serializable(package="tests")
class UndebiasedBatchNormalization(keras2.BatchNormalization):
    """Keras 3's moving statistics, in everything else Keras 2's layer."""

    def _track(self, mean, variance):
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        self.updates.assign_add(1.0)


@keras.saving.register_keras_serializable(package="tests")
class UncorrectedBatchNormalization(keras2.BatchNormalization):
    """The batch's variance enters the moving one as it is, in everything else Keras 2's layer."""

    def call(self, inputs, training=None, mask=None):
        self.m = float(np.prod(inputs.shape[:-1]))
        return super().call(inputs, training=training)

    def _track(self, mean, variance):
        m = self.m
        super()._track(mean, variance / (m / (m - 1) * m / (m - (1 + self.epsilon))))


STOCK = {
    "frozen_discriminator_on_moving_statistics": {"frozen_statistics": "moving"},
    "discriminator_statistics_tracked": {
        "discriminator_normalization": keras.layers.BatchNormalization
    },
    "generator_statistics_not_debiased": {"generator_normalization": UndebiasedBatchNormalization},
    "generator_variance_not_corrected": {"generator_normalization": UncorrectedBatchNormalization},
    "generator_normalization_stock": {"generator_normalization": keras.layers.BatchNormalization},
    "epsilon_inside_the_root": {"optimizer": keras.optimizers.RMSprop},
    "cross_entropy_from_logits": {
        "reconstruction_loss": keras.losses.BinaryCrossentropy,
        "validity_loss": keras.losses.BinaryCrossentropy,
    },
    "no_gradient_clipping": {
        "optimizer": lambda learning_rate, clipvalue: keras2.RMSprop(learning_rate)
    },
}


def broken(differences):
    return {name for name, value in differences.items() if not value <= tolerance(name)}


@pytest.mark.parametrize(
    ("trace", "steps_per_execution"),
    [(DIM10, "auto"), pytest.param(DIM10, 1, marks=pytest.mark.slow)],
    ids=lambda value: getattr(value, "stem", value),
)
def test_published_run_replays(trace, steps_per_execution):
    # DIM2 does so in the tests of scripts/replay.py, by both doors.
    differences = replay(trace, steps_per_execution)
    assert not broken(differences)
    assert sum("_final_" in name for name in differences) == 48
    assert keras.config.floatx() == "float32"  # again
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_default_type_is_restored_after_an_error():
    broken_optimizer = replace(PUBLISHED, optimizer=lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replay(DIM2, 1, broken_optimizer)
    assert keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"


@pytest.mark.parametrize(
    "stock",
    [
        name if name == "cross_entropy_from_logits" else pytest.param(name, marks=pytest.mark.slow)
        for name in STOCK
    ],
)
def test_each_behaviour_of_keras_2_is_needed(stock):
    ingredients = replace(PUBLISHED, **STOCK[stock])
    assert broken(replay(DIM10, 1, ingredients))


@pytest.mark.parametrize(
    ("trace", "steps_per_execution"),
    [
        (AUTHORS_DIM4, 1),
        pytest.param(AUTHORS_DIM4, "auto", marks=pytest.mark.slow),
        pytest.param(AUTHORS_GRAPH, 1, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "stem", value),
)
def test_authors_run_replays(trace, steps_per_execution):
    differences = replay_authors(trace, steps_per_execution)
    assert not broken(differences)
    assert sum(name.startswith("losses/") for name in differences) == 11
    assert sum(name.startswith("final/") for name in differences) == 54


class UnorderedDiscriminatorModel(networks.DiscriminatorModel):
    """Moves D's statistics by the reconstructed images first, also where it trains."""

    def call(self, inputs, training=None, fake_first=True):
        return super().call(inputs, training=training, fake_first=True)


def clean_target(networks, door, x, z):
    """Have R reconstruct the clean image."""

    def of_clean(step):
        def made(model, inputs, y):
            target = [x, y[1]] if model is networks.adversarial_model else y
            return step(model, inputs, target)

        return made

    door = training.Door(of_clean(door.train), of_clean(door.test))
    return training.authors_update(networks, door, x, z)


def nothing_printed(networks, door, x, z):
    """Leave out the passes that only print."""

    def silent(model, inputs, y):
        return dict.fromkeys(["loss", "real_loss", "fake_loss"], 0.0)

    return training.authors_update(networks, training.Door(door.train, silent), x, z)


def two_steps_of_d(networks, door, x, z):
    """Have D take a step on real images and another on reconstructed ones."""

    def train(model, inputs, y):
        if model is not networks.discriminator_model:
            return door.train(model, inputs, y)
        fake = networks.generator(inputs[1], training=True)
        real = door.train(networks.discriminator, inputs[0], y[0])["loss"]
        return {
            "real_loss": real,
            "fake_loss": door.train(networks.discriminator, fake, y[1])["loss"],
        }

    return training.authors_update(networks, training.Door(train, door.test), x, z)


def algorithm(update):
    return {"algorithm": training.Algorithm(update, training.ALGORITHMS["authors"].losses)}


def ingredients(**changes):
    return {"ingredients": replace(AUTHORS, **changes)}


@keras.saving.register_keras_serializable(package="tests")
class SilentBatchNormalization(tensorflow1.BatchNormalization):
    """Tracks no statistics, as the port's D."""

    def call(self, inputs, training=None, mask=None):
        moving = self.moving_mean + 0.0, self.moving_variance + 0.0
        outputs = super().call(inputs, training=training)
        for variable, value in zip((self.moving_mean, self.moving_variance), moving):
            variable.assign(value)
        return outputs


def both_normalizations(layer):
    return ingredients(generator_normalization=layer, discriminator_normalization=layer)


DEPARTURES = {
    "sigmoid": ingredients(
        reconstruction_activation="sigmoid",
        reconstruction_loss=keras.losses.BinaryCrossentropy,
    ),
    "clean_target": algorithm(clean_target),
    "two_steps_of_d": algorithm(two_steps_of_d),
    "nothing_printed": algorithm(nothing_printed),
    "accumulators_from_zero": ingredients(
        optimizer=partial(keras.optimizers.RMSprop, epsilon=1e-10)
    ),
    "epsilon": ingredients(optimizer=partial(tensorflow1.RMSProp, epsilon=1e-7)),
    "statistics_not_moved": ingredients(discriminator_normalization=SilentBatchNormalization),
    "frozen_d": ingredients(frozen_statistics="moving"),
    "slope": ingredients(leaky_relu=partial(tensorflow1.LeakyReLU, 0.3)),
    "slope_at_zero": ingredients(leaky_relu=partial(keras.layers.LeakyReLU, 0.2)),
    "clipping": {"clipvalue": 1.0},
    "momentum": both_normalizations(partial(tensorflow1.BatchNormalization, momentum=0.99)),
    "epsilon_of_normalization": both_normalizations(
        partial(tensorflow1.BatchNormalization, epsilon=1e-3)
    ),
    "order_of_statistics": {"discriminator_model": UnorderedDiscriminatorModel},
}


@pytest.mark.slow
@pytest.mark.parametrize("departure", DEPARTURES)
def test_each_departure_of_the_port_breaks_the_authors_record(departure, monkeypatch):
    changes = dict(DEPARTURES[departure])
    if "discriminator_model" in changes:
        monkeypatch.setattr(networks, "DiscriminatorModel", changes.pop("discriminator_model"))
    assert broken(replay_authors(AUTHORS_DIM4, 1, **changes))
