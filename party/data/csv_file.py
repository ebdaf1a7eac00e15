"""CSV files as columns of text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from party.data.columns import check_names, no_rows
from party.data.limits import FileLimits
from party.errors import DataError

# Arrow must find the end of a row within two blocks, so this bounds how long a row may be.
_BLOCK_BYTES = 1 << 26
_MAXIMUM_HEADER_CHARACTERS = 1 << 20

# Arrow's own text quotes the row that it stumbled over; only these numbers of it may be repeated.
_RAGGED_ROW = re.compile(r"(?:Row #(?P<row>\d+): )?Expected (?P<expected>\d+) columns, got (?P<received>\d+)")


def read_csv(content: bytes, needed: Mapping[str, str], where: str, limits: FileLimits) -> pd.DataFrame:
    """Reads the needed columns of a CSV file, without interpreting any cell.

    Args:
        content: content of the file: UTF-8, fields separated by commas, a header line.
        needed: names of the columns, each with the key of the configuration that names it.
        where: party and file, for errors.
        limits: the owner's limits.

    Returns:
        Text columns; an empty cell is the empty text.

    Raises:
        DataError: the content cannot be parsed, lacks a column or rows, or has too many.
    """
    check_names(read_csv_names(content, where), needed, where)
    _check_quotes(content, where)
    return _parse(content, needed, where, limits)


def read_csv_names(content: bytes, where: str) -> list[str]:
    """Reads the names of the columns of a CSV file.

    Args:
        content: content of the file, as for `read_csv`.
        where: party and file, for errors.

    Returns:
        The fields of its first line that has any.

    Raises:
        DataError: there is none, or it cannot be parsed.
    """
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        header = next((line for line in csv.reader(_header_lines(text, where)) if line), None)
    except UnicodeDecodeError:
        raise _not_utf8(content, where) from None
    except csv.Error:
        raise DataError("header line is no CSV", where=where) from None
    if header is None:
        raise no_rows("is empty", where)
    return header


def _header_lines(text: io.TextIOWrapper, where: str) -> Iterator[str]:
    """The lines until the header has ended, none of them longer than all of it may be."""
    characters = 0
    while line := text.readline(_MAXIMUM_HEADER_CHARACTERS):
        characters += len(line)
        if characters >= _MAXIMUM_HEADER_CHARACTERS:
            raise DataError(
                "header line is too long", where=where, expected=f"fewer than {_MAXIMUM_HEADER_CHARACTERS:,} characters"
            )
        yield line


def _check_quotes(content: bytes, where: str) -> None:
    """Refuses a quote that is never closed: Arrow would take the rest of the file for one cell.

    Only an odd number of quotes can leave the last one open, so that few files pay for the slow strict reading.
    """
    if content.count(b'"') % 2 == 0:
        return
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline="")
    try:
        for _ in csv.reader(lines, strict=True):
            pass
    except csv.Error:
        raise DataError(
            "quotes do not match", where=where, fix='close every quote; write "" for one in a cell'
        ) from None


def _parse(content: bytes, needed: Mapping[str, str], where: str, limits: FileLimits) -> pd.DataFrame:
    """Parses with Arrow, which refuses a row of too few or too many fields where pandas would shift or fill it."""
    try:
        reader = arrow_csv.open_csv(
            pa.BufferReader(content),
            # Without threads an error knows its row.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(needed),
                column_types=dict.fromkeys(needed, pa.string()),
                strings_can_be_null=False,
                check_utf8=True,
            ),
        )
        batches, rows = [], 0
        for batch in reader:
            rows += batch.num_rows
            limits.check_rows(rows, where)
            batches.append(batch)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _not_utf8(content, where) from None
        if "Empty CSV file" in str(error):
            raise no_rows("has no rows", where) from None
        raise _unparsable(str(error), where) from None
    table = pa.Table.from_batches(batches, schema=reader.schema)
    frame: pd.DataFrame = table.to_pandas().astype("str")
    return frame


def _unparsable(message: str, where: str) -> DataError:
    ragged = _RAGGED_ROW.search(message)
    if ragged is None:
        return DataError("cannot be parsed as CSV", where=where, expected=f"rows of at most {_BLOCK_BYTES} bytes")
    line = f"row {ragged['row']}" if ragged["row"] else "a row"
    return DataError(
        f"{line} does not fit the header line",
        where=where,
        expected=f"{ragged['expected']} fields",
        received=str(ragged["received"]),
        fix="quote cells that hold commas",
    )


def _not_utf8(content: bytes, where: str) -> DataError:
    line = next(number for number, part in enumerate(content.split(b"\n"), start=1) if not _is_utf8(part))
    return DataError(f"line {line} is not UTF-8", where=where, fix="save the file as UTF-8")


def _is_utf8(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True
