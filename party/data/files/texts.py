"""The text of every cell of a column, whatever type a file has for it."""

from __future__ import annotations

import math

import pyarrow as pa

_EXACT_BELOW = 2**53  # from here on not every whole number has a float


def column_texts(column: pa.Array) -> pa.Array:
    """Makes a text of every cell.

    Args:
        column: texts, numbers, booleans, dates or times.

    Returns:
        Texts without nulls, string: numbers in the shortest decimal notation, whole ones without a point, `true` and
        `false`, dates as in ISO 8601; a null and a float that is no number are the empty text.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    # Floats go through Python: Arrow writes 3.0 as 3, and large ones in a notation of its own.
    if pa.types.is_floating(column.type):
        texts = ["" if value is None or math.isnan(value) else _number(value) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return column.cast(pa.string()).fill_null("")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_BELOW else repr(value)
