"""The rows that the label party and one feature party have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Matches:
    """Own rows, each with the element that the feature party sent for the same id.

    Attributes:
        rows: own row numbers, each once; shape (matches,), int64.
        positions: positions of the elements in the feature party's setup, each once; shape (matches,), int64.
    """

    rows: NDArray[np.int64]
    positions: NDArray[np.int64]

    def marks(self, rows: NDArray[np.int64], elements: int) -> NDArray[np.bool_]:
        """Marks the elements of some of the rows.

        Args:
            rows: own row numbers that are common to all parties; shape (rows,), int64.
            elements: number of elements of the whole setup.

        Returns:
            Whether the element at each position is marked; shape (elements,), bool.
        """
        marks = np.zeros(elements, np.bool_)
        marks[self.positions[np.isin(self.rows, rows, assume_unique=True)]] = True
        return marks
