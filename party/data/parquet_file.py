"""Parquet files as columns of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import pyarrow as pa
from pyarrow import compute, parquet

from party.data.columns import check_names, no_rows
from party.data.limits import FileLimits
from party.data.values.types import check_type, is_list, is_text, plain_type
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
    read = frozenset(needed)
    size = 0
    for number in range(metadata.num_columns):
        path = metadata.schema.column(number).path
        if any(name in read for name in _and_above(path)):
            parts = [group.column(number) for group in groups]
            # A list of one row may have any number of elements, each of which takes a byte at least.
            elements = 0 if path in read else sum(part.num_values for part in parts)
            size += max(elements, sum(part.total_uncompressed_size for part in parts))
    limits.check_bytes(size, where)


def _and_above(path: str) -> Iterator[str]:
    """A path of a file's schema and all that it may be part of: the elements of a list have a path below its name."""
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _read(content: bytes, types: dict[str, pa.DataType], where: str, limits: FileLimits) -> pa.Table:
    """Reads part by part. Texts stay what the file's dictionaries make of them until it is known how long they are."""
    dictionaries = _text_paths(parquet.ParquetFile(pa.BufferReader(content)).metadata, types)
    file = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=dictionaries, arrow_extensions_enabled=True)
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


def _text_paths(metadata: parquet.FileMetaData, types: Mapping[str, pa.DataType]) -> list[str]:
    """Paths of the columns that hold texts, or lists of them."""
    texts = {name for name, kind in types.items() if is_text(_element_type(kind))}
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    return [path for path in paths if any(name in texts for name in _and_above(path))]


def _element_type(kind: pa.DataType) -> pa.DataType:
    plain = plain_type(kind)
    return plain_type(plain.value_type) if is_list(plain) else plain


def _unfolded_bytes(column: pa.Array) -> int:
    """Bytes of the texts that a column unfolds to, and of all elements of lists."""
    if is_list(column.type):
        elements = compute.list_flatten(column)
        return len(elements) + (_unfolded_bytes(elements) or int(elements.nbytes))
    if not pa.types.is_dictionary(column.type) or not is_text(column.type.value_type):
        return 0
    lengths = compute.binary_length(column.dictionary).cast(pa.int64())
    return compute.sum(lengths.take(column.indices)).as_py() or 0
