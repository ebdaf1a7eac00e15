"""The rows that the label party and one feature party have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Matches:
    """Own rows, each with the element that the feature party sent for the same id.

    Attributes:
        rows: own row numbers, each once; shape (matches,), int32.
        positions: positions of the elements in the feature party's setup, each once; shape (matches,), int32.
    """

    rows: NDArray[np.int32]
    positions: NDArray[np.int32]

    def found(self, rows: int) -> NDArray[np.bool_]:
        """Marks the own rows that the feature party has.

        Args:
            rows: number of own rows.

        Returns:
            Whether it has the id of each row; shape (rows,), bool.
        """
        found = np.zeros(rows, np.bool_)
        found[self.rows] = True
        return found

    def marks(self, rows: NDArray[np.bool_], elements: int) -> NDArray[np.bool_]:
        """Marks the elements of some of the rows.

        Args:
            rows: whether each own row is common to all parties; shape (rows,), bool.
            elements: number of elements of the whole setup.

        Returns:
            Whether the element at each position is marked; shape (elements,), bool.
        """
        marks = np.zeros(elements, np.bool_)
        marks[self.positions[rows[self.rows]]] = True
        return marks
