"""Lists as one text: each element followed by a separator."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from party.configuration.canonical_text import VALUE_SEPARATOR
from party.data.values.distinct import EMPTY, TEXT
from party.errors import DataError


def flattened(column: pa.Array | pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.int64]]:
    """The elements of all lists of a column, one after the other, and the number of elements of each list.

    Args:
        column: any of Arrow's lists, or an extension of one; a null has no elements.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    lists = [one.storage if isinstance(one, pa.ExtensionArray) else one for one in chunks]
    kind = column.type.storage_type if isinstance(column.type, pa.BaseExtensionType) else column.type
    elements = [compute.list_flatten(one) for one in lists]
    lengths = [compute.list_value_length(one).fill_null(0).to_numpy() for one in lists]
    return pa.chunked_array(elements, kind.value_type), np.concatenate([*lengths, []]).astype(np.int64)


def joined_elements(texts: pa.ChunkedArray, lengths: NDArray[np.int64], where: str) -> pa.ChunkedArray:
    """Makes one text of each list, so that it can be told from a text that was never a list.

    Args:
        texts: the elements of all lists, one after the other; large_string without nulls.
        lengths: number of elements of each list, int64 (rows,).
        where: party, file and column, for errors.

    Returns:
        Each element followed by VALUE_SEPARATOR, without empty ones; large_string (rows,).

    Raises:
        DataError: an element holds the separator.
    """
    elements = pa.array([], TEXT) if not texts.num_chunks else texts.combine_chunks()
    divided = compute.sum(compute.match_substring(elements, VALUE_SEPARATOR)).as_py() or 0
    if divided:
        raise DataError(
            "elements of lists hold U+001F, which separates them",
            where=where,
            received=f"{divided} elements with it",
            fix="take the character out of them",
            public_message="elements of lists in its data cannot be used",
        )
    kept = compute.not_equal(elements, EMPTY)
    ended = compute.binary_join_element_wise(
        elements.filter(kept), pa.scalar(EMPTY, TEXT), pa.scalar(VALUE_SEPARATOR, TEXT)
    )
    kept_before = _starts(kept.to_numpy(zero_copy_only=False))
    bytes_before = _starts(compute.binary_length(ended).to_numpy())
    offsets = bytes_before[kept_before[_starts(lengths)]]
    content = ended.buffers()[2] or pa.py_buffer(b"")
    cells = pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(offsets), content)
    return pa.chunked_array([cells])


def _starts(sizes: NDArray[np.generic]) -> NDArray[np.int64]:
    """The sum of all sizes before each place, and of all of them at the end."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
