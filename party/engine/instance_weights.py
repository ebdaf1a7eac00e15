"""Instance weights: how much a row of an earlier batch counts in a local step."""

from __future__ import annotations

import tensorflow as tf


class InstanceWeights:
    """Weighs rows by the cosine between the exchanged values and those of the present weights.

    Args:
        minimum_cosine: rows below it get weight 0; if None, every row gets weight 1.

    Reference:
        Fu et al., "Towards Communication-efficient Vertical Federated Learning Training via Cache-enabled Local
        Updates", PVLDB 15(10), 2022, section 4.2.
    """

    def __init__(self, minimum_cosine: float | None = None) -> None:
        self._minimum_cosine = minimum_cosine

    def __call__(self, present: tf.Tensor, exchanged: tf.Tensor) -> tf.Tensor:
        """Computes the weights of a batch's rows; for use inside a compiled call.

        Args:
            present: values with the present weights, hiddens or gradients, float32 (rows, columns).
            exchanged: values of the same rows from their exchange, float32 (rows, columns).

        Returns:
            Weights from 0 to 1, float32 (rows,), without a gradient; 0 where a row of either is zero.
        """
        if self._minimum_cosine is None:
            return tf.ones((tf.shape(present)[0],))
        cosines = tf.reduce_sum(_directions(present) * _directions(exchanged), axis=1)
        # Rounding may make a cosine slightly larger than 1.
        weights = tf.where(cosines < self._minimum_cosine, tf.zeros_like(cosines), tf.minimum(cosines, 1.0))
        return tf.stop_gradient(weights)


def _directions(rows: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(rows, tf.norm(rows, axis=1, keepdims=True))
