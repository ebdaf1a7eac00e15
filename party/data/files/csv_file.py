"""CSV files as record batches of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from party.configuration.csv_format import NO_QUOTE, CsvSection
from party.data.files.columns import FoundColumns, check_names
from party.data.files.csv_head import CsvHead, read_head
from party.data.files.csv_words import UNNAMED_COLUMN, open_quote, probable_cause, unparsable, wrong_text
from party.data.files.first_bytes import UTF8_MARK
from party.data.files.hashed_stream import ByteSource, HashedStream, ReadableStream
from party.data.files.limits import Allowance
from party.data.files.text_stream import not_encoded, open_text
from party.errors import DataError

# Arrow must find the end of a row within two blocks, so this bounds how long a row may be. It reads up to 32 blocks
# ahead, so it bounds memory too.
BLOCK_BYTES = 1 << 22
# A row after the last one: if a quote is still open, it becomes a part of a cell. No text holds this character.
_END = "\U0010fffe"


class CsvFile:
    """One CSV file, read once.

    Args:
        stream: its bytes.
        form: how it is written.
        allowance: counts its text and its rows.
        where: party and file, for errors.

    Attributes:
        names: of all columns.
        notes: what its owner should know of it, in sentences.

    Raises:
        DataError: its beginning is no CSV.
    """

    def __init__(self, stream: HashedStream, form: CsvSection, allowance: Allowance, where: str) -> None:
        self._stream, self._form, self._allowance, self._where = stream, form, allowance, where
        self._text = open_text(stream, form.encoding, allowance, where)
        self._head = read_head(self._text, form, where)
        self.names = self._head.names
        self.notes: tuple[str, ...] = ()

    def sha256(self) -> bytes:
        """Digest of the whole file, 32 bytes, to be asked for once all batches were read."""
        return self._stream.sha256()

    def batches(self, columns: Mapping[str, str], *, lists: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Reads the rows, without interpreting any cell.

        Args:
            columns: names of the columns, at least one, each with the key of the configuration that names it.
            lists: has no meaning for CSV, which holds texts alone.

        Yields:
            Rows: text columns without nulls; an empty cell is the empty text.

        Raises:
            DataError: the file cannot be parsed, lacks a column, or is too large.
        """
        are_given = not self._head.is_header_read
        cause = None if are_given else partial(probable_cause, self.names, columns, self._form)
        found = check_names(self.names, columns, self._where, are_names=are_given, cause=cause)
        if are_given:
            self._check_first_row()
        self.notes = found.notes
        width = self._width()
        surplus = width - len(self.names)
        if surplus > 0:
            self.notes += ("rows end with a separator",)
        for batch in self._parsed(found, width):
            self._allowance.add_rows(batch.num_rows, self._where)
            if surplus > 0:
                self._check_surplus(batch.column(len(columns)))
            yield pa.record_batch(batch.columns[: len(columns)], names=list(columns))

    def _width(self) -> int:
        """Number of fields of a row: a separator at the end of either the header or all rows does not count."""
        names, first_row = self.names, self._head.first_row
        if first_row is None:
            return len(names)
        if len(first_row) == len(names) + 1 and not first_row[-1]:
            return len(first_row)
        if len(first_row) == len(names) - 1 and not names[-1].strip():
            return len(first_row)
        return len(names)

    def _check_first_row(self) -> None:
        """Refuses a file that has a header line although its owner says that it has none."""
        first_row = self._head.first_row or ()
        if tuple(cell.strip() for cell in first_row[: len(self.names)]) == self.names:
            raise DataError(
                "first line holds the names of the columns, and data.csv.header says that there is no such line",
                where=self._where,
                fix="leave data.csv.header and data.csv.columns out",
            )

    def _check_surplus(self, cells: pa.Array) -> None:
        if compute.max(compute.binary_length(cells)).as_py():
            raise DataError(
                "rows have one field more than there are names",
                where=self._where,
                fix=UNNAMED_COLUMN,
            )

    def _parsed(self, found: FoundColumns, width: int) -> Iterator[pa.RecordBatch]:
        """Parses with Arrow, which refuses a row of too few or too many fields where pandas would shift or fill it."""
        places = [*found.places.values(), *([width - 1] if width > len(self.names) else [])]
        rows_before = int(self._head.is_header_read)
        try:
            with self._reader(places, width) as reader:
                held = None
                for batch in reader:
                    if batch.num_rows and held is not None:
                        yield held
                    held = batch if batch.num_rows else held
                yield from self._without_end(held)
        except pa.ArrowInvalid as error:
            row = wrong_text(str(error), rows_before=rows_before)
            if row:
                raise not_encoded(row, self._form.encoding, self._where) from None
            raise unparsable(
                str(error), rows_before=rows_before, form=self._form, where=self._where, row_bytes=BLOCK_BYTES
            ) from None

    def _without_end(self, last: pa.RecordBatch | None) -> Iterator[pa.RecordBatch]:
        if last is None or any(cells[-1].as_py() != _END for cells in last.columns):
            raise open_quote(self._form, self._where)
        if last.num_rows > 1:
            yield last.slice(0, last.num_rows - 1)

    def _reader(self, places: list[int], width: int) -> arrow_csv.CSVStreamingReader:
        names = [str(place) for place in range(width)]  # those of the file may be odd, or stand there twice
        end = "\n" + self._form.separator.join([_END] * width) + "\n"
        has_quotes, has_backslash = self._form.quote != NO_QUOTE, self._form.escape == "backslash"
        return arrow_csv.open_csv(
            pa.PythonFile(_Rows(self._head, self._text, end.encode()), mode="r"),
            # Without threads an error knows its row.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._form.separator,
                quote_char=self._form.quote if has_quotes else False,
                double_quote=not has_backslash,
                escape_char="\\" if has_backslash else False,
                newlines_in_values=True,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[names[place] for place in places],
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=True,
            ),
        )


class _Rows(ReadableStream):
    """The text behind the header line, and a row after the last one."""

    def __init__(self, head: CsvHead, text: ByteSource, end: bytes) -> None:
        super().__init__()
        # Arrow leaves out a byte order mark where its input begins, which here is in the middle of the file.
        self._waiting, self._text, self._end = UTF8_MARK + head.rest, text, end

    def read(self, size: int = -1, /) -> bytes:
        """See `ByteSource`."""
        wanted = BLOCK_BYTES if size < 0 else size
        pieces, length = [self._waiting], len(self._waiting)
        while length < wanted and (piece := self._text.read(wanted - length)):
            pieces.append(piece)
            length += len(piece)
        content = b"".join(pieces)
        if length < wanted:
            content, self._end = content + self._end, b""
        self._waiting = content[wanted:]
        return content[:wanted]
