"""Columns as groups of rows, for penalties, attacks and metrics that ask which group a row belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from party.data.kinds.cells import Cells, parse_number, read_cells
from party.data.text_columns import TextColumns
from party.errors import DataError
from party.metrics.groups import NO_GROUP

MOST_TEXTS = 64  # a column with more distinct cells must hold numbers
NUMBER_GROUPS = 8


def row_groups(
    table: TextColumns, columns: Sequence[str], training_rows: NDArray[np.integer[Any]], where: str
) -> NDArray[np.int32]:
    """Puts the rows into groups, separately for each column.

    A group is a distinct text. A column with more than MOST_TEXTS of them must hold numbers, and is cut into
    NUMBER_GROUPS groups at quantiles of its training rows; missing cells are one more group.

    Args:
        table: columns of the rows.
        columns: names of the columns.
        training_rows: numbers of the rows that quantiles are computed from, integers.
        where: party and file, for errors.

    Returns:
        Number of each row's group, int32 (rows, columns).

    Raises:
        DataError: a column has too many texts that are no numbers.
    """
    groups = np.empty((table.count, len(columns)), np.int32)
    for place, name in enumerate(columns):
        cells = read_cells(table[name], (), f"{where}: column {name}")
        few = len(cells.texts) <= MOST_TEXTS
        groups[:, place] = _text_groups(cells) if few else _quantile_groups(cells, training_rows)
    return groups


def equal_cells(table: TextColumns, columns: Sequence[str]) -> NDArray[np.int32]:
    """Puts the rows with equal cells into one group, separately for each column.

    Args:
        table: columns of the rows.
        columns: names of the columns.

    Returns:
        Number of each row's group, int32 (rows, columns); NO_GROUP for an empty cell.
    """
    groups = np.empty((table.count, len(columns)), np.int32)
    for place, name in enumerate(columns):
        distinct = table[name].distinct
        # By the texts: a run that resumes has the groups of the rows that it scored before.
        ranks = np.empty(len(distinct), np.int32)
        ranks[pa.compute.sort_indices(distinct).to_numpy()] = np.arange(len(distinct), dtype=np.int32)
        groups[:, place] = np.where(table[name].holds(""), NO_GROUP, ranks[table[name].codes])
    return groups


@dataclass(frozen=True, kw_only=True)
class GroupCounts:
    """The groups that metrics are computed by.

    Attributes:
        column: the column that makes them.
        groups: number of groups.
        most_rows: number of rows of the largest one; 0 without any.
        rows_in_none: number of rows whose cell is empty.
    """

    column: str
    groups: int
    most_rows: int
    rows_in_none: int

    @property
    def words(self) -> str:
        """The same in a line."""
        most = f", of {self.most_rows:,} rows at most" if self.groups else ""
        return (
            f"metrics by {self.column}: {self.groups:,} groups{most}; rows in none, as their cell is empty:"
            f" {self.rows_in_none:,}"
        )


def group_counts(table: TextColumns, columns: Sequence[str]) -> Iterator[GroupCounts]:
    """Counts the groups that metrics are computed by.

    Args:
        table: columns of the rows.
        columns: names of the columns that make them.

    Yields:
        Counts for each column.
    """
    for name, groups in zip(columns, equal_cells(table, columns).T, strict=True):
        sizes = np.bincount(groups[groups != NO_GROUP])
        sizes = sizes[sizes > 0]
        yield GroupCounts(
            column=name,
            groups=len(sizes),
            most_rows=int(sizes.max(initial=0)),
            rows_in_none=int((groups == NO_GROUP).sum()),
        )


def _text_groups(cells: Cells) -> NDArray[np.int64]:
    """A group for each text; groups are numbered by the texts and not by the order of rows."""
    ranks = np.empty(len(cells.texts), np.int64)
    ranks[sorted(range(len(cells.texts)), key=cells.texts.__getitem__)] = np.arange(len(cells.texts))
    return ranks[cells.codes]


def _quantile_groups(cells: Cells, training_rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    numbers = np.fromiter((parse_number(text) for text in cells.texts), dtype=np.float64, count=len(cells.texts))
    malformed = np.isnan(numbers) & ~cells.missing
    if malformed.any():
        raise DataError(
            f"has more than {MOST_TEXTS} distinct cells, and not all are numbers",
            where=cells.where,
            expected="few groups of rows, or numbers (privacy.decorrelate.columns)",
            received=f"{len(cells.texts)} distinct cells, {cells.row_count(malformed)} rows without a number",
            fix="add a column with fewer groups to the file, and name that one",
            public_message="a column of privacy.decorrelate has too many distinct cells",
        )
    by_row = numbers[cells.codes]
    training = by_row[training_rows]
    known = training[~np.isnan(training)]
    cuts = np.quantile(known, np.arange(1, NUMBER_GROUPS) / NUMBER_GROUPS) if len(known) else known
    return np.where(np.isnan(by_row), NUMBER_GROUPS, np.searchsorted(cuts, by_row, side="right"))
