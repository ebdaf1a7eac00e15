"""A variable as a table of a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from party.cut.large_table import Matrix
from party.cut.touched_rows import RowNumbers, TouchedRows

COPIED_BYTES = 1 << 22  # of one piece: TensorFlow copies what it reads of a variable, and NumPy once more


@dataclass(frozen=True)
class VariableTable:
    """A variable of which an update changes single rows.

    Rows are read in the variable: TensorFlow would copy the whole of one that it changes row by row.

    Attributes:
        variable: float (rows, columns).
        touched: its changed rows.
    """

    variable: keras.Variable
    touched: TouchedRows

    @property
    def shape(self) -> tuple[int, int]:
        """See `LargeTable`."""
        rows, columns = self.variable.shape
        return rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `LargeTable`."""
        dtype: np.dtype[Any] = np.dtype(self.variable.dtype)
        return dtype

    def take(self, rows: RowNumbers) -> Matrix:
        """See `LargeTable`."""
        taken = np.empty((len(rows), self.shape[1]), self.dtype)
        length = max(1, COPIED_BYTES // max(1, self.shape[1] * self.dtype.itemsize))
        for start in range(0, len(rows), length):
            piece = rows[start : start + length]
            taken[start : start + length] = tf.gather(self.variable.value, piece).numpy()
        return taken

    def whole(self) -> Matrix:
        """See `LargeTable`."""
        return self.take(np.arange(self.shape[0]))
