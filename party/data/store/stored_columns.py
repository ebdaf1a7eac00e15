"""The columns of one file, on disk: distinct texts and the number of each row's text, mapped into memory.

A folder holds `columns.json`, and for each column its texts as an Arrow file and, where texts may repeat, the number of
each row's text as little-endian int32. It is written as a whole or not at all, and never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationError

from party.configuration.strict import StrictModel
from party.data.text_columns import TextColumn, TextColumns
from party.errors import StorageError
from party.security.files import read_private

DESCRIPTION = "columns.json"
TEXTS = "texts"
_CODES = "codes"


class StoredColumn(StrictModel):
    """One column of a store.

    Attributes:
        name: name of the column.
        number: of its files.
        repeats: whether texts may repeat, so that rows have numbers of distinct texts; otherwise there is one text for
            each row.
    """

    name: str
    number: int = Field(ge=0)
    repeats: bool


class Description(StrictModel):
    """What a store holds.

    Attributes:
        format: version of the form on disk.
        rows: number of rows.
        sha256: hexadecimal digest of the files.
        notes: what the owner should know of the files, in sentences.
        merged: by column, the number of distinct texts that were made one with another.
        columns: its columns.
    """

    format: Literal[1] = 1
    rows: int = Field(ge=0)
    sha256: str
    notes: tuple[str, ...] = Field(strict=False)
    merged: dict[str, int]
    columns: tuple[StoredColumn, ...] = Field(strict=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredColumns:
    """The columns of a store.

    Attributes:
        rows: number of rows.
        repeating: columns whose texts may repeat.
        plain: by name of a column whose texts stand for themselves, the text of each row; Arrow arrays.
        sha256: hexadecimal digest of the files.
        notes: what the owner should know of the files, in sentences.
        merged: by column, the number of distinct texts that were made one with another.
    """

    rows: int
    repeating: TextColumns
    plain: Mapping[str, Any]
    sha256: str
    notes: tuple[str, ...]
    merged: Mapping[str, int]


def open_columns(folder: Path) -> StoredColumns:
    """Maps the columns of a store into memory.

    Args:
        folder: of the store.

    Raises:
        StorageError: it is damaged, or of another version.
    """
    description = describe(folder)
    repeating, plain = {}, {}
    try:
        for column in description.columns:
            texts = mapped_texts(texts_path(folder, column.number))
            if column.repeats:
                repeating[column.name] = TextColumn(_codes(folder, column, description.rows, len(texts)), texts)
            elif len(texts) == description.rows:
                plain[column.name] = texts
            else:
                raise damaged(folder)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise damaged(folder) from error
    return StoredColumns(
        rows=description.rows,
        repeating=TextColumns(repeating, description.rows),
        plain=plain,
        sha256=description.sha256,
        notes=description.notes,
        merged=description.merged,
    )


def describe(folder: Path) -> Description:
    """What a store holds.

    Args:
        folder: of the store.

    Raises:
        StorageError: it is unfinished, damaged or of another version.
    """
    try:
        return Description.model_validate_json(read_private(folder / DESCRIPTION))
    except (ValidationError, OSError, ValueError) as error:
        raise damaged(folder) from error


def texts_path(folder: Path, number: int) -> Path:
    """The file of a column's texts."""
    return folder / f"{number}.{TEXTS}"


def codes_path(folder: Path, number: int) -> Path:
    """The file of the numbers of each row's text."""
    return folder / f"{number}.{_CODES}"


def mapped_texts(path: Path) -> Any:
    """The texts of a column, an Arrow array that is mapped from its file."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    chunks = table.column(TEXTS)
    return chunks.chunk(0) if chunks.num_chunks == 1 else pa.concat_arrays(chunks.chunks or [pa.array([], chunks.type)])


def damaged(folder: Path) -> StorageError:
    """Makes the error for a store that cannot be used."""
    return StorageError(
        "the stored columns of a file cannot be read",
        where=folder,
        fix="remove the folder: it is made anew from the file",
        public_message="the stored columns of a file cannot be read",
    )


def _codes(folder: Path, column: StoredColumn, rows: int, texts: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    path = codes_path(folder, column.number)
    if path.stat().st_size != rows * np.dtype("<i4").itemsize:
        raise damaged(folder)
    if rows == 0:
        return np.zeros(0, np.int32)
    codes = np.asarray(np.memmap(path, dtype="<i4", mode="r"))
    if codes.min() < 0 or codes.max() >= texts:
        raise damaged(folder)
    return codes


def description_bytes(description: Description) -> bytes:
    """The content of DESCRIPTION."""
    return json.dumps(description.model_dump(mode="json"), indent=1).encode()
