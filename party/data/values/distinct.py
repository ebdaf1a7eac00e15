"""The distinct values of a column, so that each is made a text once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from party.data.values.types import is_text, is_uuid, plain_type
from party.errors import DataError

TEXT = pa.large_string()
EMPTY = ""


@dataclass(frozen=True, eq=False)
class DistinctValues:
    """A column by its distinct values.

    Attributes:
        values: the distinct values, an Arrow array of a plain type; there may be a null among them.
        indices: number of each row's value by chunk, Arrow arrays; null where the row has none.
    """

    values: pa.Array
    indices: Sequence[pa.Array]

    def spread(self, texts: pa.Array) -> pa.ChunkedArray:
        """Gives every row the text of its value.

        Args:
            texts: the text of each distinct value, large_string.

        Returns:
            large_string without nulls: a row without a value has the empty text.
        """
        chunks = [texts.take(indices).fill_null(EMPTY) for indices in self.indices]
        return pa.chunked_array(chunks, type=TEXT)

    def row_count(self, chosen: NDArray[np.bool_]) -> int:
        """Number of rows whose value is among the chosen ones, a mask over the distinct values."""
        return sum(int(chosen[indices.drop_null().to_numpy()].sum()) for indices in self.indices)


def distinct_values(column: pa.Array | pa.ChunkedArray, where: str) -> DistinctValues:
    """Finds the distinct values of a column of scalars.

    Args:
        column: an Arrow column of a type that `check_type` lets pass.
        where: party, file and column, for errors.

    Raises:
        DataError: a text is no UTF-8.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    kind = _stored_type(plain_type(column.type))
    bare = [_bare(one, kind) for one in chunks]
    if pa.types.is_null(kind):
        return DistinctValues(pa.nulls(0, TEXT), [pa.nulls(len(one), pa.int32()) for one in bare])
    if any(pa.types.is_dictionary(one.type) and one.dictionary.null_count for one in bare):
        bare = [one.cast(kind) for one in bare]  # Arrow joins no dictionaries with nulls
    joined = pa.chunked_array(bare) if bare else pa.chunked_array([], kind)
    encoded = joined if pa.types.is_dictionary(joined.type) else joined.dictionary_encode()
    encoded = encoded.unify_dictionaries()
    values = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], kind)
    if is_text(kind):
        _check_texts(values, where)
    return DistinctValues(values, [one.indices for one in encoded.chunks])


def _stored_type(plain: pa.DataType) -> pa.DataType:
    """The type in which distinct values are found: Arrow finds none of UUIDs and of short decimals."""
    if is_uuid(plain):
        return plain.storage_type
    if pa.types.is_decimal32(plain) or pa.types.is_decimal64(plain):
        return pa.decimal128(plain.precision, plain.scale)
    return plain


def _bare(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Takes extensions off; a dictionary stays one, so that its texts stay short."""
    while isinstance(values, pa.ExtensionArray):
        values = values.storage
    if not pa.types.is_dictionary(values.type):
        return values if values.type == kind else values.cast(kind)
    inner = _bare(values.dictionary, kind)
    if pa.types.is_dictionary(inner.type):
        return values.cast(kind)
    return pa.DictionaryArray.from_arrays(values.indices, inner)


def _check_texts(values: pa.Array, where: str) -> None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError("a text is no UTF-8", where=where, fix="write the file anew, with texts as UTF-8") from None


def as_texts(values: pa.Array) -> pa.Array:
    """Arrow's own text of each value, large_string; the empty text for a null."""
    return compute.fill_null(values.cast(TEXT), EMPTY)
