"""The columns of a dataset's files as texts, as they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import compute

from party.configuration.datetime_feature import DateFormat
from party.configuration.numeric_feature import COMMA
from party.data.files.source import Source
from party.data.kinds.moments import in_format
from party.data.text_columns import TextColumn, TextColumns, text_column
from party.data.values.keys import canonical_keys
from party.data.values.texts import CanonicalColumn, canonical_column, canonical_texts
from party.data.values.types import is_date, is_number, is_text, plain_type

_MEANING = 1  # version of what a cell means, and so of what is kept of it


@dataclass(frozen=True, kw_only=True)
class NeededColumns:
    """What is read of the files of a dataset.

    Attributes:
        needed: the columns, each with the key of the configuration that names it.
        ids: columns of the ids of the rows.
        keys: columns of ids and keys, whose texts are those of keys.
        cells: columns whose texts are those of values, each with whether they stay as they are written.
        lists: columns that may hold lists.
        commas: columns whose texts have a decimal comma.
        formats: how the texts of columns of dates are written.
        where: party and files, for errors.
    """

    needed: Mapping[str, str]
    ids: Collection[str]
    keys: Collection[str]
    cells: Mapping[str, bool]
    lists: Collection[str]
    commas: Collection[str] = ()
    formats: Mapping[str, DateFormat] = field(default_factory=dict)
    where: str

    def place(self, column: str) -> str:
        """Party, files and column, for errors."""
        return f"{self.where}: column {column}"

    def digest(self) -> str:
        """Hexadecimal digest of all that decides what is kept of a file."""
        content = {
            "meaning": _MEANING,
            "ids": sorted(self.ids),
            "keys": sorted(self.keys),
            "cells": dict(sorted(self.cells.items())),
            "lists": sorted(set(self.lists) & set(self.needed)),
            "commas": sorted(set(self.commas) & set(self.needed)),
            "formats": {name: style for name, style in sorted(self.formats.items()) if name in self.needed},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadColumns:
    """The columns of a dataset.

    Attributes:
        rows: number of rows.
        ids: by column, the ids of the rows where nothing else is made of them; Arrow arrays of large_string without
            nulls.
        keys: the other columns that ids or keys are made of.
        cells: the other columns.
        merged: by column, the number of distinct texts that are written differently but are the same value.
        sha256: hexadecimal digest of the files.
        notes: what the owner should know of the files, in sentences.
    """

    rows: int
    ids: Mapping[str, Any] = field(repr=False)
    keys: Mapping[str, TextColumn] = field(repr=False)
    cells: TextColumns = field(repr=False)
    merged: Mapping[str, int]
    sha256: str
    notes: tuple[str, ...]


def read_columns(source: Source, columns: NeededColumns) -> ReadColumns:
    """Reads all rows into memory.

    Args:
        source: the open files.
        columns: what is needed of them.

    Raises:
        DataError: a file cannot be parsed, is too large, or a cell or a type of a column cannot be used.
    """
    runs: dict[str, list[list[pa.Array]]] = {name: [] for name in columns.needed}
    for batch in batches_of(source, columns):
        for name, column in batch.items():
            if not runs[name] or runs[name][-1][0].type != column.type:
                runs[name].append([])
            runs[name][-1].append(column)
    chunked = {name: [pa.chunked_array(run) for run in found] for name, found in runs.items()}
    rows = sum(map(len, next(iter(chunked.values()), [])))
    keys = {name: _keys(chunked[name], columns.place(name)) for name in columns.keys}
    cells = {name: _cells(chunked[name], name, columns) for name in columns.cells}
    return ReadColumns(
        rows=rows,
        ids={name: keys[name] for name in columns.ids},
        keys={name: text_column(one) for name, one in keys.items() if name not in columns.ids},
        cells=TextColumns({name: text_column(one.texts) for name, one in cells.items()}, rows),
        merged={name: one.merged for name, one in cells.items() if one.merged},
        sha256=source.sha256(),
        notes=source.notes,
    )


def batches_of(source: Source, columns: NeededColumns) -> Iterator[Mapping[str, pa.Array]]:
    """The rows of a source, some at a time.

    Args:
        source: the open files.
        columns: what is needed of them.

    Yields:
        Arrow arrays by column, in the types of the files.
    """
    for batch in source.batches(columns.needed, lists=columns.lists):
        yield dict(zip(batch.schema.names, batch.columns, strict=True))


def _keys(runs: Sequence[pa.ChunkedArray], where: str) -> pa.ChunkedArray:
    texts = [canonical_keys(run, where=where) for run in runs]
    return pa.chunked_array([chunk for one in texts for chunk in one.chunks], pa.large_string())


def _cells(runs: Sequence[pa.ChunkedArray], name: str, columns: NeededColumns) -> CanonicalColumn:
    chunks = [chunk for run in runs for chunk in written_texts(run, name, columns).chunks]
    return meaning_of(pa.chunked_array(chunks, pa.large_string()), name, columns)


def written_texts(column: pa.Array | pa.ChunkedArray, name: str, columns: NeededColumns) -> pa.ChunkedArray:
    """The texts of a column as they are written; values of other types have their one text at once.

    Args:
        column: some rows of the column, in the type of their file.
        name: name of the column.
        columns: what is needed.

    Raises:
        DataError: the column is of a type that is not read, or a text of it cannot be used.
    """
    kind = plain_type(column.type)
    as_written = columns.cells[name] or is_text(kind)
    texts = canonical_texts(column, exact=as_written, where=columns.place(name))
    # What is a number or a date by its type is the same one, however texts of the column are written.
    if name in columns.commas and is_number(kind):
        return compute.replace_substring(texts, ".", COMMA)
    return _in_format(texts, columns.formats[name]) if name in columns.formats and is_date(kind) else texts


def _in_format(texts: pa.ChunkedArray, style: DateFormat) -> pa.ChunkedArray:
    encoded = [chunk.dictionary_encode() for chunk in texts.chunks]
    written = [pa.array([in_format(text, style) for text in one.dictionary.to_pylist()], texts.type) for one in encoded]
    chunks = [texts_of.take(one.indices) for texts_of, one in zip(written, encoded, strict=True)]
    return pa.chunked_array(chunks, texts.type)


def meaning_of(texts: pa.Array | pa.ChunkedArray, name: str, columns: NeededColumns) -> CanonicalColumn:
    """What the texts of a column mean, and how many of them are another notation of a value that it holds besides.

    Args:
        texts: from `written_texts`; of all rows, or each once.
        name: name of the column.
        columns: what is needed.

    Raises:
        DataError: a text cannot be used.
    """
    return canonical_column(texts, exact=columns.cells[name], where=columns.place(name))
