"""The rows of a dataset that all parties of a run have in common."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from party.alignment.joined_store import JoinedAlignment
from party.alignment.store import StoredAlignment
from party.data.entities import ABSENT, Numbers, RowMap
from party.data.ids import Ids
from party.data.table import Table
from party.data.text_columns import Codes, TextColumn, TextColumns
from party.errors import AlignmentError
from party.pb.handshake_pb2 import Confirmation, DatasetRows
from party.runtime.context import PartyContext, not_aligned
from party.runtime.joined_alignments import valid_join
from party.security.framing import length_prefixed

ROW_COLUMN = "row"  # of predictions for rows without ids
IDS_LABEL = b"vsl/1 ids\0"
MAP_LABEL = b"vsl/1 row map\0"
_COUNT_BYTES = 8
_NAMED_ROWS = 1 << 16  # at a time


@dataclass(frozen=True, eq=False)
class CommonRows:
    """A dataset's rows in the common order of all parties.

    With joins, a feature party has entities in place of rows: its columns are those of the entities that the rows of
    the label party refer to, and `own_map` says which row refers to which.

    Attributes:
        table: the table of the party's file.
        alignment: selects and orders its rows; at a feature party with a map, its entities.
        own_map: the entity of this party's table that each row refers to; None where rows and entities are the same.
        peer_maps: at the label party, the entity of each row by feature party; empty where rows and entities are the
            same.
        label_party: name of the label party.
        name: name of the dataset.
    """

    table: Table
    alignment: StoredAlignment | JoinedAlignment
    own_map: RowMap | None = None
    peer_maps: Mapping[str, RowMap] = field(default_factory=dict)
    label_party: str = field(default="", kw_only=True)
    name: str = field(default="", kw_only=True)

    def __len__(self) -> int:
        return len(self.alignment.rows) if self.own_map is None else len(self.own_map.entity_of_row)

    @property
    def dataset(self) -> str:
        """Name of the dataset, at the label party where a feature party has tables."""
        return self.name or self.table.dataset

    @property
    def source(self) -> str:
        """Name of the file, for errors."""
        return self.table.path.name

    @property
    def statement(self) -> DatasetRows:
        """The statement in Hello: the number of rows in common and their alignment."""
        return DatasetRows(dataset=self.dataset, rows=len(self), alignment_id=self.alignment.alignment_id)

    def ids(self) -> Ids:
        """Ids of the own rows, or keys of the own entities, in the common order."""
        return self.table.known_ids.take(self.alignment.rows)

    @property
    def name_column(self) -> str:
        """What `row_names` are: the name of the id column; ROW_COLUMN where rows have none."""
        return ROW_COLUMN if self.table.ids is None else self.table.ids.name

    def row_names(self) -> Iterator[list[str]]:
        """What names each row for people, some rows at a time: its id; without one, its number in the file, from 0."""
        if self.table.ids is not None:
            yield from self.ids().blocks()
            return
        numbers = self.table.numbers_in_file(self.alignment.rows)
        for start in range(0, len(numbers), _NAMED_ROWS):
            yield list(map(str, numbers[start : start + _NAMED_ROWS].tolist()))

    @property
    def in_file(self) -> npt.NDArray[np.bool_]:
        """At the label party, which rows are in its file and not drawn, bool (rows,)."""
        negatives, rows = self.table.negatives, self.alignment.rows
        return np.ones(len(rows), np.bool_) if negatives is None else negatives.in_file(rows)

    @property
    def negatives_per_positive(self) -> int:
        """Number of negatives that were drawn for each positive row; 0 where none were."""
        return 0 if self.table.negatives is None else self.table.negatives.per_positive

    def columns(self) -> TextColumns:
        """The columns of the own rows or entities in the common order."""
        return self.table.aligned(self.alignment.rows)

    def own_numbers(self, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Numbers of rows of `columns`, one for each of some rows of the dataset that has one.

        Args:
            rows: row numbers of the dataset, shape (chosen rows,).
        """
        if self.own_map is None:
            return rows
        numbers = self.own_map.entity_of_row[rows]
        return np.asarray(numbers[numbers != ABSENT])

    def columns_of(self, rows: npt.NDArray[np.int32]) -> TextColumns:
        """The columns of some rows, for encoders to be fitted on; an entity counts once for each of its rows.

        Args:
            rows: row numbers of the dataset, shape (chosen rows,).
        """
        return self.columns().take(self.own_numbers(rows))

    def digests(self) -> dict[str, str]:
        """What a run depends on of maps and drawn rows, by its name in a fingerprint; empty without either."""
        maps = dict(self.peer_maps) if self.own_map is None else {"this party": self.own_map}
        drawn = {} if self.table.negatives is None else {"sampled negatives": self.table.negatives.sha256}
        return drawn | {
            f"map of rows to entities of {party}": hashlib.sha256(_numbers_of(one)).hexdigest()
            for party, one in sorted(maps.items())
        }

    def confirmation(self, pair_key: bytes, row_key: bytes, peer: str) -> Confirmation:
        """A keyed digest of the rows that this party loaded, and of the key of the run's order of rows.

        Without joins it covers the ordered ids. With them, the label party and a feature party confirm the map of the
        rows and the key of each entity in it; two feature parties, which share no key, that it is the same alignment.

        Args:
            pair_key: the pair key that only this party and the peer know.
            row_key: key of the run's order of rows; empty where rows are read in the common order.
            peer: name of the peer.

        Raises:
            AlignmentError: the own rows and their map do not fit together.
        """
        label = MAP_LABEL if self.peer_maps or self.own_map is not None else IDS_LABEL
        mac = hmac.new(pair_key, label + length_prefixed([self.dataset.encode(), row_key]), hashlib.sha256)
        for part in self._confirmed(peer):
            mac.update(part)
        return Confirmation(datasets=[Confirmation.DatasetDigest(dataset=self.dataset, ids_hmac=mac.digest())])

    def _confirmed(self, peer: str) -> Iterator[bytes | memoryview]:
        shared = self.peer_maps.get(peer) if self.own_map is None else self.own_map
        if shared is None:
            yield from _framed(self.ids())
        elif self.own_map is not None and peer != self.label_party:
            yield length_prefixed([len(self).to_bytes(_COUNT_BYTES, "big"), self.alignment.alignment_id])
        else:
            referred = np.zeros(shared.entities + 1, np.bool_)
            referred[shared.entity_of_row] = True
            entities = np.flatnonzero(referred[:-1])
            yield from _framed((self.ids() if self.own_map is not None else self._keys(peer, shared)).take(entities))
            yield _numbers_of(shared)

    def _keys(self, peer: str, shared: RowMap) -> Ids:
        """The key of each entity that the rows of the label party refer to; refuses rows that do not fit their map."""
        keys = self.table.keys[peer].take(self.alignment.rows)
        number_of_entity = np.zeros(shared.entities + 1, np.int32)  # ABSENT leads to the place after the last entity
        for codes, entities in _together(keys, shared):
            number_of_entity[entities] = codes
        for codes, entities in _together(keys, shared):
            if ((number_of_entity[entities] != codes) & (entities != ABSENT)).any():
                raise AlignmentError(
                    f"the rows of dataset {self.dataset} do not fit the map of their entities",
                    where=f"{self.label_party}: peer {peer}",
                    fix="run `coordinator align --force`",
                )
        return Ids(f"keys of {peer}", keys.distinct, number_of_entity)


