"""Rows of a pass in groups, such as the rows of one user, each ranked by itself."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

NO_GROUP = -1  # of a row whose cell is empty

FloatsOfRows = npt.NDArray[np.floating]
Groups = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class RankedGroups:
    """The rows of each group, from the highest score to the lowest; tied rows of a group are one block.

    Rows of NO_GROUP are left out. What follows from it does not depend on the order in which the rows come: figures of
    tied rows are their expectation over all orders of these rows.

    Args:
        scores: any monotone function of the probability, float (rows,).
        labels: 0 or 1, float (rows,).
        groups: number of each row's group, int32 (rows,).
    """

    def __init__(self, scores: FloatsOfRows, labels: FloatsOfRows, groups: Groups) -> None:
        grouped = np.flatnonzero(groups != NO_GROUP)
        order = grouped[np.lexsort((-scores[grouped], groups[grouped]))]
        self._group = groups[order]
        self._score = scores[order]
        self._positive: Ints = (labels[order] > 0).astype(np.int64)

    @cached_property
    def _starts(self) -> Ints:
        """The place of the first row of each group, int64 (groups,)."""
        return _first_places(self._group[1:] != self._group[:-1], len(self._group))

    @cached_property
    def _block_starts(self) -> Ints:
        """The place of the first row of each block, int64 (blocks,)."""
        ends = (self._group[1:] != self._group[:-1]) | (self._score[1:] != self._score[:-1])
        return _first_places(ends, len(self._group))

    @cached_property
    def sizes(self) -> Ints:
        """Number of rows of each group, int64 (groups,)."""
        return np.diff(self._starts, append=len(self._group))

    @cached_property
    def positives(self) -> Ints:
        """Number of positive rows of each group, int64 (groups,)."""
        return _sums(self._positive, self._starts)

    @property
    def with_positive(self) -> Flags:
        """Which groups have a positive row, bool (groups,)."""
        return np.asarray(self.positives > 0)

    @property
    def with_both(self) -> Flags:
        """Which groups have rows of both classes, bool (groups,)."""
        return np.asarray((self.positives > 0) & (self.positives < self.sizes))

    @cached_property
    def block_sizes(self) -> Ints:
        """Number of rows of each block, int64 (blocks,)."""
        return np.diff(self._block_starts, append=len(self._group))

    @cached_property
    def block_positives(self) -> Ints:
        """Number of positive rows of each block, int64 (blocks,)."""
        return _sums(self._positive, self._block_starts)

    @cached_property
    def block_groups(self) -> Ints:
        """Place of each block's group among the groups, int64 (blocks,)."""
        return np.searchsorted(self._starts, self._block_starts, side="right") - 1

    @cached_property
    def rows_above(self) -> Ints:
        """Number of rows of its group above each block, int64 (blocks,)."""
        return self._block_starts - self._starts[self.block_groups]

    @cached_property
    def positives_above(self) -> Ints:
        """Number of positive rows of its group above each block, int64 (blocks,)."""
        before = np.cumsum(self.block_positives) - self.block_positives
        first_blocks = np.searchsorted(self._block_starts, self._starts)
        return before - before[first_blocks][self.block_groups]

    def sum_by_group(self, values: FloatsOfRows) -> Floats:
        """Adds up the values of the blocks of each group.

        Args:
            values: float (blocks,).

        Returns:
            float64 (groups,).
        """
        sums = np.bincount(self.block_groups, weights=values.astype(np.float64), minlength=len(self._starts))
        return sums.astype(np.float64)


def _first_places(ends: Flags, rows: int) -> Ints:
    """Where parts begin, of rows in which `ends` says whether a row is the last of its part."""
    return np.concatenate([np.zeros(min(1, rows), np.int64), np.flatnonzero(ends) + 1])


def _sums(values: Ints, starts: Ints) -> Ints:
    """The sum of each part, int64 (parts,)."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)
