"""The ids of rows, as texts that may be mapped from a file; Python's own texts are made of a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from party.data.sorting import Order, order_by_text
from party.errors import DataError

Rows = npt.NDArray[np.integer[Any]]

_BLOCK_ROWS = 1 << 13  # of which Python's texts are made at a time


class Ids:
    """The ids of rows, or the keys of a table.

    Args:
        name: of the column, or of the columns that they are made of.
        stored: the ids of all rows of a file, large_string without nulls; an Arrow array, in one piece or several.
        rows: rows of the file, in the order of these ids; None where that is all of them in their order.

    Attributes:
        name: of the column, or of the columns that they are made of.
    """

    def __init__(self, name: str, stored: Any, rows: Rows | None = None) -> None:
        self.name = name
        self._stored = _one_piece(stored)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._stored) if self._rows is None else len(self._rows)

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterator[list[str]]:
        """All ids, some at a time and in their order."""
        for block in self.text_blocks():
            texts: list[str] = block.to_pylist()
            yield texts

    def text_blocks(self) -> Iterator[Any]:
        """All ids, some at a time and in their order, as Arrow arrays."""
        for start in range(0, len(self), _BLOCK_ROWS):
            yield self._slice(slice(start, start + _BLOCK_ROWS))

    def tolist(self) -> list[str]:
        """All ids."""
        return list(self)

    def of(self, rows: Rows) -> list[str]:
        """The ids of some rows.

        Args:
            rows: row numbers, (chosen rows,).
        """
        found: list[str] = self._stored.take(pa.array(rows if self._rows is None else self._rows[rows])).to_pylist()
        return found

    def take(self, rows: Rows) -> Ids:
        """The ids with rows chosen and ordered; it refers to the stored texts and copies none.

        Args:
            rows: row numbers, (chosen rows,).
        """
        return Ids(self.name, self._stored, rows if self._rows is None else self._rows[rows])

    def followed_by(self, other: Ids) -> Ids:
        """The ids with those of other rows after them.

        Args:
            other: the ids of other rows.
        """
        if self._stored is other._stored:
            return Ids(self.name, self._stored, np.concatenate([self._numbers(), other._numbers()]))
        return Ids(self.name, pa.chunked_array([self.texts(), other.texts()]))

    def by_text(self, rows: Order | None = None) -> Order:
        """Orders rows by the UTF-8 bytes of their ids.

        Args:
            rows: row numbers, int32 (chosen rows,); None orders all of them.

        Returns:
            The row numbers, int32.
        """
        stored: Rows | None = rows
        if self._rows is not None:
            stored = self._rows if rows is None else self._rows[rows]
        places = order_by_text(self._stored, stored)
        return places if rows is None else rows[places]

    def texts(self) -> Any:
        """The ids as one Arrow array: a copy where they are not all rows of a file in their order."""
        return self._slice(slice(0, len(self)))

    def _numbers(self) -> Rows:
        return np.arange(len(self._stored), dtype=np.int32) if self._rows is None else self._rows

    def _slice(self, chosen: slice) -> Any:
        return self._stored[chosen] if self._rows is None else self._stored.take(pa.array(self._rows[chosen]))


def ids_of(texts: Sequence[str], name: str = "id") -> Ids:
    """Makes ids of Python's texts.

    Args:
        texts: the id of each row.
        name: of their column.

    Raises:
        DataError: an id that cannot be written as UTF-8.
    """
    try:
        return Ids(name, pa.array(texts, pa.large_string()))
    except UnicodeEncodeError:
        raise DataError("an id cannot be written as UTF-8", where=f"column {name}", fix="clean the id column") from None


def _one_piece(texts: Any) -> Any:
    """Arrow joins the pieces of a column anew for each row that is taken of it."""
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks == 1:
        return texts.chunk(0)
    return pa.concat_arrays(texts.chunks or [pa.array([], pa.large_string())])
