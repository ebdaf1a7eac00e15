"""The files of a dataset as one source of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import pyarrow as pa

from party.configuration.csv_format import CsvSection
from party.data.files.csv_file import CsvFile
from party.data.files.first_bytes import FIRST_BYTES, is_parquet
from party.data.files.hashed_stream import HashedStream
from party.data.files.limits import Allowance, FileLimits
from party.data.files.parquet_file import ParquetFile
from party.data.files.parts import Entry, find_parts
from party.data.files.place import DataPlace
from party.data.files.storage import OpenedFile, Part, Stamp
from party.errors import DataError

T = TypeVar("T")
_PARQUET_SUFFIX = ".parquet"
_DIGEST_LABEL = b"splitrain/1 files\0"


class OpenedPart(Protocol):
    """One file of a dataset, open, in any format.

    Attributes:
        names: of all its columns.
        notes: what its owner should know of it, in sentences; complete once its batches were read.
    """

    names: tuple[str, ...]
    notes: tuple[str, ...]

    def batches(self, columns: Mapping[str, str], *, lists: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Reads the rows; see `Source.batches`."""

    def sha256(self) -> bytes:
        """Digest of the whole file, 32 bytes, to be asked for once all batches were read."""


class Source:
    """All files of a dataset, read once from the first byte of the first to the last byte of the last.

    Args:
        parts: the files, at least one.
        place: the dataset, for errors.
        form: how CSV files are written.
        limits: the largest dataset that the owner allows.

    Attributes:
        notes: what the owner should know of the files, in sentences; complete once all batches were read.
    """

    def __init__(self, parts: Sequence[Part], place: DataPlace, form: CsvSection, limits: FileLimits) -> None:
        self._parts, self._place, self._form = parts, place, form
        self._allowance = Allowance(limits)
        self._file: OpenedFile | None = None
        self._waiting: dict[int, OpenedPart] = {}
        self._digests: list[bytes] = []
        self._has_csv = False
        self.notes: tuple[str, ...] = ()
        self.names = self._first_names()

    def batches(self, columns: Mapping[str, str], *, lists: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Reads all rows; possible once.

        Args:
            columns: names of the columns, at least one, each with the key of the configuration that names it.
            lists: names of the columns that may hold lists.

        Yields:
            Rows in the files' order, columns in the order asked for. Of CSV all columns are texts; Parquet has types of
            its own, which may differ from file to file. A batch takes some tens of megabytes, however large the files.

        Raises:
            DataError: a file cannot be read, lacks a column or is too large; the text names it.
        """
        for number in range(len(self._parts)):
            opened = self._waiting.pop(number, None) or self._opened(number)
            yield from opened.batches(columns, lists=lists)
            self._digests.append(opened.sha256())
            self.notes += tuple(self._named(number, note) for note in opened.notes)
            self.close()

    def sha256(self) -> str:
        """Hexadecimal digest of all files, once all batches were read.

        Of a single file, it is the digest of its bytes as they are stored. Of several files, or of CSV that is not
        written as usual, it is that of how they are written and of the digests of the files in order: the same bytes,
        parted or parsed differently, are another table.

        Raises:
            RuntimeError: not all batches were read.
        """
        if len(self._digests) < len(self._parts):
            raise RuntimeError("the digest of files is known once all of them were read")
        return self._combined(self._digests, has_csv=self._has_csv)

    def _combined(self, digests: Sequence[bytes], *, has_csv: bool) -> str:
        form = self._form.model_dump_json(exclude_defaults=True) if has_csv else "{}"
        if len(digests) == 1 and form == "{}":
            return digests[0].hex()
        return hashlib.sha256(_DIGEST_LABEL + form.encode() + b"\0" + b"".join(digests)).hexdigest()

    def stored_bytes(self) -> int:
        """Bytes of all files as they are stored."""
        return sum(self._over_files(lambda number, file: file.size))

    def digest(self) -> str:
        """What `sha256` will be, from the bytes of all files, none of which is parsed.

        Raises:
            DataError: a file cannot be read or is too large.
        """
        allowance = Allowance(self._allowance.limits)

        def sha256(number: int, file: OpenedFile) -> bytes:
            return HashedStream(file, allowance, self._place.where(self._parts[number].name)).sha256()

        def is_csv(number: int, file: OpenedFile) -> bool:
            return file.size > 0 and not is_parquet(file.read_at(0, FIRST_BYTES))

        return self._combined(list(self._over_files(sha256)), has_csv=any(self._over_files(is_csv)))

    def _over_files(self, function: Callable[[int, OpenedFile], T]) -> Iterator[T]:
        for number, part in enumerate(self._parts):
            file = part.open(self._place)
            try:
                yield function(number, file)
            finally:
                file.close()

    def close(self) -> None:
        """Closes what is open."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _named(self, number: int, note: str) -> str:
        return f"{self._parts[number].name}: {note}" if len(self._parts) > 1 else note

    def _first_names(self) -> tuple[str, ...]:
        """The names of the first file that is not empty, which stays open for its rows."""
        for number in range(len(self._parts)):
            self._waiting[number] = opened = self._opened(number)
            if opened.names:
                return opened.names
            self.close()
        return ()

    def _opened(self, number: int) -> OpenedPart:
        self._file = self._parts[number].open(self._place)
        try:
            return self._recognised(self._parts[number], self._file)
        except BaseException:
            self.close()
            raise

    def _recognised(self, part: Part, file: OpenedFile) -> OpenedPart:
        where, allowance = self._place.where(part.name), self._allowance
        allowance.limits.check_bytes(file.size, where)
        if not file.size and len(self._parts) > 1:
            return _EmptyPart()
        if is_parquet(file.read_at(0, FIRST_BYTES)):
            return ParquetFile(file, allowance, where)
        if part.name.endswith(_PARQUET_SUFFIX):
            raise DataError(
                "cannot be read as Parquet",
                where=where,
                received="other first bytes than those of Parquet",
                fix="write it anew, or do not call it so if it is CSV",
                public_message="a file of its data cannot be read as Parquet",
            )
        self._has_csv = True
        return CsvFile(HashedStream(file, allowance, where), self._form, allowance, where)


class _EmptyPart:
    """A file without any content, as some programs write one for each of their tasks, also for those without rows."""

    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ("is empty",)

    def batches(self, columns: Mapping[str, str], *, lists: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """See `OpenedPart`."""
        yield from ()

    def sha256(self) -> bytes:
        """See `OpenedPart`."""
        return hashlib.sha256().digest()


@contextmanager
def open_source(
    entries: Sequence[Entry], place: DataPlace, *, form: CsvSection, limits: FileLimits
) -> Iterator[Source]:
    """Opens the files of a dataset.

    Args:
        entries: paths of this machine, and addresses of other machines' storage: files, folders and patterns.
        place: the dataset, for errors.
        form: how CSV files are written.
        limits: the largest dataset that the owner allows.

    Yields:
        The source.

    Raises:
        DataError: a file is not there, or the first one cannot be read.
    """
    source = Source(find_parts(entries, place), place, form, limits)
    try:
        yield source
    finally:
        source.close()


def stamps(entries: Sequence[Entry], place: DataPlace) -> tuple[Stamp, ...]:
    """What changes when the files of a dataset do; empty if they cannot be found, which reading them reports.

    Args:
        entries: as for `open_source`.
        place: the dataset.
    """
    try:
        return tuple(part.stamp() for part in find_parts(entries, place))
    except (DataError, OSError, pa.ArrowException):
        return ()
