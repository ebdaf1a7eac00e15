"""Parquet files as record batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet
from pyarrow.parquet import encryption

from party.data.files.columns import check_names
from party.data.files.first_bytes import ENCRYPTED_PARQUET, FIRST_BYTES, PARQUET
from party.data.files.limits import Allowance
from party.data.files.storage import OpenedFile
from party.data.files.verified_file import VerifiedFile
from party.data.values.types import check_type, is_list, is_text
from party.errors import DataError

_BATCH_BYTES = 1 << 24
_MOST_BATCH_ROWS = 1 << 16
_CELL_BYTES = 16  # of numbers and of places in dictionaries; texts are counted
_BUFFER_BYTES = (1 << 14, 1 << 20)  # least and most of a column


class ParquetFile:
    """One Parquet file, read once.

    A small file can unfold to very many or very long cells. What it states of itself is held against the limits before
    anything is read, and what it turns out to be while it is read.

    Args:
        file: the open file.
        allowance: counts its bytes and rows.
        where: party and file, for errors.

    Attributes:
        names: of all columns.
        notes: what its owner should know of it, in sentences.

    Raises:
        DataError: it is no Parquet that can be read.
    """

    def __init__(self, file: OpenedFile, allowance: Allowance, where: str) -> None:
        self._allowance, self._where = allowance, where
        self._content = VerifiedFile(file, allowance, where)
        _check_ends(file, where)
        try:
            opened = self._open()
            self._metadata, self._schema = opened.metadata, opened.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error, where) from None
        self._check_encryption()
        self.names = tuple(self._schema.names)
        self.notes: tuple[str, ...] = ()

    def sha256(self) -> bytes:
        """Digest of the whole file, 32 bytes."""
        return self._content.sha256()

    def batches(self, columns: Mapping[str, str], *, lists: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Reads the needed columns, and no others.

        Args:
            columns: names of the columns, at least one, each with the key of the configuration that names it.
            lists: names of the columns that may hold lists.

        Yields:
            Rows: columns of the types that the file has, those of dictionaries unfolded.

        Raises:
            DataError: the file cannot be read, lacks a column, is too large, or a column holds structs, bytes, or
                lists where there may be none.
        """
        found = check_names(self.names, columns, self._where, are_names=True)
        self.notes = found.notes
        stored = [self.names[place] for place in found.places.values()]
        for name, place in found.places.items():
            check_type(self._schema.field(place).type, lists=name in lists, where=f"{self._where}: column {name}")
        try:
            opened = self._open(self._paths_of_lists(stored), columns=len(stored))
            for group, stated in enumerate(self._check_stated(stored)):
                row_bytes = max(stated, self._repeated_bytes(group, stored), _CELL_BYTES * len(stored))
                rows = max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // row_bytes))
                for batch in opened.iter_batches(batch_size=rows, row_groups=[group], columns=stored):
                    self._allowance.add_rows(batch.num_rows, self._where)
                    yield from self._unfolded([batch.column(name) for name in stored], list(columns))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error, self._where) from None

    def _paths_of_lists(self, stored: Collection[str]) -> list[str]:
        """Paths of the elements of lists: of a list nobody knows how long it is before it is there."""
        columns = [self._metadata.schema.column(number).path for number in range(self._metadata.num_columns)]
        return [path for path in columns if path not in stored and _is_within(path, stored)]

    def _open(self, texts: Sequence[str] = (), *, columns: int = 1) -> parquet.ParquetFile:
        """Opens the file anew; texts of some columns stay what the file's dictionaries make of them."""
        least, most = _BUFFER_BYTES
        return parquet.ParquetFile(
            pa.PythonFile(self._content, mode="r"),
            read_dictionary=list(texts),
            buffer_size=max(least, min(most, _BATCH_BYTES // columns)),
            pre_buffer=False,  # it would read all row groups at once
        )

    def _check_encryption(self) -> None:
        """Refuses a file whose footer alone is readable: Arrow ends the process where it is asked about its columns.

        Only such a file needs a key as soon as it is opened.
        """
        keys = encryption.CryptoFactory(_NoKeys).file_decryption_properties(encryption.KmsConnectionConfig())
        try:
            parquet.ParquetFile(pa.PythonFile(self._content, mode="r"), decryption_properties=keys)
        except (pa.ArrowException, OSError):
            raise _encrypted(self._where) from None

    def _repeated_bytes(self, group: int, stored: Collection[str]) -> int:
        """How many bytes a row of a row group can take by texts that the file holds once, in dictionaries."""
        metadata = self._metadata.row_group(group)
        columns = [metadata.column(number) for number in range(metadata.num_columns)]
        read = [one for one in columns if one.has_dictionary_page and _is_within(one.path_in_schema, stored)]
        if not read or not metadata.num_rows:
            return 0
        paths = [one.path_in_schema for one in read]
        names = [name for name in stored if any(name in _and_above(path) for path in paths)]
        # With the first row comes the whole dictionary.
        rows = self._open(paths, columns=len(names)).iter_batches(batch_size=1, row_groups=[group], columns=names)
        longest = [one for column in next(rows).columns for one in _dictionaries(column)]
        elements: int = max(-(-one.num_values // metadata.num_rows) for one in read)
        return elements * sum(int(compute.max(_lengths(one)).as_py() or 0) for one in longest)

    def _check_stated(self, stored: Collection[str]) -> list[int]:
        """Holds what a file states of itself against the limits: rows as a whole and by part, bytes of columns.

        Returns:
            The stated bytes of a row on average, by row group.
        """
        metadata, limits = self._metadata, self._allowance.limits
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
        limits.check_rows(self._allowance.rows + rows, self._where)
        paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        read = frozenset(stored)
        numbers = [number for number, path in enumerate(paths) if _is_within(path, read)]
        lists = [number for number in numbers if paths[number] not in read]
        sizes = [sum(group.column(number).total_uncompressed_size for number in numbers) for group in groups]
        # A list of one row may have any number of elements, each of which takes a byte at least.
        elements = sum(group.column(number).num_values for group in groups for number in lists)
        limits.check_bytes(self._allowance.unfolded_bytes + max(elements, sum(sizes)), self._where)
        return [size // max(1, group.num_rows) for size, group in zip(sizes, groups, strict=True)]

    def _unfolded(self, columns: Sequence[pa.Array], names: list[str]) -> Iterator[pa.RecordBatch]:
        """Unfolds dictionaries after it is known how long their texts are, in pieces that fit into memory."""
        rows = len(columns[0])
        sizes = np.zeros(rows, np.int64)
        for column in columns:
            sizes += _text_bytes(column)
        ends = np.cumsum(sizes)
        self._allowance.add_unfolded(int(ends[-1]) if rows else 0, self._where)
        start = 0
        while start < rows:
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + _BATCH_BYTES, side="right")))
            arrays = [_plain(column.slice(start, stop - start)) for column in columns]
            yield pa.record_batch(arrays, names=names)
            start = stop


class _NoKeys(encryption.KmsClient):  # type: ignore[misc]
    """A key service without any key."""

    def __init__(self, _: encryption.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """Never wraps one."""
        raise PermissionError

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Never unwraps one."""
        raise PermissionError


def _check_ends(file: OpenedFile, where: str) -> None:
    """Tells an encrypted file and one that was cut short from one that is none."""
    first, last = file.read_at(0, FIRST_BYTES), file.read_at(max(0, file.size - len(PARQUET)), len(PARQUET))
    if first.startswith(ENCRYPTED_PARQUET):
        raise _encrypted(where)
    if first.startswith(PARQUET) and last != PARQUET:
        raise _no_parquet("an end that is missing: the file was cut short", where)


def _unreadable(error: Exception, where: str) -> DataError:
    if "encrypt" in str(error).lower() or "decrypt" in str(error).lower():
        return _encrypted(where)
    return _no_parquet(type(error).__name__, where)


def _encrypted(where: str) -> DataError:
    return DataError(
        "is encrypted Parquet",
        where=where,
        fix="write it without encryption, in a folder that only this party may read",
        public_message="a file of its data cannot be read as Parquet",
    )


def _no_parquet(received: str, where: str) -> DataError:
    return DataError(
        "cannot be read as Parquet",
        where=where,
        received=received,
        fix="write it anew",
        public_message="a file of its data cannot be read as Parquet",
    )


def _and_above(path: str) -> Iterator[str]:
    """A path of a file's schema and all that it may be part of: the elements of a list have a path below its name."""
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _is_within(path: str, stored: Collection[str]) -> bool:
    return any(name in stored for name in _and_above(path))


def _dictionaries(column: pa.Array) -> Iterator[pa.Array]:
    """The dictionaries of the texts of a column, or of the elements of its lists."""
    if is_list(column.type):
        yield from _dictionaries(compute.list_flatten(column))
    elif pa.types.is_dictionary(column.type) and is_text(column.type.value_type):
        yield column.dictionary


def _lengths(texts: pa.Array) -> pa.Array:
    """Bytes of each text; Arrow has no such function for views."""
    return compute.binary_length(texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts)


def _text_bytes(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]] | int:
    """Bytes of the text of each row, or of its list on average, int64 (rows,)."""
    if is_list(column.type):
        elements = compute.list_flatten(column)
        size = int(np.sum(_text_bytes(elements))) or int(elements.nbytes)
        return -(-(len(elements) + size) // max(1, len(column)))
    if pa.types.is_dictionary(column.type) and is_text(column.type.value_type):
        lengths = _lengths(column.dictionary).take(column.indices)
    elif is_text(column.type):
        lengths = _lengths(column)
    else:
        return 0
    return np.asarray(lengths.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _plain(column: pa.Array) -> pa.Array:
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    plain.validate(full=True)  # no reader of Parquet checks that a text is UTF-8
    return plain
