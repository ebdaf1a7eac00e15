"""A party's CSV file, read as text: sample ids and the columns that are needed."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from party.errors import DataError

# Arrow must find the end of a row within two blocks, so this bounds how long a row may be.
_BLOCK_BYTES = 1 << 26

# Arrow's own text quotes the row that it stumbled over; only these numbers of it may be repeated.
_RAGGED_ROW = re.compile(r"(?:Row #(?P<row>\d+): )?Expected (?P<expected>\d+) columns, got (?P<received>\d+)")


@dataclass(frozen=True, eq=False)
class Table:
    """One dataset of a party, every cell as the text that the file holds.

    Attributes:
        dataset: name of the dataset.
        path: the file that was read.
        ids: sample ids in the file's order, each once, none empty.
        columns: the needed columns, text, rows in the file's order.
        sha256: hexadecimal digest of the very bytes that were parsed.
    """

    dataset: str
    path: Path
    ids: pd.Index[str] = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    sha256: str

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return len(self.ids)

    def aligned(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """The columns with rows chosen and ordered.

        Args:
            rows: row numbers of the file, shape (aligned rows,), each from 0 to `rows` - 1.

        Returns:
            The rows in the given order, numbered anew from 0.
        """
        return self.columns.iloc[rows].reset_index(drop=True)


def read_table(party: str, dataset: str, path: Path, id_column: str, columns: Collection[str]) -> Table:
    """Reads the needed columns of a CSV file with a header line, without interpreting any cell.

    Args:
        party: own name, for errors.
        dataset: name of the dataset.
        path: the CSV file: UTF-8, fields separated by commas.
        id_column: column with the sample ids.
        columns: columns of features and label.

    Returns:
        The table. An empty cell is the empty text; ids are neither stripped nor normalised.

    Raises:
        DataError: the file cannot be read or parsed, lacks a column, has a column twice, has no rows,
            or has empty or repeated ids.
    """
    where = f"{party}: {path.name}"
    content = _read_bytes(path, where, dataset)
    needed = list(dict.fromkeys([id_column, *columns]))
    _check_header(_read_header(content, where), needed, where)
    _check_quotes(content, where)
    frame = _parse(content, needed, where)
    if frame.empty:
        raise _no_rows("has no rows", where)
    _check_ids(frame[id_column], f"{where}: column {id_column}")
    return Table(
        dataset=dataset,
        path=path,
        ids=pd.Index(frame[id_column]),
        columns=frame[list(dict.fromkeys(columns))],
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _read_bytes(path: Path, where: str, dataset: str) -> bytes:
    fix = f"check data.datasets.{dataset}"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError("file not found", where=where, fix=fix) from None
    except IsADirectoryError:
        raise DataError("is a folder", where=where, expected="a CSV file", fix=fix) from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.__class__.__name__})", where=where, fix=fix) from error


def _read_header(content: bytes, where: str) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        header = next((line for line in csv.reader(text) if line), None)
    except UnicodeDecodeError:
        raise _not_utf8(where) from None
    except csv.Error:
        raise DataError("header line is no CSV", where=where) from None
    if header is None:
        raise _no_rows("is empty", where)
    return header


def _check_header(header: Sequence[str], needed: Sequence[str], where: str) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise _missing_columns(header, needed, missing, where)
    # Twice among the columns that nobody needs is harmless, but says that the file is not what its owner thinks.
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        names = ", ".join(twice)
        raise DataError(f"columns named twice: {names}", where=where, expected="each name once in the header line")


def _missing_columns(header: Sequence[str], needed: Sequence[str], missing: Sequence[str], where: str) -> DataError:
    nearest = {name: difflib.get_close_matches(name, header, n=1) for name in missing}
    named = ", ".join(f"{name} (did you mean {near[0]}?)" if near else name for name, near in nearest.items())
    if len(missing) == len(needed) and not any(nearest.values()):
        # Such a first line may well be a row of data, which an error must not repeat.
        return DataError(
            f"first line names none of the columns {named}",
            where=where,
            received=f"{len(header)} fields in the first line",
            fix="the first line must hold the columns' names, separated by commas",
        )
    return DataError(
        f"columns missing: {named}", where=where, received=f"columns {', '.join(header)}", fix="check data.features"
    )


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


def _parse(content: bytes, needed: Sequence[str], where: str) -> pd.DataFrame:
    """Parses with Arrow, which refuses a row of too few or too many fields where pandas would shift or fill it."""
    try:
        table = arrow_csv.read_csv(
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
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _not_utf8(where) from None
        if "Empty CSV file" in str(error):
            raise _no_rows("has no rows", where) from None
        raise _unparsable(str(error), where) from None
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


def _no_rows(what: str, where: str) -> DataError:
    return DataError(what, where=where, expected="a header line and at least one row")


def _not_utf8(where: str) -> DataError:
    return DataError("is not UTF-8", where=where, fix="save the file as UTF-8")


def _check_ids(ids: pd.Series[str], where: str) -> None:
    empty = int((ids == "").sum())
    if empty:
        raise DataError("empty ids", where=where, expected="an id in every row", received=f"{empty} rows without one")
    repeated = int(ids[ids.duplicated()].nunique())
    if repeated:
        raise DataError(
            "ids are not unique",
            where=where,
            expected="each id in one row",
            received=f"{repeated} ids that appear more than once",
        )
