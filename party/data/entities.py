"""The entities of a table that the rows of a dataset refer to, and what a batch needs of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int32]

ABSENT = -1  # in a row map: the row has no partner in the table


class BatchEntities(Protocol):
    """The entities that a batch refers to, in the order in which their hiddens travel.

    Attributes:
        entities: entity numbers, int32 (sent,).
        present: which rows of the batch have an entity, bool (batch,).
    """

    @property
    def entities(self) -> Numbers:
        """Entity numbers, int32 (sent,)."""

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which rows of the batch have an entity, bool (batch,)."""

    def expand(self, matrix: FloatArray) -> FloatArray:
        """Gives every row of the batch the values of its entity.

        Args:
            matrix: float32 (sent, columns).

        Returns:
            float32 (batch, columns); zeros in rows without an entity.
        """

    def collect(self, matrix: FloatArray) -> FloatArray:
        """Sums the values of all rows of an entity; rows without one are left out.

        Args:
            matrix: float32 (batch, columns).

        Returns:
            float32 (sent, columns).
        """


class Entities(Protocol):
    """Finds the entities of a batch."""

    @property
    def count(self) -> int:
        """Number of entities that the rows of the dataset can refer to."""

    def of(self, rows: Numbers) -> BatchEntities:
        """The entities of a batch.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
        """


@dataclass(frozen=True)
class RowMap:
    """The entity of every row of a dataset: one integer per row.

    Attributes:
        entity_of_row: int32 (rows,): from 0 to `entities` - 1, or ABSENT.
        entities: number of entities of the table that the parties have in common.
    """

    entity_of_row: Numbers
    entities: int

    @property
    def has_absent(self) -> bool:
        """Whether some row has no entity."""
        return bool((self.entity_of_row == ABSENT).any())


@dataclass(frozen=True)
class _SameRows:
    """A batch whose rows are entities themselves."""

    entities: Numbers

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """See `BatchEntities`."""
        return np.ones(len(self.entities), np.bool_)

    def expand(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`."""
        return matrix

    def collect(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`."""
        return matrix


@dataclass(frozen=True)
class _MappedRows:
    """A batch whose rows refer to entities by their place among those that travel.

    Attributes:
        entities: entity numbers, int32 (sent,).
        places: index in `entities` of each row's entity, or ABSENT, int32 (batch,).
    """

    entities: Numbers
    places: Numbers

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """See `BatchEntities`."""
        return np.asarray(self.places != ABSENT)

    def expand(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`."""
        expanded = np.zeros((len(self.places), matrix.shape[1]), np.float32)
        present = self.present
        expanded[present] = matrix[self.places[present]]
        return expanded

    def collect(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`."""
        # Every entity has a row, so that no segment is empty. The stable order makes the sums deterministic.
        order = np.argsort(self.places, kind="stable")
        order = order[self.places[order] != ABSENT]
        if not len(order):
            return np.zeros((0, matrix.shape[1]), np.float32)
        starts = np.searchsorted(self.places[order], np.arange(len(self.entities)))
        sums: FloatArray = np.add.reduceat(matrix[order], starts, axis=0, dtype=np.float32)
        return sums


@dataclass(frozen=True)
class _EveryRow:
    """A batch whose rows all travel, those without an entity as zeros."""

    entities: Numbers
    present: npt.NDArray[np.bool_]

    def expand(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`."""
        return matrix

    def collect(self, matrix: FloatArray) -> FloatArray:
        """See `BatchEntities`; here every row is its own entity."""
        return np.where(self.present[:, None], matrix, np.float32(0))


class OneToOne:
    """Every row is its own entity.

    Args:
        count: number of rows.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def of(self, rows: Numbers) -> BatchEntities:
        """See `Entities`."""
        return _SameRows(rows)


class MappedEntities:
    """Rows refer to entities by a row map.

    Args:
        row_map: the entity of every row.
        distinct: whether an entity travels once for a batch, ascending by its number; otherwise once for each of its
            rows, in their order.
    """

    def __init__(self, row_map: RowMap, *, distinct: bool) -> None:
        self._row_map = row_map
        self._distinct = distinct
        self.count = row_map.entities

    def of(self, rows: Numbers) -> BatchEntities:
        """See `Entities`."""
        referred = self._row_map.entity_of_row[rows]
        present = referred != ABSENT
        places = np.full(len(rows), ABSENT, np.int32)
        if self._distinct:
            entities, found = np.unique(referred[present], return_inverse=True)
            places[present] = found
        else:
            entities = referred[present]
            places[present] = np.arange(len(entities))
        return _MappedRows(np.ascontiguousarray(entities, np.int32), places)


class EveryRow:
    """Every row travels under its own number, as a sum over parties needs it; those without an entity as zeros.

    Args:
        row_map: the entity of every row.
    """

    def __init__(self, row_map: RowMap) -> None:
        self._row_map = row_map
        self.count = len(row_map.entity_of_row)

    def of(self, rows: Numbers) -> BatchEntities:
        """See `Entities`."""
        return _EveryRow(rows, np.asarray(self._row_map.entity_of_row[rows] != ABSENT))


def entities_of(row_map: RowMap | None, rows: int, *, distinct: bool) -> Entities:
    """Makes the entities of a dataset.

    Args:
        row_map: the entity of every row; None where rows and entities are the same.
        rows: number of rows of the dataset.
        distinct: whether an entity travels once for a batch.
    """
    return OneToOne(rows) if row_map is None else MappedEntities(row_map, distinct=distinct)
