"""The columns of a table: the distinct texts of each, and which of them every row holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from party.data.values.distinct import as_texts
from party.data.values.notations import canonical

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer[Any]]

_BLOCK_ROWS = 1 << 20  # rows that are looked at together, so that memory does not grow with a column


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of text.

    Attributes:
        stored: number of the text of each stored row, int32 (stored rows,); it may be mapped from a file.
        distinct: the distinct texts, among them all that rows hold; an Arrow array, which may be mapped from a file.
        rows: stored row of each row, integers (rows,); None where they are the same.
    """

    stored: Codes = field(repr=False)
    distinct: Any = field(repr=False)
    rows: Rows | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.stored) if self.rows is None else len(self.rows)

    def gather(self, rows: npt.NDArray[np.integer[Any]]) -> Codes:
        """The number of the text of some rows, int32 (chosen rows,).

        Args:
            rows: row numbers, (chosen rows,).
        """
        return np.asarray(self.stored[rows if self.rows is None else self.rows[rows]])

    @property
    def codes(self) -> Codes:
        """The number of each row's text, int32 (rows,)."""
        return np.asarray(self.stored if self.rows is None else self.stored[self.rows])

    def blocks(self) -> Iterator[Codes]:
        """The numbers of the texts of all rows, some at a time and in their order, int32 (rows of the block,)."""
        for start in range(0, len(self), _BLOCK_ROWS):
            chosen = slice(start, start + _BLOCK_ROWS)
            yield np.asarray(self.stored[chosen] if self.rows is None else self.stored[self.rows[chosen]])

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of rows of each distinct text, int64 (distinct texts,)."""
        counts = np.zeros(len(self.distinct), np.int64)
        for block in self.blocks():
            counts += np.bincount(block, minlength=len(counts))
        return counts

    def texts(self) -> list[str]:
        """The distinct texts, in the order of their numbers."""
        found: list[str] = self.distinct.to_pylist()
        return found

    def by_row(self) -> npt.NDArray[np.object_]:
        """The text of each row, (rows,)."""
        return np.array(self.texts(), dtype=object)[self.codes]

    def in_rows(self) -> Any:
        """The text of each row, an Arrow array."""
        return self.distinct.take(pa.array(self.codes))

    def holds(self, text: str) -> npt.NDArray[np.bool_]:
        """Which rows hold a text, bool (rows,)."""
        number = pa.compute.index(self.distinct, pa.scalar(text, self.distinct.type)).as_py()
        return np.zeros(len(self), np.bool_) if number < 0 else np.asarray(self.codes == number)

    def take(self, rows: Rows) -> TextColumn:
        """The column with rows chosen and ordered; it refers to the stored rows and copies none.

        Args:
            rows: row numbers, integers (chosen rows,).
        """
        return TextColumn(self.stored, self.distinct, rows if self.rows is None else self.rows[rows])

    def followed_by(self, other: TextColumn) -> TextColumn:
        """The column with the rows of another one after its own.

        Args:
            other: another column.
        """
        parts = [pa.DictionaryArray.from_arrays(pa.array(one.codes), one.distinct) for one in (self, other)]
        return text_column(pa.chunked_array(parts))


class TextColumns(Mapping[str, TextColumn]):
    """The columns of a table, by name.

    Args:
        columns: columns of the same rows.
        count: number of rows.
    """

    def __init__(self, columns: Mapping[str, TextColumn], count: int) -> None:
        self._columns = dict(columns)
        self.count = count

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> TextColumns:
        """The columns of a frame of texts."""
        return cls({str(name): text_column_of(frame[name]) for name in frame.columns}, len(frame))

    def __getitem__(self, name: str) -> TextColumn:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def take(self, rows: Rows) -> TextColumns:
        """The columns with rows chosen and ordered.

        Args:
            rows: row numbers, integers (chosen rows,).
        """
        chosen: dict[int, Rows] = {id(None): rows}  # columns of one file share their rows
        for column in self._columns.values():
            if column.rows is not None and id(column.rows) not in chosen:
                chosen[id(column.rows)] = column.rows[rows]
        taken = {
            name: TextColumn(column.stored, column.distinct, chosen[id(column.rows)])
            for name, column in self._columns.items()
        }
        return TextColumns(taken, len(rows))

    def followed_by(self, other: TextColumns) -> TextColumns:
        """The columns that another table has too, with its rows after the own ones.

        A file that is trained on may have columns besides: weights, and what meters measure. They are left out.

        Args:
            other: columns of another table of the party.
        """
        shared = [name for name in self._columns if name in other]
        return TextColumns({name: self[name].followed_by(other[name]) for name in shared}, self.count + other.count)

    def renamed(self, names: Mapping[str, str]) -> TextColumns:
        """Some of the columns under other names.

        Args:
            names: the new name of each, by its present one.
        """
        return TextColumns({new: self[name] for name, new in names.items()}, self.count)

    def with_columns(self, columns: Mapping[str, TextColumn]) -> TextColumns:
        """The columns with some of them replaced or added.

        Args:
            columns: columns of the same rows, by name.
        """
        return TextColumns({**self._columns, **columns}, self.count)


def canonical_column_of(column: TextColumn) -> TextColumn:
    """The column with the canonical text of each cell; equal ones become one.

    Args:
        column: a column of texts as they are written.
    """
    encoded = canonical(as_texts(column.distinct)).dictionary_encode()
    numbers = encoded.indices.to_numpy().astype(np.int32, copy=False)
    return TextColumn(numbers[column.stored], encoded.dictionary, column.rows)


def text_column(column: pa.Array | pa.ChunkedArray) -> TextColumn:
    """Finds the distinct texts of a column.

    Args:
        column: Arrow texts without nulls, or their dictionary-encoded form; (rows,).

    Returns:
        The column; distinct texts are in no order that anything may depend on.
    """
    chunks = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if not pa.types.is_dictionary(chunks.type):
        chunks = chunks.dictionary_encode()
    encoded = chunks.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return TextColumn(codes, encoded.dictionary)


def text_column_of(texts: Iterable[str] | pd.Series[str] | Sequence[str]) -> TextColumn:
    """Finds the distinct texts of a column.

    Args:
        texts: the text of each row.
    """
    return text_column(pa.array(texts, type=pa.large_string()))
