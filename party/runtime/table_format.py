"""The form of a file of large tables: a header, the bytes of all rows or of some, and a digest of both.

It is written and read from front to end, a piece at a time: a table may take most of the memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from party.cut.large_table import Matrix
from party.protocol.checkpoints import Mark
from party.security.files import writing_atomically

MAGIC = b"vsl/1 tables\0"
LENGTH_BYTES = 8
DIGEST_BYTES = hashlib.sha256().digest_size
PIECE_BYTES = 1 << 22
LONGEST_HEADER_BYTES = 1 << 20
ROW_NUMBER = np.dtype("<i8")
FLOATS = frozenset({"<f2", "<f4", "<f8"})


@dataclass(frozen=True)
class TablesReference:
    """Names one file of tables, and its content.

    Attributes:
        mark: the point that it was written for.
        digest: SHA-256 of its content.
    """

    mark: Mark
    digest: bytes


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """A table in a file.

    Attributes:
        name: its name in the state.
        dtype: its type, in NumPy's notation.
        rows: number of its rows.
        columns: number of its columns.
        held: number of rows that the file holds.
    """

    name: str
    dtype: str
    rows: int
    columns: int
    held: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.columns * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class TablesHeader:
    """What a file of tables holds.

    Attributes:
        tables: its tables, in the order of their content.
        base: the file of whole tables that its rows replace rows of, each with its number before them; None if its own
            tables are whole.
    """

    tables: tuple[TableSpec, ...]
    base: TablesReference | None

    def pack(self) -> bytes:
        """The beginning of a file."""
        base = self.base
        named = None if base is None else [base.mark.step, base.mark.lineage.hex(), base.digest.hex()]
        text = json.dumps({"base": named, "tables": [asdict(one) for one in self.tables]}).encode()
        return MAGIC + len(text).to_bytes(LENGTH_BYTES, "big") + text

    @property
    def content_bytes(self) -> int:
        """Bytes between header and digest."""
        number = 0 if self.base is None else ROW_NUMBER.itemsize
        return sum(one.held * (one.row_bytes + number) for one in self.tables)


def write_tables(path: Path, header: TablesHeader, pieces: Iterable[memoryview]) -> bytes:
    """Writes a file, as a whole or not at all.

    Args:
        path: the file; its folder exists.
        header: what it holds.
        pieces: its content.

    Returns:
        Its digest.

    Raises:
        StorageError: it cannot be written.
    """
    digest, beginning = hashlib.sha256(), header.pack()
    with writing_atomically(path) as file:
        digest.update(beginning)
        file.write(beginning)
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())
    return digest.digest()


def pieces_of(array: Matrix) -> Iterator[memoryview]:
    """The bytes of an array, a piece at a time."""
    view = np.ascontiguousarray(array).data.cast("B") if array.size else memoryview(b"")
    for start in range(0, len(view), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


class TablesReader:
    """A file of tables, read from front to end.

    Args:
        file: the open file, at its beginning.

    Attributes:
        header: what it holds; not to be relied on before `finish`.
        stated_digest: the digest at its end; not compared before `finish`.

    Raises:
        ValueError: it is no such file, or cut short; the message holds nothing of its content.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        beginning = self._read(len(MAGIC) + LENGTH_BYTES)
        length = int.from_bytes(beginning[len(MAGIC) :], "big")
        if not beginning.startswith(MAGIC) or length > LONGEST_HEADER_BYTES:
            raise ValueError("it is no file of tables, or cut short")
        self.header = _parsed(self._read(length))
        expected = len(beginning) + length + self.header.content_bytes + DIGEST_BYTES
        if os.fstat(file.fileno()).st_size != expected:
            raise ValueError("it has another length than it should")
        self.stated_digest = os.pread(file.fileno(), DIGEST_BYTES, expected - DIGEST_BYTES)

    def fill(self, array: Matrix) -> None:
        """Reads the next bytes into an array.

        Args:
            array: contiguous; overwritten.

        Raises:
            ValueError: the file is cut short.
        """
        for piece in pieces_of(array):
            if self._file.readinto(piece) != len(piece):
                raise ValueError("it is cut short")
            self._digest.update(piece)

    def finish(self) -> bytes:
        """Compares the digest once all content was read.

        Returns:
            The digest.

        Raises:
            ValueError: the content is not what was written.
        """
        digest = self._digest.digest()
        if digest != self.stated_digest:
            raise ValueError("its digest is another one")
        return digest

    def _read(self, length: int) -> bytes:
        content = self._file.read(length)
        if len(content) != length:
            raise ValueError("it is no file of tables, or cut short")
        self._digest.update(content)
        return content


def _parsed(text: bytes) -> TablesHeader:
    try:
        content = json.loads(text)
        tables = tuple(TableSpec(**one) for one in content["tables"])
        base = None if content["base"] is None else _reference(*content["base"])
    except (ValueError, TypeError, KeyError):
        raise ValueError("its header cannot be read") from None
    whole = base is None
    if not all(_is_possible(one) and (one.held == one.rows or not whole) for one in tables):
        raise ValueError("its header cannot be read")
    return TablesHeader(tables, base)


def _reference(step: int, lineage: str, digest: str) -> TablesReference:
    return TablesReference(Mark(int(step), bytes.fromhex(lineage)), bytes.fromhex(digest))


def _is_possible(spec: TableSpec) -> bool:
    counts = (spec.rows, spec.columns, spec.held)
    return spec.dtype in FLOATS and all(type(one) is int and one >= 0 for one in counts) and spec.held <= spec.rows
