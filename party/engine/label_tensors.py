"""The labels of a batch and their losses, for use inside a compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from party.data.rows import KNOWN, LABELS, WEIGHTS, RowArray, RowNumbers, RowSource
from party.models.losses import TaskLosses

_GATHERED = 3  # arrays at most


class LabelTensors(NamedTuple):
    """The labels of a batch.

    Attributes:
        labels: labels of the rows, float32 (batch, labels).
        weights: weights of the rows in the training loss of each label, float32 (batch, labels); None where all weigh
            1.
        known: which rows have all labels, bool (batch,); None where all of the dataset have.
    """

    labels: tf.Tensor
    weights: tf.Tensor | None
    known: tf.Tensor | None = None

    @classmethod
    def of(cls, gathered: Sequence[tf.Tensor]) -> LabelTensors:
        """Makes the labels from what `gather_labels` returned, as a compiled call receives it."""
        labels, weights, known = (*gathered, None, None)[:_GATHERED]
        return cls(labels, weights, None if known is None else known > 0)

    def of_known(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The rows of some tensors that have all labels.

        Args:
            tensors: tensors by name, (batch, ...).
        """
        if self.known is None:
            return dict(tensors)
        return {name: tf.boolean_mask(tensor, self.known) for name, tensor in tensors.items()}

    def plain_losses(self, losses: TaskLosses, outputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Computes the mean loss of each label over the rows that have all, each with weight 1.

        Args:
            losses: losses of the labels.
            outputs: logits by label of these rows, as `of_known` chooses them, float32 (known, units of the label).

        Returns:
            Scalars in the order of the labels.
        """
        labels = self.labels if self.known is None else tf.boolean_mask(self.labels, self.known)
        return losses.means(labels, outputs, None)

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
    """Gathers the labels of some rows, their weights if they have any, and which are known if not all are.

    Args:
        source: source of `labels`, as `label_rows` makes one.
        rows: row numbers of the dataset, int32 (batch,).

    Returns:
        One to three arrays, float32 (batch, labels), the third float32 (batch,).
    """
    gathered = source.gather(rows)
    return [gathered[name] for name in (LABELS, WEIGHTS, KNOWN) if name in gathered]
