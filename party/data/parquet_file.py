"""Parquet files as columns of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import pyarrow as pa
from pyarrow import compute, parquet

from party.data.columns import check_names, no_rows
from party.data.limits import FileLimits
from party.data.values.types import check_type, is_text, plain_type
from party.errors import DataError

_BATCH_ROWS = 1 << 16


def read_parquet(
    content: bytes, needed: Mapping[str, str], where: str, limits: FileLimits, *, lists: Collection[str] = ()
) -> pa.Table:
    """Reads the needed columns of a Parquet file, and no others.

    A small file can unfold to very many or very long cells. What it states of itself is held against the limits before
    anything is read, and what it turns out to be while it is read.

    Args:
        content: content of the file.
        needed: names of the columns, each with the key of the configuration that names it.
        where: party and file, for errors.
        limits: the owner's limits.
        lists: names of the columns that may hold lists.

    Returns:
        The columns, of types that `check_type` lets pass.

    Raises:
        DataError: the content is no Parquet, lacks a column, is too large, or a column holds structs, bytes, or lists
            where there may be none.
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(content), arrow_extensions_enabled=True)
        check_names(file.schema_arrow.names, needed, where)
        types = {name: file.schema_arrow.field(name).type for name in needed}
        for name, kind in types.items():
            check_type(kind, lists=name in lists, where=f"{where}: column {name}")
        _check_stated(file.metadata, needed, where, limits)
        return _read(content, types, where, limits)
    except (pa.ArrowException, OSError) as error:
        received = type(error).__name__
        raise DataError(
            "cannot be read as Parquet",
            where=where,
            received=received,
            fix="write it anew",
            public_message="a file of its data cannot be read as Parquet",
        ) from None


def _check_stated(metadata: parquet.FileMetaData, needed: Mapping[str, str], where: str, limits: FileLimits) -> None:
    """Holds what a file states of itself against the limits: rows as a whole and by part, bytes of needed columns."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    limits.check_rows(max(metadata.num_rows, sum(group.num_rows for group in groups)), where)
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    read = frozenset(needed)
    numbers = [number for number, path in enumerate(paths) if any(name in read for name in _and_above(path))]
    limits.check_bytes(
        sum(group.column(number).total_uncompressed_size for group in groups for number in numbers), where
    )


def _and_above(path: str) -> Iterator[str]:
    """A path of a file's schema and all that it may be part of: the elements of a list have a path below its name."""
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _read(content: bytes, types: dict[str, pa.DataType], where: str, limits: FileLimits) -> pa.Table:
    """Reads part by part. Texts stay what the file's dictionaries make of them until it is known how long they are."""
    texts = [name for name, kind in types.items() if is_text(plain_type(kind))]
    file = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts, arrow_extensions_enabled=True)
    batches, rows, size = [], 0, 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(types)):
        rows += batch.num_rows
        size += sum(_unfolded_bytes(batch.column(name)) for name in types)
        limits.check_rows(rows, where)
        limits.check_bytes(size, where)
        batches.append(batch)
    if not batches:
        raise no_rows("has no rows", where)
    return pa.Table.from_batches(batches)


def _unfolded_bytes(column: pa.Array) -> int:
    if not pa.types.is_dictionary(column.type) or not is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = compute.binary_length(column.dictionary).cast(pa.int64())
    return compute.sum(lengths.take(column.indices)).as_py() or 0
