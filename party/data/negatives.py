"""What was drawn for the positive rows of a dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Negatives:
    """Rows that were drawn, which follow those of the file.

    Attributes:
        per_positive: number of negatives that each positive row should have.
        positives: number of positive rows of the file.
        file_rows: number of rows of the file.
        origin: for each row the one whose columns it has: itself or, of a drawn row, the positive row; int32 (rows,).
        item_origin: for each row the one whose item it has, int32 (rows,).
    """

    per_positive: int
    positives: int
    file_rows: int
    origin: Rows = field(repr=False)
    item_origin: Rows = field(repr=False)

    @property
    def drawn(self) -> int:
        """Number of rows that were drawn."""
        return len(self.origin) - self.file_rows

    @property
    def left_out(self) -> int:
        """Number of negatives for which every try hit an item that the user has a positive row with."""
        return self.per_positive * self.positives - self.drawn

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal digest of the drawn rows."""
        digest = hashlib.sha256(self.file_rows.to_bytes(8, "little"))
        for rows in (self.origin, self.item_origin):
            digest.update(rows[self.file_rows :].astype("<i8").tobytes())
        return digest.hexdigest()

    def in_file(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Which of some rows are in the file, bool (rows,).

        Args:
            rows: row numbers of the dataset, integers (rows,).
        """
        return np.asarray(rows < self.file_rows)
