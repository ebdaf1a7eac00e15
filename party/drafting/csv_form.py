"""How a CSV file is written, guessed from its beginning."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from party.configuration.csv_format import TAB, CsvSection
from party.data.files.columns import looks_like_data
from party.data.files.csv_head import dialect
from party.data.files.first_bytes import FIRST_BYTES, is_parquet, marked_encoding
from party.data.files.hashed_stream import HashedStream
from party.data.files.limits import Allowance, FileLimits
from party.data.files.parts import Entry, find_parts
from party.data.files.place import DataPlace
from party.data.files.text_stream import open_text

SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 200
SEPARATORS = (",", ";", TAB, "|")
_BYTE_FOR_BYTE = "latin-1"  # a character for each byte: what was read is again what the file holds
_PIECE_BYTES = 1 << 20
_NUMBERS_SHARE = 0.34  # of the first line's cells, from which it is no line of names
_FEWEST_FIELDS = 2


@dataclass(frozen=True)
class GuessedForm:
    """How CSV files are written.

    Attributes:
        section: as the configuration has it.
        remarks: why, in sentences for the owner.
    """

    section: CsvSection
    remarks: tuple[str, ...] = ()


def guess_form(entries: Sequence[Entry], place: DataPlace, known: Collection[str] = ()) -> GuessedForm:
    """Guesses how a dataset's files are written, from the first of them.

    Args:
        entries: its files, as for `open_source`.
        place: the dataset, for errors.
        known: names of columns that the owner gave: a first line with one of them is one of names.

    Returns:
        The form; the usual one for Parquet.

    Raises:
        DataError: there is no file, or it cannot be read.
    """
    part = find_parts(entries, place)[0]
    where = place.where(part.name)
    with closing(part.open(place)) as file:
        first = file.read_at(0, FIRST_BYTES)
        if is_parquet(first):
            return GuessedForm(CsvSection())
        marked = marked_encoding(first)
        allowance = Allowance(FileLimits())
        if marked is not None:
            text = open_text(HashedStream(file, allowance, where), marked, allowance, where)
            return _form(text.read(SAMPLE_BYTES).decode(errors="replace"), marked, known)
        source = open_text(HashedStream(file, allowance, where), _BYTE_FOR_BYTE, allowance, where)
        decoder, sample, encoding = codecs.getincrementaldecoder("utf-8")(), b"", "utf-8"
        while piece := source.read(_PIECE_BYTES):
            content = piece.decode().encode(_BYTE_FOR_BYTE)
            sample += content[: SAMPLE_BYTES - len(sample)]
            try:
                decoder.decode(content)
            except UnicodeDecodeError:
                encoding = "cp1252"
                break
    if encoding == "cp1252" and not _decodes(sample, encoding):
        encoding = _BYTE_FOR_BYTE
    return _form(sample.decode(encoding, errors="replace").removeprefix("\ufeff"), encoding, known)


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _form(sample: str, encoding: str, known: Collection[str]) -> GuessedForm:
    lines = sample.splitlines(keepends=True)
    if len(lines) > 1 and len(sample) >= SAMPLE_BYTES // 4:
        lines = lines[:-1]  # the last one may be cut
    escape = "backslash" if '\\"' in sample else "double"
    best, rows = _best_separator(lines, escape)
    remarks = []
    if encoding not in ("utf-8", "utf-16", "utf-32"):
        remarks.append(f"the file is not UTF-8; {encoding} is a guess: look at letters with accents")
    if best != ",":
        remarks.append(f"cells stand between {'tabs' if best == TAB else best}")
    form = {"separator": best, "encoding": encoding, "escape": escape}
    if rows and not _is_header(rows[0], known):
        columns = tuple(f"column_{number}" for number in range(1, len(rows[0]) + 1))
        remarks.append("the first line looks like a row of data, so the names of columns are made up: give better ones")
        return GuessedForm(CsvSection.model_validate({**form, "header": False, "columns": columns}), tuple(remarks))
    return GuessedForm(CsvSection.model_validate(form), tuple(remarks))


def _best_separator(lines: Sequence[str], escape: str) -> tuple[str, list[list[str]]]:
    """The separator by which most rows have as many fields as the first line; else the one with most fields."""
    scored = []
    for place, separator in enumerate(SEPARATORS):
        rows = _rows(lines, CsvSection.model_validate({"separator": separator, "escape": escape}))
        width = len(rows[0]) if rows else 0
        fitting = sum(len(row) == width for row in rows) / max(1, len(rows))
        scored.append(((width >= _FEWEST_FIELDS, fitting, width, -place), separator, rows))
    (is_split, *_), separator, rows = max(scored, key=lambda one: one[0])
    return (separator, rows) if is_split else (SEPARATORS[0], scored[0][2])


def _rows(lines: Sequence[str], form: CsvSection) -> list[list[str]]:
    reader = csv.reader(lines, **dialect(form))
    try:
        return list(islice((row for row in reader if row), SAMPLE_ROWS))
    except csv.Error:
        return []


def _is_header(names: Sequence[str], known: Collection[str]) -> bool:
    given = [name for name in names if name.strip()]
    if any(name.strip() in known for name in given):
        return True
    return sum(map(looks_like_data, given)) <= _NUMBERS_SHARE * len(given)
