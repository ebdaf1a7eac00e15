"""What is probably wrong with a CSV file, by what it looks like; no word of it is repeated."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from party.configuration.csv_format import TAB, CsvSection
from party.data.files.columns import looks_like_data
from party.data.files.text_stream import CANDIDATES
from party.errors import DataError

_SEPARATORS = (",", ";", TAB, "|", ":", " ")
_SPELLED = {TAB: "tab"}
_NUL = "\0"
_QUOTED = '"'
UNNAMED_COLUMN = "name all columns: some programs write a first column without a name, that of the rows"
_SEPARATOR_LINE = "sep="

# Arrow's own text quotes the row that it stumbled over; only these numbers of it may be repeated.
_RAGGED_ROW = re.compile(r"(?:Row #(?P<row>\d+): )?Expected (?P<expected>\d+) columns, got (?P<received>\d+)")
_WRONG_TEXT = re.compile(r"Row #(\d+): CSV conversion error to string: invalid UTF8")


def probable_cause(header: Sequence[str], needed: Collection[str], form: CsvSection) -> str:
    """What to do about a first line that lacks columns; empty if nothing comes to mind.

    Args:
        header: its fields.
        needed: names of the columns that are needed.
        form: how the owner says that the files are written.
    """
    if "".join(header).lower().startswith(_SEPARATOR_LINE):
        return "remove the first line, which tells a spreadsheet the separator and holds no names"
    if any(_NUL in name for name in header):
        return f"name the file's encoding in data.csv.encoding: by its NUL characters utf-16-le, or {CANDIDATES}"
    separator = _probable_separator(header, frozenset(needed), form)
    if separator:
        return f"set data.csv.separator: '{_SPELLED.get(separator, separator)}', which the first line holds"
    if form.header and any(map(looks_like_data, header)):
        return "if the first line is a row of data, set data.csv.header: false and data.csv.columns"
    return ""


def _probable_separator(header: Sequence[str], needed: frozenset[str], form: CsvSection) -> str:
    found = len(needed.intersection(name.strip() for name in header))
    line = form.separator.join(header)
    splits = {one: [name.strip().strip(_QUOTED) for name in line.split(one)] for one in _SEPARATORS}
    others = [one for one in _SEPARATORS if one != form.separator and len(splits[one]) > 1]
    best = max(others, key=lambda one: len(needed.intersection(splits[one])), default="")
    if best and len(needed.intersection(splits[best])) > found:
        return best
    # A single column may have any name; only the usual separators are no part of one.
    return next((one for one in others if len(header) == 1 and one in ",;\t|"), "")


def unparsable(message: str, *, rows_before: int, form: CsvSection, where: str, row_bytes: int) -> DataError:
    """Makes the error for rows that Arrow cannot parse.

    Args:
        message: Arrow's own.
        rows_before: number of rows that Arrow did not count: the header line.
        form: how the owner says that the files are written.
        where: party and file.
        row_bytes: how long a row may be.

    Returns:
        The error to raise.
    """
    ragged = _RAGGED_ROW.search(message)
    if ragged is None:
        return DataError(
            "cannot be parsed as CSV",
            where=where,
            expected=f"rows of at most {row_bytes:,} bytes",
            fix=f"close every quote ({form.quote}), or say how the file is written in data.csv",
        )
    separator = _SPELLED.get(form.separator, form.separator)
    row = f"row {int(ragged['row']) + rows_before:,}" if ragged["row"] else "a row"
    is_first = ragged["row"] is not None and int(ragged["row"]) == 1
    unnamed = is_first and int(ragged["received"]) == int(ragged["expected"]) + 1
    return DataError(
        f"{row} does not fit the columns' names",
        where=where,
        expected=f"{ragged['expected']} fields",
        received=str(ragged["received"]),
        fix=f"quote cells that hold the separator ({separator}), and close every quote"
        + (f"; or {UNNAMED_COLUMN}" if unnamed else ""),
    )


def wrong_text(message: str, *, rows_before: int) -> str:
    """The row that is not UTF-8, in words, if that is what Arrow says; else empty.

    Args:
        message: Arrow's own.
        rows_before: number of rows that Arrow did not count.
    """
    row = _WRONG_TEXT.search(message)
    if row is not None:
        return f"row {int(row[1]) + rows_before:,}"
    return "a row" if "UTF8" in message else ""


def open_quote(form: CsvSection, where: str) -> DataError:
    """Makes the error for a quote that is never closed.

    Args:
        form: how the owner says that the files are written.
        where: party and file.

    Returns:
        The error to raise.
    """
    return DataError(
        "quotes do not match",
        where=where,
        expected=f"each quote ({form.quote}) before a cell closed behind it",
        fix="close every quote, write it twice for one in a cell, or set data.csv.quote or data.csv.escape",
    )
