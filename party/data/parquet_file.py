"""Parquet files as columns of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from party.data.columns import check_names
from party.errors import DataError


def read_parquet(content: bytes, needed: Sequence[str], where: str) -> pd.DataFrame:
    """Reads the needed columns of a Parquet file, and no others.

    Args:
        content: of the file.
        needed: names of the columns.
        where: party and file, for errors.

    Returns:
        Text columns: numbers in the shortest decimal notation, whole ones without a point, `true` and `false`, dates
        as in ISO 8601; a null is the empty text.

    Raises:
        DataError: the content is no Parquet, lacks a column, or a column holds lists, structs or bytes.
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        check_names(file.schema_arrow.names, needed, where)
        table = file.read(columns=list(needed))
    except (pa.ArrowException, OSError) as error:
        received = type(error).__name__
        raise DataError("cannot be read as Parquet", where=where, received=received, fix="write it anew") from None
    return pd.DataFrame({name: _text(table.column(name), f"{where}: column {name}") for name in needed})


def _text(column: pa.ChunkedArray, where: str) -> pd.Series[str]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            "holds values that are no plain texts or numbers",
            where=where,
            expected="text, numbers, booleans or dates",
            received=str(kind)[:64],
            fix="join lists to one text with a separator",
        )
    # Floats go through Python: Arrow writes 3.0 as 3, and large ones in a notation of its own.
    if pa.types.is_floating(kind):
        texts = ["" if value is None or math.isnan(value) else _number(value) for value in column.to_pylist()]
        return pd.Series(texts, dtype="str")
    filled = column.cast(pa.string()).fill_null("")
    return pd.Series(filled.to_pylist(), dtype="str")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
