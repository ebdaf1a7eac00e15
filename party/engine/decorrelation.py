"""The penalty on hiddens that go with certain columns: a hindrance to whoever infers these, without any guarantee."""

from __future__ import annotations

import tensorflow as tf

from party.cut.hidden import Rows
from party.data.rows import RowArray, RowSource
from party.models.distance_correlation import distance_correlation

GROUPS = "groups"
SAMPLE_ROWS = 256  # of a batch, whose rows are in random order: the cost grows with their square


class Decorrelation:
    """Adds a part of the distance correlation to the loss of a base model in training.

    Args:
        source: source of `groups`, the number of each row's group in each column, int32 (batch, columns).
        weight: factor of the distance correlation.

    Reference:
        Vepakomma et al., "NoPeek: Information leakage reduction to share activations in distributed deep learning",
        ICDM Workshops 2020.
    """

    def __init__(self, source: RowSource, weight: float) -> None:
        self._source = source
        self._weight = weight

    def gather(self, rows: Rows) -> RowArray:
        """Gathers the groups of the rows of a batch that the penalty looks at.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            int32 (at most SAMPLE_ROWS, columns).
        """
        return self._source.gather(rows[:SAMPLE_ROWS])[GROUPS]

    def penalty(self, hiddens: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
        """Computes the penalty; for use inside a compiled call.

        Args:
            hiddens: hiddens of the batch, float32 (batch, columns).
            groups: what `gather` returned for it.

        Returns:
            A scalar, float32.
        """
        return self._weight * distance_correlation(hiddens[:SAMPLE_ROWS], groups)
