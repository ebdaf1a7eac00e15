"""The canonical text of every cell of a column."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyarrow import compute

from party.data.values.distinct import as_texts, distinct_values
from party.data.values.lists import flattened, joined_elements
from party.data.values.notations import canonical
from party.data.values.typed import typed_texts
from party.data.values.types import check_type, is_list, is_text, plain_type


@dataclass(frozen=True, eq=False)
class CanonicalColumn:
    """A column as canonical texts.

    Attributes:
        texts: the text of each cell; large_string without nulls.
        merged: number of distinct texts of the file that are another notation of a value that it holds besides, all
            notations of it counted.
    """

    texts: pa.ChunkedArray
    merged: int


def canonical_texts(column: pa.Array | pa.ChunkedArray, *, exact: bool, where: str) -> pa.ChunkedArray:
    """The canonical text of every cell; see `canonical_column`.

    Args:
        column: an Arrow column of any type that `check_type` lets pass.
        exact: whether texts stay as they are written; values of other types have their one text in any case.
        where: party, file and column, for errors.

    Returns:
        large_string without nulls.

    Raises:
        DataError: the column is of another type, or a text of it cannot be used.
    """
    return canonical_column(column, exact=exact, where=where).texts


def canonical_column(column: pa.Array | pa.ChunkedArray, *, exact: bool, where: str) -> CanonicalColumn:
    """The canonical text of every cell, and how many texts of the file it makes one.

    A null, a float that is no number and an empty list are the empty text. A list is its elements, each followed by
    VALUE_SEPARATOR.

    Args:
        column: an Arrow column of any type that `check_type` lets pass.
        exact: whether texts stay as they are written; values of other types have their one text in any case.
        where: party, file and column, for errors.

    Raises:
        DataError: the column is of another type, or a text of it cannot be used.
    """
    check_type(column.type, lists=True, where=where)
    kind = plain_type(column.type)
    if is_list(kind):
        elements, lengths = flattened(column)
        found = canonical_column(elements, exact=exact, where=where)
        return CanonicalColumn(joined_elements(found.texts, lengths, where), found.merged)
    distinct = distinct_values(column, where)
    if not is_text(kind):
        return CanonicalColumn(distinct.spread(typed_texts(distinct.values, kind)), 0)
    written = as_texts(distinct.values)
    texts = written if exact else canonical(written)
    return CanonicalColumn(distinct.spread(texts), 0 if texts is written else _merged(texts))


def _merged(texts: pa.Array) -> int:
    """Number of distinct texts that share their canonical form with another one; an empty one is no value."""
    counts = compute.value_counts(texts).field("counts")
    return compute.sum(counts.filter(compute.greater(counts, 1))).as_py() or 0
