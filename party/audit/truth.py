"""The truth that attacks are judged by: secrets of the rows in common, from a file that the auditor has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from party.audit.own_columns import Ints
from party.configuration.features import DataSection
from party.configuration.joins import KeyRule
from party.configuration.labels import BinaryLabel
from party.data.kinds.cells import read_cells
from party.data.labels import read_labels
from party.data.table import FileRules, Table, read_table
from party.data.text_columns import TextColumn, canonical_column_of, text_column_of
from party.errors import DataError

AUDITOR = "auditor"
EQUALITIES = ("==", "!=")
MISSING_CELL = "(missing)"


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth by row of the common order.

    Attributes:
        secrets: 0 or 1 by name, int64 (rows,).
        entities: entity of each row, numbered from 0, int64 (rows,); each row its own without a column that names it.
    """

    secrets: Mapping[str, Ints] = field(repr=False)
    entities: Ints = field(repr=False)


def read_truth(
    path: Path, ids: Sequence[str], rules: Mapping[str, str], *, id_column: str = "ID", entity: str | None = None
) -> Truth:
    """Reads secrets of the rows in common.

    Args:
        path: CSV or Parquet file with a row for each of the ids, in any order, and possibly more.
        ids: sample ids in the common order.
        rules: by name of the secret `COLUMN OPERATOR VALUE`, such as `Gender == F`, as labels have them.
        id_column: column with the sample ids.
        entity: column that names the entity of a row, such as its user; None if each row is one.

    Raises:
        ConfigurationError: a rule cannot be used.
        DataError: the file cannot be used, or lacks a row.
    """
    return truth_of(read_named_table(path, id_column, truth_columns(rules, entity)), ids, rules, entity)


def truth_columns(rules: Mapping[str, str], entity: str | None) -> list[str]:
    """The columns that secrets are read from.

    Args:
        rules: by name of the secret, as for `read_truth`.
        entity: column that names the entity of a row; None if each row is one.
    """
    return [*(one.source for one in map(_as_label, rules.values())), *([] if entity is None else [entity])]


def truth_of(table: Table, ids: Sequence[str], rules: Mapping[str, str], entity: str | None) -> Truth:
    """Secrets of the rows in common, from a table.

    Args:
        table: has `truth_columns`.
        ids: sample ids in the common order.
        rules: by name of the secret, as for `read_truth`.
        entity: column that names the entity of a row; None if each row is one.

    Raises:
        ConfigurationError: a rule cannot be used.
        DataError: the table lacks a row, or a cell cannot be used.
    """
    frame, path = table.aligned(rows_of(table, ids)), table.path
    where = f"{AUDITOR}: {path.name}"
    entities = (
        np.arange(len(ids)) if entity is None else read_cells(frame[entity], (), f"{where}: column {entity}").codes
    )
    if not rules:
        return Truth({}, entities)
    # A rule compares values, also of a column that a feature reads as it is written.
    sources = {one.source for one in map(_as_label, rules.values())}
    frame = frame.with_columns({name: canonical_column_of(frame[name]) for name in sources})
    compared = {one.source for one in map(_as_label, rules.values()) if one.parts[1] in EQUALITIES}
    # A missing cell is no value that a secret could be equal to, and differs from all of them.
    frame = frame.with_columns({name: _without_empty(frame[name]) for name in compared})
    section = DataSection.model_validate(
        {
            "id": table.known_ids.name,
            "datasets": {table.dataset: path.name},
            "labels": {name: {"rule": rule} for name, rule in rules.items()},
        }
    )
    values = read_labels(AUDITOR, section, frame, path.name).values
    return Truth({name: values[:, place].astype(np.int64) for place, name in enumerate(rules)}, entities)


def _without_empty(column: TextColumn) -> TextColumn:
    texts = column.by_row()
    return text_column_of(np.where(texts == "", MISSING_CELL, texts))


def read_named_table(path: Path, id_column: str, columns: Collection[str]) -> Table:
    """Reads columns of a file of the auditor.

    Args:
        path: CSV or Parquet file.
        id_column: column with the sample ids.
        columns: the columns to read.

    Raises:
        DataError: the file cannot be used.
    """
    return read_table(AUDITOR, "truth", path, columns=columns, rules=FileRules(id_rule=KeyRule((id_column,))))


def rows_of(table: Table, ids: Sequence[str]) -> Ints:
    """Row numbers of a file for ids.

    Args:
        table: the file.
        ids: sample ids in the common order.

    Raises:
        DataError: the file lacks a row; the error counts them.
    """
    names = map(str, range(table.rows)) if table.ids is None else table.ids
    place = {name: row for row, name in enumerate(names)}
    rows = np.fromiter((place.get(name, -1) for name in ids), np.int64, len(ids))
    lacking = int((rows < 0).sum())
    if lacking:
        raise DataError(
            "lacks rows of the recording",
            where=table.path,
            expected=f"a row for each of {len(ids)} ids",
            received=f"{lacking} ids without one",
        )
    return rows


def _as_label(rule: str) -> BinaryLabel:
    return BinaryLabel(rule=rule)
