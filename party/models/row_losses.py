"""The losses of a session's rows."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from party.data.labels import LabelArrays
from party.models.losses import TaskLosses


class RowLosses:
    """Looks up labels and weights by row number, inside a compiled call.

    Args:
        losses: of the labels.
        arrays: labels of all rows of the session's dataset.
    """

    def __init__(self, losses: TaskLosses, arrays: LabelArrays) -> None:
        self._losses = losses
        self._labels = tf.constant(arrays.values)
        self._weights = None if arrays.weights is None else tf.constant(arrays.weights)

    def plain(self, rows: tf.Tensor, outputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Mean loss of each label, every row weighing 1.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            outputs: logits by label, float32 (batch, units of the label).

        Returns:
            Scalars in the order of the labels.
        """
        return self._losses.means(tf.gather(self._labels, rows), outputs, None)

    def weighted(
        self, rows: tf.Tensor, outputs: Mapping[str, tf.Tensor], instance_weights: tf.Tensor | None = None
    ) -> list[tf.Tensor]:
        """Mean loss of each label, rows weighing what their owner says.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            outputs: logits by label, float32 (batch, units of the label).
            instance_weights: to multiply that with, float32 (batch,).

        Returns:
            Scalars in the order of the labels.
        """
        labels = tf.gather(self._labels, rows)
        weights = None if self._weights is None else tf.gather(self._weights, rows)
        if instance_weights is not None:
            by_label = tf.ones_like(labels) if weights is None else weights
            weights = by_label * instance_weights[:, None]
        return self._losses.means(labels, outputs, weights)
