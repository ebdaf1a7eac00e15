"""A large table in the state of a model, of which a checkpoint may hold changed rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from party.cut.touched_rows import RowNumbers, TouchedRows

Matrix = npt.NDArray[Any]


class LargeTable(Protocol):
    """A matrix that training changes row by row.

    Unlike an array of a state, it is no copy: whoever takes a snapshot reads it before training goes on.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""

    @property
    def touched(self) -> TouchedRows:
        """Its changed rows; tables that change together share them."""

    def take(self, rows: RowNumbers) -> Matrix:
        """Copies some rows.

        Args:
            rows: row numbers, integers (count,).

        Returns:
            The rows, (count, columns).
        """

    def whole(self) -> Matrix:
        """Copies all rows, (rows, columns)."""


@dataclass(frozen=True)
class StoredTable:
    """A table in memory, as a checkpoint has it.

    Attributes:
        values: all rows, (rows, columns).
        touched: the rows that differ from the base of the checkpoint.
    """

    values: Matrix
    touched: TouchedRows

    @property
    def shape(self) -> tuple[int, int]:
        """See `LargeTable`."""
        rows, columns = self.values.shape
        return rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `LargeTable`."""
        return self.values.dtype

    def take(self, rows: RowNumbers) -> Matrix:
        """See `LargeTable`."""
        return self.values[rows]

    def whole(self) -> Matrix:
        """See `LargeTable`; the array itself, which nothing changes any more."""
        return self.values
