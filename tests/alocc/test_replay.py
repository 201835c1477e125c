"""The recorded runs of the published program, replayed."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from alocc import keras2, networks
from alocc.replay import replay, tolerance

TRACES = Path(__file__).parent.parent / "traces"
DIM2 = TRACES / "alocc_dim2_float64.npz"  # the smaller
DIM10 = TRACES / "alocc_dim10_float64.npz"  # reaches the clipping of the cross-entropy
PUBLISHED = networks.FIDELITIES["published"]


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
    "cross_entropy_from_logits": {"loss": keras.losses.BinaryCrossentropy},
    "no_gradient_clipping": {
        "optimizer": lambda learning_rate, clipvalue: keras2.RMSprop(learning_rate)
    },
}


def broken(differences):
    return {name for name, value in differences.items() if not value <= tolerance(name)}


@pytest.mark.parametrize("steps_per_execution", [1, "auto"])
@pytest.mark.parametrize("trace", [DIM2, DIM10], ids=lambda path: path.stem)
def test_published_run_replays(trace, steps_per_execution):
    differences = replay(trace, steps_per_execution)
    assert not broken(differences)
    assert sum("_final_" in name for name in differences) == 48


def test_float32_is_the_default_type_again_after_a_replay():
    replay(DIM2, 1)
    assert keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_default_type_is_restored_after_an_error():
    broken_optimizer = replace(PUBLISHED, optimizer=lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replay(DIM2, 1, broken_optimizer)
    assert keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"


@pytest.mark.parametrize("stock", STOCK)
def test_each_behaviour_of_keras_2_is_needed(stock):
    ingredients = replace(PUBLISHED, **STOCK[stock])
    assert broken(replay(DIM10, 1, ingredients))
