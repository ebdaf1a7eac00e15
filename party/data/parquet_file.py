"""Parquet files as columns of text."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from party.data.columns import check_names, no_rows
from party.data.limits import FileLimits
from party.errors import DataError

_BATCH_ROWS = 1 << 16


def read_parquet(content: bytes, needed: Mapping[str, str], where: str, limits: FileLimits) -> pd.DataFrame:
    """Reads the needed columns of a Parquet file, and no others.

    A small file can unfold to very many or very long cells. What it states of itself is held against the limits before
    anything is read, and what it turns out to be while it is read.

    Args:
        content: content of the file.
        needed: names of the columns, each with the key of the configuration that names it.
        where: party and file, for errors.
        limits: the owner's limits.

    Returns:
        Text columns: numbers in the shortest decimal notation, whole ones without a point, `true` and `false`, dates
        as in ISO 8601; a null is the empty text.

    Raises:
        DataError: the content is no Parquet, lacks a column, is too large, or a column holds lists, structs or bytes.
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        check_names(file.schema_arrow.names, needed, where)
        types = {name: _plain_type(file.schema_arrow.field(name).type, f"{where}: column {name}") for name in needed}
        _check_stated(file.metadata, needed, where, limits)
        table = _read(content, types, where, limits)
        return pd.DataFrame({name: _text(table.column(name), kind) for name, kind in types.items()})
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error, where) from None


def read_parquet_names(content: bytes, where: str) -> list[str]:
    """Reads the names of the columns of a Parquet file.

    Args:
        content: content of the file.
        where: party and file, for errors.

    Raises:
        DataError: the content is no Parquet.
    """
    try:
        return list(parquet.ParquetFile(pa.BufferReader(content)).schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error, where) from None


def _unreadable(error: Exception, where: str) -> DataError:
    return DataError(
        "cannot be read as Parquet",
        where=where,
        received=type(error).__name__,
        fix="write it anew",
        public_message="a file of its data cannot be read as Parquet",
    )


def _plain_type(kind: pa.DataType, where: str) -> pa.DataType:
    """The type of a column's values, which must be plain."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    refused = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    if any(is_kind(kind) for is_kind in refused):
        raise DataError(
            "holds values that are no plain texts or numbers",
            where=where,
            expected="text, numbers, booleans or dates",
            received=str(kind)[:64],
            fix="join lists to one text with a separator",
        )
    return kind


def _check_stated(metadata: parquet.FileMetaData, needed: Mapping[str, str], where: str, limits: FileLimits) -> None:
    """Holds what a file states of itself against the limits: rows as a whole and by part, bytes of needed columns."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    limits.check_rows(max(metadata.num_rows, sum(group.num_rows for group in groups)), where)
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    read = frozenset(needed)
    numbers = [number for number, path in enumerate(paths) if path in read]
    limits.check_bytes(
        sum(group.column(number).total_uncompressed_size for group in groups for number in numbers), where
    )


def _read(content: bytes, types: dict[str, pa.DataType], where: str, limits: FileLimits) -> pa.Table:
    """Reads part by part. Texts stay what the file's dictionaries make of them until it is known how long they are."""
    texts = [name for name, kind in types.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    file = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    batches, rows, size = [], 0, 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(types)):
        rows += batch.num_rows
        size += sum(_unfolded_bytes(batch.column(name)) for name in texts)
        limits.check_rows(rows, where)
        limits.check_bytes(size, where)
        batches.append(batch)
    if not batches:
        raise no_rows("has no rows", where)
    return pa.Table.from_batches(batches)


def _unfolded_bytes(column: pa.DictionaryArray) -> int:
    lengths = compute.binary_length(column.dictionary).cast(pa.int64())
    return compute.sum(lengths.take(column.indices)).as_py() or 0


def _text(column: pa.ChunkedArray, kind: pa.DataType) -> pd.Series[str]:
    # Floats go through Python: Arrow writes 3.0 as 3, and large ones in a notation of its own.
    if pa.types.is_floating(kind):
        texts = ["" if value is None or math.isnan(value) else _number(value) for value in column.to_pylist()]
        return pd.Series(texts, dtype="str")
    filled = column.cast(pa.string()).fill_null("")
    return pd.Series(filled.to_pylist(), dtype="str")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
