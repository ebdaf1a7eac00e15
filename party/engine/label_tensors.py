"""The labels of a batch and their losses, for use inside a compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from party.data.rows import LABELS, WEIGHTS, RowArray, RowNumbers, RowSource
from party.models.losses import TaskLosses


class LabelTensors(NamedTuple):
    """The labels of a batch.

    Attributes:
        labels: labels of the rows, float32 (batch, labels).
        weights: weights of the rows in the training loss of each label, float32 (batch, labels); None where all weigh
            1.
    """

    labels: tf.Tensor
    weights: tf.Tensor | None

    @classmethod
    def of(cls, gathered: Sequence[tf.Tensor]) -> LabelTensors:
        """Makes the labels from what `gather_labels` returned, as a compiled call receives it."""
        return cls(gathered[0], gathered[1] if len(gathered) > 1 else None)

    def plain_losses(self, losses: TaskLosses, outputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Computes the mean loss of each label, every row with weight 1.

        Args:
            losses: losses of the labels.
            outputs: logits by label, float32 (batch, units of the label).

        Returns:
            Scalars in the order of the labels.
        """
        return losses.means(self.labels, outputs, None)

    def weighted_losses(
        self, losses: TaskLosses, outputs: Mapping[str, tf.Tensor], instance_weights: tf.Tensor | None = None
    ) -> list[tf.Tensor]:
        """Computes the mean loss of each label, with the owner's row weights.

        Args:
            losses: losses of the labels.
            outputs: logits by label, float32 (batch, units of the label).
            instance_weights: further factors of the row weights, float32 (batch,); all 1 if omitted.

        Returns:
            Scalars in the order of the labels.
        """
        weights = self.weights
        if instance_weights is not None:
            by_label = tf.ones_like(self.labels) if weights is None else weights
            weights = by_label * instance_weights[:, None]
        return losses.means(self.labels, outputs, weights)


def gather_labels(source: RowSource, rows: RowNumbers) -> list[RowArray]:
    """Gathers the labels of some rows, and their weights if they have any.

    Args:
        source: source of `labels`, and of `weights` where rows have any.
        rows: row numbers of the dataset, int32 (batch,).

    Returns:
        One or two arrays, float32 (batch, labels).
    """
    gathered = source.gather(rows)
    return [gathered[name] for name in (LABELS, WEIGHTS) if name in gathered]
