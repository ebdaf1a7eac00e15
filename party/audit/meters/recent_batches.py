"""Matrices that were sent lately, with their rows."""

from __future__ import annotations

from collections import deque
from typing import cast

import numpy as np

from party.cut.hidden import FloatArray, Rows
from party.cut.state import State

VALUES, ROWS, SIZES = "values", "rows", "sizes"


class RecentBatches:
    """Batches in the order in which they were sent."""

    def __init__(self) -> None:
        self._batches: deque[tuple[FloatArray, Rows]] = deque()
        self.rows = 0

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, values: FloatArray, rows: Rows) -> None:
        """Adds a batch.

        Args:
            values: float32 (rows, columns).
            rows: row numbers of the dataset, int32 (rows,).
        """
        self._batches.append((values, rows))
        self.rows += len(rows)

    def forget_beyond(self, rows: int) -> None:
        """Drops the oldest batches that are not needed for the last so many rows.

        Args:
            rows: number of rows to keep at least, if there are as many.
        """
        while self._batches and self.rows - len(self._batches[0][1]) >= rows:
            self.rows -= len(self._batches.popleft()[1])

    def clear(self) -> None:
        """Drops all batches."""
        self._batches.clear()
        self.rows = 0

    def sizes(self) -> list[int]:
        """Number of rows of each batch."""
        return [len(rows) for _, rows in self._batches]

    def row_numbers(self) -> Rows:
        """Row numbers of all batches, at least one, int32 (rows,)."""
        return np.concatenate([rows for _, rows in self._batches])

    def values(self) -> FloatArray:
        """Values of all batches, at least one, float32 (rows, columns)."""
        return np.concatenate([values for values, _ in self._batches])

    def state(self) -> State:
        """All batches."""
        arrays = {VALUES: self.values(), ROWS: self.row_numbers()} if self._batches else {}
        return State({SIZES: self.sizes()}, arrays)

    def set_state(self, state: State) -> None:
        """Continues with the batches of a state."""
        self.clear()
        ends = np.cumsum(state.values[SIZES])[:-1]
        if state.arrays:
            parts = (np.split(state.arrays[name], ends) for name in (VALUES, ROWS))
            for values, rows in zip(*parts, strict=True):
                self.add(cast("FloatArray", values), cast("Rows", rows))
