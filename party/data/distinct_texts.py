"""The distinct texts of a column in the order of their bytes, and which of them each row holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from party.data.sorting import order_by_text
from party.data.text_columns import TextColumn
from party.data.text_digest import text_digest

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class DistinctTexts:
    """A column of text.

    Attributes:
        ordered: the distinct texts that rows hold, ascending by their UTF-8 bytes; an Arrow array.
        column: the column.
        ranks: place among `ordered` of each of the column's distinct texts, int32; of those that no row holds, any.
    """

    ordered: Any
    column: TextColumn
    ranks: Codes

    @property
    def codes(self) -> Codes:
        """Number of each row's text among `ordered`; shape (rows,), int32."""
        codes, start = np.empty(len(self.column), np.int32), 0
        for block in self.column.blocks():
            codes[start : start + len(block)] = self.ranks[block]
            start += len(block)
        return codes

    def texts(self) -> list[str]:
        """The distinct texts, in their order."""
        found: list[str] = self.ordered.to_pylist()
        return found

    def digest(self) -> bytes:
        """SHA-256 of the distinct texts: of their lengths, then of their bytes."""
        return text_digest(lambda: [self.ordered])


def distinct_texts(column: TextColumn) -> DistinctTexts:
    """Finds the distinct texts that the rows of a column hold.

    Args:
        column: the column.
    """
    held = np.flatnonzero(column.counts())
    order = held[order_by_text(column.distinct, held)]
    ranks = np.zeros(len(column.distinct), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return DistinctTexts(column.distinct.take(pa.array(order)), column, ranks)
