"""The label party's rows and the tables that they refer to: which rows stay, and which entity each refers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from party.alignment.terms import RowRules
from party.data.entities import ABSENT, Numbers, RowMap
from party.data.ids import Ids
from party.data.scratch import IN_MEMORY, Scratch
from party.data.sorting import Order
from party.errors import AlignmentError

_BLOCK_ROWS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class JoinedKeys:
    """The keys by which all datasets refer to one table.

    Attributes:
        peer: name of the feature party that owns the table.
        table: name of the table there.
        left: whether rows stay that find no partner.
        keys: the distinct keys, ascending by their UTF-8 bytes.
        codes: by dataset, the number of each row's key among them, or ABSENT; shape (rows of the file,), int32.
    """

    peer: str
    table: str
    left: bool
    keys: Ids
    codes: Mapping[str, Numbers]


@dataclass(frozen=True, kw_only=True)
class JoinCounts:
    """How many rows of one dataset found a partner at one feature party.

    Attributes:
        dataset: name of the dataset.
        peer: name of the feature party.
        table: name of its table.
        left: whether rows stay that find no partner there.
        rows: number of rows of the dataset's file.
        keys: number of distinct keys of these rows; an empty one is none.
        keys_found: number of them that the table has.
        rows_with_partner: number of rows with such a key.
        rows_in_common: number of rows that stay, for which all inner joins found a partner.
    """

    dataset: str
    peer: str
    table: str
    left: bool
    rows: int
    keys: int
    keys_found: int
    rows_with_partner: int
    rows_in_common: int


class JoinedRows:
    """Finds the rows that stay and the entities that they refer to, once all intersections are known.

    Args:
        joins: the keys of every join, by name of what is intersected.
        orders: by dataset, all row numbers of the file in the order that the peers may see; int32.
        rules: rules of the owner.
        scratch: keeps the maps of many rows.

    Attributes:
        rows: by dataset, the row numbers of the rows that stay, in that order; int32.
        maps: by name of what was intersected and by dataset, the entity of each of these rows.
        counts: what was found, by dataset and peer.
    """

    def __init__(
        self,
        joins: Mapping[str, JoinedKeys],
        orders: Mapping[str, Order],
        rules: RowRules,
        scratch: Scratch = IN_MEMORY,
    ) -> None:
        self._joins = joins
        self._orders = orders
        self._rules = rules
        self._scratch = scratch
        self.rows: dict[str, Order] = {}
        self.maps: dict[str, dict[str, RowMap]] = {}
        self.counts: list[JoinCounts] = []

    def resolve(self, found: Mapping[str, Order]) -> Mapping[str, Order]:
        """Takes the results of all intersections.

        Args:
            found: numbers of the keys that the peers have too, by name of what was intersected.

        Returns:
            By the same names, the numbers of the keys that rows which stay refer to: the entities in common, ascending.

        Raises:
            AlignmentError: no row of a dataset stays.
            PolicyError: fewer rows stay than the policy requires.
        """
        has_partner = {name: _with_absent(found[name], len(join.keys)) for name, join in self._joins.items()}
        self.rows = {dataset: self._staying(dataset, has_partner) for dataset in self._orders}
        entities: dict[str, Order] = {}
        for name, join in self._joins.items():
            referred = np.zeros(len(join.keys) + 1, np.bool_)
            for dataset, rows in self.rows.items():
                referred[join.codes[dataset][rows]] = True
            referred &= has_partner[name]
            entities[name] = np.flatnonzero(referred).astype(np.int32)
            numbers = np.full(len(referred), ABSENT, np.int32)
            numbers[entities[name]] = np.arange(len(entities[name]), dtype=np.int32)
            self.maps[name] = {
                dataset: RowMap(self._entities(join.codes[dataset], rows, numbers), len(entities[name]))
                for dataset, rows in self.rows.items()
            }
        self.counts = [
            self._counted(dataset, join, has_partner[name])
            for dataset in self._orders
            for name, join in self._joins.items()
        ]
        return entities

    def _entities(self, codes: Numbers, rows: Order, numbers: Numbers) -> Numbers:
        """The number of the entity of each row, by that of its key."""
        found = self._scratch.array(len(rows), np.int32)
        for start in range(0, len(rows), _BLOCK_ROWS):
            chosen = slice(start, start + _BLOCK_ROWS)
            found[chosen] = numbers[codes[rows[chosen]]]
        return found

    def _staying(self, dataset: str, has_partner: Mapping[str, NDArray[np.bool_]]) -> Order:
        """The rows for which all inner joins found a partner."""
        order = self._orders[dataset]
        stays = np.ones(len(order), np.bool_)
        for name, join in self._joins.items():
            if not join.left:
                stays &= has_partner[name][join.codes[dataset]]
        rows = order[stays[order]]
        if not len(rows):
            raise AlignmentError(
                "no row has a partner in every table with an inner join",
                where=f"dataset {dataset}",
                fix="compare the keys with the tables, or join with kind: left",
            )
        self._rules.check_intersection(dataset, len(rows))
        return rows

    def _counted(self, dataset: str, join: JoinedKeys, has_partner: NDArray[np.bool_]) -> JoinCounts:
        codes = join.codes[dataset]
        rows_of_key = np.bincount(codes[codes != ABSENT], minlength=len(join.keys))
        has = has_partner[:-1]
        return JoinCounts(
            dataset=dataset,
            peer=join.peer,
            table=join.table,
            left=join.left,
            rows=len(codes),
            keys=int(np.count_nonzero(rows_of_key)),
            keys_found=int(np.count_nonzero(rows_of_key[has])),
            rows_with_partner=int(rows_of_key[has].sum()),
            rows_in_common=len(self.rows[dataset]),
        )


def _with_absent(numbers: Order, keys: int) -> NDArray[np.bool_]:
    """Whether each key is among the numbers, and False at the end, where ABSENT leads."""
    found = np.zeros(keys + 1, np.bool_)
    found[numbers] = True
    return found