def _together(keys: TextColumn, row_map: RowMap) -> Iterator[tuple[Codes, Numbers]]:
    """The number of each row's key, and its entity, some rows at a time."""
    start = 0
    for codes in keys.blocks():
        yield codes, row_map.entity_of_row[start : start + len(codes)]
        start += len(codes)


def _framed(ids: Ids) -> Iterator[bytes]:
    return (length_prefixed(one.encode() for one in block) for block in ids.blocks())


def _numbers_of(row_map: RowMap) -> memoryview:
    """What a digest of a map is made of."""
    return np.ascontiguousarray(row_map.entity_of_row, "<i4").data


def common_rows(context: PartyContext, parties: tuple[str, ...], dataset: str) -> CommonRows:
    """Loads the rows that the parties of a run have in common.

    Args:
        context: the party's context.
        parties: parties of the run.
        dataset: name of the dataset; where a feature party has tables, of the label party's.

    Raises:
        AlignmentError: the present file is not aligned with these parties.
        DataError: the dataset is not configured, or its file cannot be used.
    """
    configuration = context.configuration
    label_party = configuration.label_party
    if not configuration.data.joins and not configuration.data.tables:
        table = context.tables.table(dataset)
        return CommonRows(table, context.alignment(table, parties), label_party=label_party)
    if configuration.holds_labels:
        context.tables.table(dataset)  # refuses one that is not configured
    found = valid_join(context, dataset, parties)
    if found is None:
        raise not_aligned(context.party, dataset, parties)
    table, stored = found
    own_map = None if configuration.holds_labels else stored.maps[context.party]
    peer_maps = stored.maps if configuration.holds_labels else {}
    return CommonRows(table, stored, own_map, peer_maps, label_party=label_party, name=dataset)
