"""What the optimizers of both packages need so that runs can share a traced program.

Keras's optimizers with two things changed: nothing is kept of a run that has ended, and the
learning rate and its decay are no part of what is traced.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="gaal_alocc")
class InverseTimeDecay(keras.optimizers.schedules.InverseTimeDecay):
    """Keras's schedule, lr / (1 + decay * t), with its two numbers in a variable.

    A program that was traced with it runs with the variable of another.

    Parameters
    ----------
    initial_learning_rate : float
        lr.
    decay_rate : float
        decay.
    dtype : str, default="float32"
        In which the rate is computed.
    name : str, default="InverseTimeDecay"
        As Keras's.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_rate: float,
        dtype: str = "float32",
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(
            float(initial_learning_rate), decay_steps=1, decay_rate=float(decay_rate), name=name
        )
        self.rates = tf.Variable(
            [self.initial_learning_rate, self.decay_rate], dtype=dtype, trainable=False
        )

    def __call__(self, step):
        learning_rate, decay = tf.unstack(self.rates)
        return learning_rate / (1 + decay * tf.cast(step, self.rates.dtype))

    def go_on_from(self, learning_rate: float, step: int) -> None:
        """Have the rate at this step be another, from which it decays on."""
        self.initial_learning_rate = float(learning_rate) * (1 + self.decay_rate * step)
        self.rates.assign([self.initial_learning_rate, self.decay_rate])

    def get_config(self) -> dict:
        config = super().get_config()
        del config["decay_steps"], config["staircase"]
        return {**config, "dtype": self.rates.dtype.name}


class Reusable:
    """Mixin before a Keras optimizer that runs one after the other share in a traced program.

    Keras has gradients summed over the replicas also where there is but one. TensorFlow notes
    the gradient of that sum in a registry that it never empties, and with it the whole graph.
    Nor does it ever forget a name under which it has made a variable, so optimizers have one
    name for all runs. Of several replicas Keras would clip each one's share of a gradient; here it
    is their sum, the gradient of the whole batch, that is clipped.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **{"name": type(self).__name__.lower(), **kwargs})

    def _clip_gradients(self, gradients):
        return super()._clip_gradients(gradients) if _one_replica() else gradients

    def _all_reduce_sum_gradients(self, grads_and_vars):
        if _one_replica():
            return grads_and_vars
        gradients, variables = zip(*super()._all_reduce_sum_gradients(grads_and_vars))
        return list(zip(super()._clip_gradients(gradients), variables))

    @property
    def learning_rate(self):
        """That of the next update. Where it decays it may be set too, and decays on from there."""
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(self._learning_rate, InverseTimeDecay) and not callable(learning_rate):
            self._learning_rate.go_on_from(learning_rate, int(self.iterations))
        else:
            super(Reusable, type(self)).learning_rate.fset(self, learning_rate)

    @property
    def rates(self) -> list[tf.Variable]:
        """The variables of its own :class:`~gaal_alocc.optimizers.InverseTimeDecay`, if any."""
        schedule = self._learning_rate
        return [schedule.rates] if isinstance(schedule, InverseTimeDecay) else []


def _one_replica() -> bool:
    return tf.distribute.get_strategy().num_replicas_in_sync == 1


@keras.saving.register_keras_serializable(package="gaal_alocc")
class SGD(Reusable, keras.optimizers.SGD):
    """Keras's SGD."""


@keras.saving.register_keras_serializable(package="gaal_alocc")
class RMSprop(Reusable, keras.optimizers.RMSprop):
    """Keras's RMSprop."""
