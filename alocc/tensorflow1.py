"""What the program of ALOCC's authors did in TensorFlow 1, where today's Keras does otherwise.

Two layers, an optimizer, a loss and a pass. Each is its stock namesake with the one calculation
replaced in which the two differ.
"""

import keras
import tensorflow as tf
from keras import ops

from gaal_alocc import distribution
from gaal_alocc.optimizers import Reusable


@keras.saving.register_keras_serializable(package="alocc.tensorflow1")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation by each pass's own statistics, which also move the tracked ones.

    In training every pass of the layer moves the statistics,

        moving <- moving - (1 - momentum) * (moving - value),

    whichever model the pass is made for: D's are moved by real and by reconstructed images in
    turn, and by those that R alone learns from. The variance is the biased one, in
    normalising and in moving. Where a batch is divided over replicas, its statistics are
    those of the whole.

    Parameters
    ----------
    momentum : float, default=0.9
        In (0, 1); TensorFlow's decay.
    epsilon : float, default=1e-5
        Added to the variance.
    **kwargs
        As of ``keras.layers.BatchNormalization``.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not training:
            return super().call(inputs, training=False)
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        axes = [axis for axis in range(x.ndim) if axis != self.axis % x.ndim]
        mean, variance, _ = distribution.moments(x, axes)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign_sub((moving - value) * (1 - self.momentum))
        outputs = ops.batch_normalization(
            x, mean, variance, self.axis, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, self.compute_dtype)


@keras.saving.register_keras_serializable(package="alocc.tensorflow1")
class LeakyReLU(keras.layers.LeakyReLU):
    """max(x, negative_slope * x), whose slope at 0 is 1; Keras's there is ``negative_slope``.

    D's first convolution has no normalisation behind it: on MNIST's black, with its initial
    bias of 0, nearly all it gives is exactly 0.

    Parameters
    ----------
    negative_slope : float, default=0.2
        Below 1.
    **kwargs
        As of ``keras.layers.LeakyReLU``.
    """

    def __init__(self, negative_slope: float = 0.2, **kwargs) -> None:
        super().__init__(negative_slope, **kwargs)

    def call(self, inputs):
        return ops.maximum(inputs, self.negative_slope * inputs)


@keras.saving.register_keras_serializable(package="alocc.tensorflow1")
class RMSProp(Reusable, keras.optimizers.RMSprop):
    """RMSprop whose mean squares start at 1; Keras's start at 0.

    a <- rho * a + (1 - rho) * g^2;  p <- p - lr * g / sqrt(a + epsilon). So the first steps
    are nearly those of plain gradient descent at the rate lr, and only when rho^n has fallen
    to g^2 do they reach RMSprop's length of about lr.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, default=0.001
        lr.
    rho : float, default=0.9
        Decay of the mean square.
    epsilon : float, default=1e-10
        Within the root.
    **kwargs
        As of ``keras.optimizers.RMSprop``.
    """

    def __init__(self, learning_rate=0.001, rho=0.9, epsilon=1e-10, **kwargs) -> None:
        super().__init__(learning_rate, rho=rho, epsilon=epsilon, **kwargs)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        for mean_square in self._velocities:
            mean_square.assign(ops.ones_like(mean_square))


@keras.saving.register_keras_serializable(package="alocc.tensorflow1")
class SigmoidCrossEntropy(keras.losses.Loss):
    """Mean of max(l, 0) - l t + log(1 + exp(-abs(l))) over all elements, l being a logit.

    The authors take it of D's logit, and also of R's tanh, for a logit, against the noisy
    image. There it cannot fall below log(1 + 1/e) = 0.313 a pixel, is log(2) = 0.693 at R = 0,
    and alone would push R to -1 where the image is black and to 1 where it is white. The formula is
    taken as it stands, so that its slope at l = 0 is 1 - t; R starts with pixels of exactly 0.

    Parameters
    ----------
    name : str, default="sigmoid_cross_entropy"
        Name of the loss.
    **kwargs
        As of ``keras.losses.Loss``.
    """

    def __init__(self, name: str = "sigmoid_cross_entropy", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        rest = ops.log1p(ops.exp(-ops.abs(y_pred)))
        return ops.mean(ops.maximum(y_pred, 0) - y_pred * y_true + rest, axis=-1)


def printed_step(model: keras.Model, data: tuple, **how) -> dict:
    """Keras's ``test_step``, but normalising, and moving statistics, as in training.

    The authors' graph has one phase only: what it computes for the losses that it prints is a
    pass like any other.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    data : tuple
        x, y and, where there are any, sample weights.
    **how
        Further arguments of the model's ``call``.

    Returns
    -------
    dict of str to Tensor
        The logs.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    y_pred = model(x, training=True, **how)
    # By training=False Keras only leaves penalties out, of which these models have none.
    loss = model.compute_loss(x, y, y_pred, sample_weight, training=False)
    logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    # Keras divides the loss by the replicas, over which it adds the gradients up.
    return {**logs, "loss": loss * tf.distribute.get_strategy().num_replicas_in_sync}
