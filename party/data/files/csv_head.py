"""The beginning of a CSV file: the names of its columns, and the number of fields of its first row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypedDict

from party.configuration.csv_format import NO_QUOTE, CsvSection
from party.data.files.columns import no_rows
from party.data.files.hashed_stream import ByteSource
from party.data.files.text_stream import not_encoded
from party.errors import DataError

MAXIMUM_HEADER_CHARACTERS = 1 << 20
_PIECE_BYTES = 1 << 16
_BACKSLASH = "\\"


@dataclass(frozen=True)
class CsvHead:
    """The beginning of a file.

    Attributes:
        names: of the columns, as the header line or the configuration has them.
        first_row: the fields of the first row; None without one, or if it is too long to be looked at.
        rest: what was read of the file and belongs to rows.
        is_header_read: whether the file's first line was one of names.
    """

    names: tuple[str, ...]
    first_row: tuple[str, ...] | None
    rest: bytes
    is_header_read: bool


class _Dialect(TypedDict):
    delimiter: str
    quotechar: str
    quoting: Literal[0, 3]
    doublequote: bool
    escapechar: str | None


def dialect(form: CsvSection) -> _Dialect:
    """How Python's own reader is told of a form of CSV.

    Args:
        form: how the files are written.
    """
    has_backslash = form.escape == "backslash"
    return {
        "delimiter": form.separator,
        "quotechar": '"' if form.quote == NO_QUOTE else form.quote,
        "quoting": csv.QUOTE_NONE if form.quote == NO_QUOTE else csv.QUOTE_MINIMAL,
        "doublequote": not has_backslash,
        "escapechar": _BACKSLASH if has_backslash else None,
    }


def read_head(text: ByteSource, form: CsvSection, where: str) -> CsvHead:
    """Reads the beginning of a file.

    Args:
        text: its text, in UTF-8.
        form: how the files are written.
        where: party and file, for errors.

    Raises:
        DataError: the header line is too long, no CSV, no UTF-8, or absent.
    """
    lines = _Lines(text, form.encoding, where)
    rows = (row for row in csv.reader(lines, **dialect(form)) if row)
    names: tuple[str, ...] | None = form.columns
    if form.header:
        names = _header(rows, where)
    header_bytes = lines.consumed
    first_row = _first_row(lines, rows)
    if names is None:
        raise no_rows("is empty", where)
    return CsvHead(names, first_row, lines.buffer[header_bytes:], form.header)


def _header(rows: Iterator[list[str]], where: str) -> tuple[str, ...] | None:
    try:
        header = next(rows, None)
    except csv.Error:
        raise DataError("header line is no CSV", where=where) from None
    return None if header is None else tuple(header)


def _first_row(lines: _Lines, rows: Iterator[list[str]]) -> tuple[str, ...] | None:
    lines.is_strict = False
    try:
        row = next(rows, None)
    except csv.Error:
        return None
    return None if row is None or lines.is_cut else tuple(row)


class _Lines:
    """The lines of a file, none of them longer than all of the header may be."""

    def __init__(self, text: ByteSource, encoding: str, where: str) -> None:
        self._text, self._encoding, self._where = text, encoding, where
        self.buffer = b""
        self.consumed = 0
        self.is_strict = True  # of the header: rows are only looked at
        self.is_cut = False
        self._has_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._line()
        self.consumed += len(line)
        if not line:
            raise StopIteration
        if self.is_strict and self.consumed >= MAXIMUM_HEADER_CHARACTERS:
            raise DataError(
                "header line is too long",
                where=self._where,
                expected=f"fewer than {MAXIMUM_HEADER_CHARACTERS:,} characters",
            )
        if not self.is_strict:
            return line.decode(errors="replace")
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise not_encoded("header line", self._encoding, self._where) from None

    def _line(self) -> bytes:
        searched = self.consumed
        while True:
            end = self._end(searched)
            if end or self._has_ended:
                return self.buffer[self.consumed : end or len(self.buffer)]
            searched = max(self.consumed, len(self.buffer) - 1)
            if len(self.buffer) - self.consumed >= MAXIMUM_HEADER_CHARACTERS:
                self.is_cut = True
                return self.buffer[self.consumed :] if self.is_strict else b""
            piece = self._text.read(_PIECE_BYTES)
            self.buffer += piece
            self._has_ended = not piece

    def _end(self, searched: int) -> int:
        """Where the line ends, behind its end mark; 0 if that is not known yet."""
        ends = [place for mark in (b"\r", b"\n") if (place := self.buffer.find(mark, searched)) >= 0]
        if not ends:
            return 0
        place = min(ends)
        if self.buffer[place : place + 1] == b"\n":
            return place + 1
        if place + 1 == len(self.buffer) and not self._has_ended:
            return 0  # a line feed may follow
        return place + 2 if self.buffer[place + 1 : place + 2] == b"\n" else place + 1
