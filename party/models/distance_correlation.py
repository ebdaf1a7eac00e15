"""The distance correlation of a batch's hiddens and the groups that its rows belong to."""

from __future__ import annotations

import tensorflow as tf

# Squared distances below this part of their mean count as 0: float32 knows them no better, and the root has no
# derivative there.
NEGLIGIBLE = 1e-6


def distance_correlation(hiddens: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
    """Computes the distance correlation of hiddens with the one-hot codes of some columns.

    Two rows whose one-hot codes differ in d columns are √(2 d) apart, so the codes need not be written out.

    Args:
        hiddens: float (rows, columns).
        groups: number of each row's group in each column, int (rows, columns).

    Returns:
        From 0 to 1, a scalar of the type of the hiddens; 0 where all hiddens or all groups are equal.

    Reference:
        Székely, Rizzo and Bakirov, "Measuring and testing dependence by correlation of distances", Annals of
        Statistics 2007, definitions 4 and 5.
    """
    differing = tf.reduce_sum(tf.cast(groups[:, None, :] != groups[None, :, :], hiddens.dtype), axis=-1)
    one, other = _centred(_distances(hiddens)), _centred(tf.sqrt(2.0 * differing))
    covariance = tf.reduce_mean(one * other)
    variances = tf.reduce_mean(one * one) * tf.reduce_mean(other * other)
    return _root(tf.math.divide_no_nan(tf.maximum(covariance, 0.0), _root(variances, 0.0)), 0.0)


def _distances(points: tf.Tensor) -> tf.Tensor:
    """Euclidean distances between rows, (rows, rows)."""
    centred = points - tf.reduce_mean(points, axis=0)  # loses fewer digits
    products = tf.matmul(centred, centred, transpose_b=True)
    squares = tf.linalg.diag_part(products)
    squared = squares[:, None] + squares[None, :] - 2.0 * products
    return _root(squared, NEGLIGIBLE * tf.reduce_mean(squares))


def _root(numbers: tf.Tensor, floor: tf.Tensor | float) -> tf.Tensor:
    """Square roots; 0, also as derivative, where a number is not above the floor."""
    above = numbers > floor
    return tf.where(above, tf.sqrt(tf.where(above, numbers, tf.ones_like(numbers))), tf.zeros_like(numbers))


def _centred(distances: tf.Tensor) -> tf.Tensor:
    """Distances less the means of their row and column, plus the mean of all."""
    rows = tf.reduce_mean(distances, axis=1, keepdims=True)
    return distances - rows - tf.transpose(rows) + tf.reduce_mean(rows)
