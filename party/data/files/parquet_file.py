"""Parquet files as record batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet
from pyarrow.parquet import encryption

from party.data.files.columns import check_names
from party.data.files.first_bytes import ENCRYPTED_PARQUET, FIRST_BYTES, PARQUET
from party.data.files.limits import Allowance
from party.data.files.storage import OpenedFile
from party.data.files.verified_file import VerifiedFile
from party.errors import DataError

_BATCH_BYTES = 1 << 25
_MOST_BATCH_ROWS = 1 << 16
_CELL_BYTES = 16  # of numbers and of places in dictionaries; texts are counted
_BUFFER_BYTES = (1 << 14, 1 << 20)  # least and most of a column
_REFUSED = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)


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

    def batches(self, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """Reads the needed columns, and no others.

        Args:
            columns: names of the columns, at least one, each with the key of the configuration that names it.

        Yields:
            Rows: columns of the types that the file has, those of dictionaries unfolded.

        Raises:
            DataError: the file cannot be read, lacks a column, is too large, or a column holds lists, structs or bytes.
        """
        found = check_names(self.names, columns, self._where, are_names=True)
        self.notes = found.notes
        stored = [self.names[place] for place in found.places.values()]
        for name, place in found.places.items():
            _check_type(self._schema.field(place).type, f"{self._where}: column {name}")
        try:
            opened = self._open(columns=len(stored))
            for group, stated in enumerate(self._check_stated(stored)):
                row_bytes = max(stated, self._repeated_bytes(group, stored), _CELL_BYTES * len(stored))
                rows = max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // row_bytes))
                for batch in opened.iter_batches(batch_size=rows, row_groups=[group], columns=stored):
                    self._allowance.add_rows(batch.num_rows, self._where)
                    yield from self._unfolded([batch.column(name) for name in stored], list(columns))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error, self._where) from None

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

    def _repeated_bytes(self, group: int, stored: Sequence[str]) -> int:
        """How many bytes a row of a row group can take by texts that the file holds once, in dictionaries."""
        metadata = self._metadata.row_group(group)
        columns = [metadata.column(number) for number in range(metadata.num_columns)]
        in_dictionaries = {column.path_in_schema for column in columns if column.has_dictionary_page}
        texts = [name for name in stored if name in in_dictionaries and _is_text(self._schema.field(name).type)]
        if not texts:
            return 0
        # With the first row comes the whole dictionary.
        rows = self._open(texts, columns=len(texts)).iter_batches(batch_size=1, row_groups=[group], columns=texts)
        first = next(rows, None)
        read = [] if first is None else [column for column in first.columns if pa.types.is_dictionary(column.type)]
        return sum(compute.max(compute.binary_length(column.dictionary)).as_py() or 0 for column in read)

    def _check_stated(self, stored: Sequence[str]) -> list[int]:
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
        numbers = [number for number, path in enumerate(paths) if path in read]
        sizes = [sum(group.column(number).total_uncompressed_size for number in numbers) for group in groups]
        limits.check_bytes(self._allowance.unfolded_bytes + sum(sizes), self._where)
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


def _check_type(kind: pa.DataType, where: str) -> None:
    """Refuses a column whose values are not plain."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if any(is_kind(kind) for is_kind in _REFUSED):
        raise DataError(
            "holds values that are no plain texts or numbers",
            where=where,
            expected="text, numbers, booleans or dates",
            received=str(kind)[:64],
            fix="join lists to one text with a separator",
        )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text_bytes(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]] | int:
    """Bytes of the text of each row, int64 (rows,)."""
    if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
        lengths = compute.binary_length(column.dictionary).take(column.indices)
    elif _is_text(column.type):
        lengths = compute.binary_length(column)
    else:
        return 0
    return np.asarray(lengths.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _plain(column: pa.Array) -> pa.Array:
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    plain.validate(full=True)  # no reader of Parquet checks that a text is UTF-8
    return plain
