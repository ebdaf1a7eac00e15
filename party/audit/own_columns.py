"""The attacker's own columns as a sparse matrix: what it knows without a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from party.data.encoders import EncodedFeature

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """Encoded features of all rows, one after the other.

    Attributes:
        indices: columns that a row has, int64 (rows, slots).
        values: their values, float64 (rows, slots); 0 where a slot is empty.
        size: number of columns.
    """

    indices: Ints
    values: Floats
    size: int

    def __len__(self) -> int:
        return len(self.indices)

    def times(self, weights: Floats) -> Floats:
        """The product with weights by column, float64 (columns,); one value for each row."""
        products: Floats = np.einsum("rs,rs->r", self.values, weights[self.indices])
        return products

    def transposed_times(self, factors: Floats) -> Floats:
        """The product of the transposed matrix with factors by row, float64 (rows,); one value for each column."""
        weights = self.values * factors[:, None]
        sums = np.bincount(self.indices.ravel(), weights.ravel(), minlength=self.size)
        return sums.astype(np.float64, copy=False)

    def take(self, rows: Ints) -> OwnColumns:
        """The matrix with rows chosen and ordered."""
        return OwnColumns(self.indices[rows], self.values[rows], self.size)

    def dense(self) -> Floats:
        """The matrix with all its zeros, float64 (rows, columns)."""
        matrix = np.zeros((len(self), self.size))
        np.add.at(matrix, (np.arange(len(self))[:, None], self.indices), self.values)
        return matrix


def own_columns(features: Sequence[EncodedFeature]) -> OwnColumns:
    """Puts encoded features side by side.

    Args:
        features: at least one feature, all of the same rows.
    """
    starts = np.cumsum([0, *(feature.size for feature in features)])
    indices = [feature.indices.astype(np.int64) + start for feature, start in zip(features, starts, strict=False)]
    return OwnColumns(
        np.concatenate(indices, axis=1),
        np.concatenate([feature.values for feature in features], axis=1).astype(np.float64),
        int(starts[-1]),
    )
