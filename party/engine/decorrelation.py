"""The penalty on hiddens that go with certain columns: a hindrance to whoever infers these, without any guarantee."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from party.cut.hidden import Rows
from party.data.rows import RowArray, RowSource
from party.models.distance_correlation import distance_correlation

GROUPS = "groups"
SAMPLE_ROWS = 256  # of a batch: the cost grows with their square


class Decorrelation:
    """Adds a part of the distance correlation to the loss of a base model in training.

    Args:
        source: source of `groups`, the number of each row's group in each column, int32 (batch, columns).
        weight: factor of the distance correlation.
        spread: whether the rows that it looks at are spread over the batch, as entities in ascending order need it;
            otherwise they are the first ones of a batch in random order.

    Reference:
        Vepakomma et al., "NoPeek: Information leakage reduction to share activations in distributed deep learning",
        ICDM Workshops 2020.
    """

    def __init__(self, source: RowSource, weight: float, *, spread: bool = False) -> None:
        self._source = source
        self._weight = weight
        self._spread = spread

    def gather(self, rows: Rows) -> RowArray:
        """Gathers the groups of the rows of a batch that the penalty looks at.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            int32 (at most SAMPLE_ROWS, columns).
        """
        sampled = rows[:SAMPLE_ROWS]
        if self._spread:
            sampled = rows[np.arange(len(sampled)) * len(rows) // max(1, len(sampled))]
        return self._source.gather(sampled)[GROUPS]

    def penalty(self, hiddens: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
        """Computes the penalty; for use inside a compiled call.

        Args:
            hiddens: hiddens of the batch, float32 (batch, columns).
            groups: what `gather` returned for it.

        Returns:
            A scalar, float32.
        """
        sampled = hiddens[:SAMPLE_ROWS]
        if self._spread:
            count = tf.shape(groups)[0]
            sampled = tf.gather(hiddens, tf.range(count) * tf.shape(hiddens)[0] // tf.maximum(1, count))
        return self._weight * distance_correlation(sampled, groups)
