"""Snapshots of large tables in memory: of all rows, or of those that changed since the last whole file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from party.cut.large_table import LargeTable, Matrix
from party.cut.touched_rows import RowNumbers, TouchedRows
from party.protocol.checkpoints import Mark
from party.runtime.table_format import ROW_NUMBER, TableSpec, TablesReference

SMALLER_BY = 3  # rows that changed are written alone while they take at most this part of the whole tables


@dataclass(frozen=True)
class TableCopy:
    """Rows of one table, as they were at a snapshot.

    Attributes:
        total: number of rows of the table.
        rows: the numbers of the rows that are here, ascending, int64 (count,); None if all are.
        values: these rows, float (count, columns).
    """

    total: int
    rows: RowNumbers | None
    values: Matrix

    def spec(self, name: str, *, whole: bool) -> TableSpec:
        """How a file describes the table.

        Args:
            name: its name in the state.
            whole: whether the file shall hold all rows.
        """
        return TableSpec(
            name=name,
            dtype=self.values.dtype.newbyteorder("<").str,
            rows=self.total,
            columns=self.values.shape[1],
            held=self.total if whole else len(self.values),
        )


@dataclass(frozen=True)
class TablesCopy:
    """All large tables of a checkpoint, as they were at its snapshot.

    Attributes:
        tables: tables by name.
        base: the file that holds all other rows; None if these are all.
        becomes_base: whether the file that is written shall hold all rows.
    """

    tables: Mapping[str, TableCopy]
    base: TablesReference | None
    becomes_base: bool


class TableSnapshots:
    """Decides which rows a snapshot holds, and which file the next ones build on.

    Where too many rows changed, the next file holds all of them. Its snapshot still has changed rows alone: the others
    are in the base.

    Args:
        base: the file that the state of the session builds on; None if there is none.
    """

    def __init__(self, base: TablesReference | None) -> None:
        self._base = base
        self._candidate: Mark | None = None
        self._touched: list[TouchedRows] = []

    def take(self, mark: Mark, tables: Mapping[str, LargeTable]) -> TablesCopy:
        """Copies what a checkpoint needs, between two steps.

        Args:
            mark: the point of the snapshot.
            tables: the tables by name.
        """
        base = self._base if self._base is not None and self._base.mark != mark else None
        distinct = {id(one.touched): one.touched for one in tables.values()}
        if base is None:
            copies = {name: TableCopy(one.shape[0], None, one.whole()) for name, one in tables.items()}
            becomes_base = True
        else:
            rows = {key: touched.since_base() for key, touched in distinct.items()}
            becomes_base = _are_many(tables, {key: len(one) for key, one in rows.items()})
            copies = {
                name: TableCopy(one.shape[0], rows[id(one.touched)], one.take(rows[id(one.touched)]))
                for name, one in tables.items()
            }
        if becomes_base:
            self._candidate, self._touched = mark, list(distinct.values())
            for touched in self._touched:
                touched.begin()
        return TablesCopy(copies, base, becomes_base)

    def committed(self, reference: TablesReference) -> None:
        """Notes that all parties have a checkpoint; if it holds all rows, the next ones build on it.

        Args:
            reference: names the file of its tables.
        """
        if reference.mark != self._candidate:
            return
        self._base, self._candidate = reference, None
        for touched in self._touched:
            touched.accept()


def _are_many(tables: Mapping[str, LargeTable], counts: Mapping[int, int]) -> bool:
    changed = whole = 0
    for one in tables.values():
        total, columns = one.shape
        row_bytes = columns * one.dtype.itemsize
        changed += counts[id(one.touched)] * (row_bytes + ROW_NUMBER.itemsize)
        whole += total * row_bytes
    return SMALLER_BY * changed > whole
