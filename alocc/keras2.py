"""What Keras 2 did, and Keras 3 no longer does, where ALOCC's published numbers depend on it.

A layer, an optimizer and a loss. Each is its stock namesake with the one calculation replaced
in which the two differ.
"""

import math

import keras
from keras import ops

from gaal_alocc import distribution
from gaal_alocc.optimizers import Reusable


@keras.saving.register_keras_serializable(package="alocc")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation, as in Keras 2.2 on TensorFlow 1.

    In training it normalises with the batch's own mean and variance even where it is frozen;
    Keras 3 would run a frozen layer on its moving statistics. The moving statistics are
    zero-debiased: after t batches they are

        (1 - momentum) * sum_i momentum^(t - i) * value_i / (1 - momentum^t),

    so that the first batch replaces the initial 0 and 1 altogether. The variance enters twice
    corrected, by m / (m - 1) in TensorFlow's kernel and by m / (m - (1 + epsilon)) in Keras,
    for m = rows * height * width. Where a batch is divided over replicas, its statistics are
    those of the whole.

    Parameters
    ----------
    momentum : float, default=0.99
        In (0, 1).
    epsilon : float, default=0.001
        Added to the variance.
    track_statistics : bool, default=True
        False leaves the moving statistics at 0 and 1 for good. So it went with the published
        discriminator: by the time its train function was built it had been frozen for the
        adversarial model, and the updates of a frozen model are dropped.
    **kwargs
        As of ``keras.layers.BatchNormalization``.
    """

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        track_statistics: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        self.track_statistics = track_statistics

    def build(self, input_shape):
        super().build(input_shape)
        if self.track_statistics:
            # t. A float, as a GPU keeps no integer variables.
            self.updates = self.add_weight(
                shape=(), name="updates", initializer="zeros", trainable=False, autocast=False
            )

    def call(self, inputs, training=None, mask=None):
        if not training:
            return super().call(inputs, training=False)
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        axes = [axis for axis in range(x.ndim) if axis != self.axis % x.ndim]
        mean, variance, m = distribution.moments(x, axes)
        if self.track_statistics and self.trainable:
            self._track(mean, variance * (m / (m - 1)) * (m / (m - (1 + self.epsilon))))
        outputs = ops.batch_normalization(
            x, mean, variance, self.axis, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, self.compute_dtype)

    def _track(self, mean, variance) -> None:
        self.updates.assign_add(1.0)
        # The biased sum itself need not be kept: with this weight the step from one debiased
        # mean to the next is exact. expm1, for 1 - 0.99^t loses digits in float32.
        log_momentum = ops.convert_to_tensor(math.log(self.momentum), self.updates.dtype)
        weight = (1 - self.momentum) / -ops.expm1(self.updates * log_momentum)
        self.moving_mean.assign_add((mean - self.moving_mean) * weight)
        self.moving_variance.assign_add((variance - self.moving_variance) * weight)

    def get_config(self):
        return {**super().get_config(), "track_statistics": self.track_statistics}


@keras.saving.register_keras_serializable(package="alocc")
class RMSprop(Reusable, keras.optimizers.RMSprop):
    """RMSprop that divides by sqrt(a) + epsilon; Keras 3 divides by sqrt(a + epsilon).

    a <- rho * a + (1 - rho) * g^2;  p <- p - lr * g / (sqrt(a) + epsilon). Where gradients are
    small, as here where they go back through a saturated D, the published steps are longer.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, default=0.001
        lr.
    rho : float, default=0.9
        Decay of the mean square.
    epsilon : float, default=1e-7
        Outside of the root.
    **kwargs
        As of ``keras.optimizers.RMSprop``, but neither momentum nor centered.

    Raises
    ------
    ValueError
        If momentum or centered is asked for.
    """

    def __init__(self, learning_rate=0.001, rho=0.9, epsilon=1e-7, **kwargs) -> None:
        super().__init__(learning_rate, rho=rho, epsilon=epsilon, **kwargs)
        if self.momentum or self.centered:
            raise ValueError(
                f"Keras 2's RMSprop has neither momentum nor centered; got"
                f" momentum={self.momentum}, centered={self.centered}."
            )

    def update_step(self, gradient, variable, learning_rate):
        a = self._velocities[self._get_variable_index(variable)]
        lr = ops.cast(learning_rate, variable.dtype)
        g = ops.cast(gradient, variable.dtype)
        self.assign(a, self.rho * a + (1 - self.rho) * ops.square(g))
        self.assign_sub(variable, lr * g / (ops.sqrt(a) + self.epsilon))


@keras.saving.register_keras_serializable(package="alocc")
class BinaryCrossentropy(keras.losses.Loss):
    """Mean binary cross-entropy of a probability clipped to [1e-7, 1 - 1e-7].

    The clip is a hard one: where a probability saturates no gradient flows. Keras 3 finds the
    sigmoid that made the probability, goes back to its logits and lets the gradient through.

    Parameters
    ----------
    name : str, default="binary_crossentropy"
        Name of the loss.
    **kwargs
        As of ``keras.losses.Loss``.
    """

    def __init__(self, name: str = "binary_crossentropy", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        eps = keras.config.epsilon()
        # Clipped here, the probability no longer shows Keras its sigmoid.
        return keras.losses.binary_crossentropy(y_true, ops.clip(y_pred, eps, 1 - eps))
