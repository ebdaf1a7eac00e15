"""The rows of a session: those of its dataset, then those of the dataset that training holds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from party.data.entities import RowMap
from party.data.ids import Ids
from party.data.rows import one_after_the_other
from party.data.table import Table
from party.data.text_columns import TextColumns
from party.errors import AlignmentError
from party.metrics.sampled_negatives import SampledNegatives
from party.pb.handshake_pb2 import Confirmation, DatasetRows
from party.runtime.common_rows import CommonRows, common_rows
from party.runtime.proposal import Opening


@dataclass(frozen=True, eq=False)
class SessionRows:
    """All rows of a session, in one index space.

    Attributes:
        first: rows of the dataset that is trained on, evaluated or predicted.
        held_out: rows of `training.validation_dataset`, which follow; None without one.
    """

    first: CommonRows
    held_out: CommonRows | None = None

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def parts(self) -> Sequence[CommonRows]:
        """The rows of each dataset."""
        return [self.first] if self.held_out is None else [self.first, self.held_out]

    @property
    def by_entity(self) -> bool:
        """Whether rows refer to entities of feature parties' tables."""
        return self.first.own_map is not None or bool(self.first.peer_maps)

    @property
    def held_out_rows(self) -> int:
        """Number of rows of the dataset that is held out; 0 without one."""
        return 0 if self.held_out is None else len(self.held_out)

    @property
    def negatives(self) -> SampledNegatives:
        """How many negatives were sampled for each positive row."""
        held_out = self.first if self.held_out is None else self.held_out
        return SampledNegatives(self.first.negatives_per_positive, held_out.negatives_per_positive)

    @property
    def dataset(self) -> str:
        """Name of the dataset that is trained on, evaluated or predicted."""
        return self.first.dataset

    @property
    def table(self) -> Table:
        """The table of that dataset."""
        return self.first.table

    @property
    def source(self) -> str:
        """Names of the files, for errors."""
        return ", ".join(part.source for part in self.parts)

    @property
    def statements(self) -> list[DatasetRows]:
        """The statements in Hello: the rows in common of each dataset, and their alignment."""
        return [part.statement for part in self.parts]

    @property
    def own_map(self) -> RowMap | None:
        """The entity of this party's table that each row refers to; None where rows and entities are the same."""
        return _joined([part.own_map for part in self.parts])

    @property
    def peer_maps(self) -> Mapping[str, RowMap]:
        """At the label party, the entity of each row by feature party; empty where rows and entities are the same."""
        joined = {name: _joined([part.peer_maps[name] for part in self.parts]) for name in self.first.peer_maps}
        return {name: row_map for name, row_map in joined.items() if row_map is not None}

    def ids(self) -> Ids:
        """Sample ids of all rows."""
        ids = self.first.ids()
        return ids if self.held_out is None else ids.followed_by(self.held_out.ids())

    def row_names(self) -> list[str]:
        """What names each row for people; see `CommonRows.row_names`."""
        return [name for part in self.parts for block in part.row_names() for name in block]

    def columns(self) -> TextColumns:
        """The columns of all rows; where rows refer to entities, of the entities, which all datasets share."""
        if self.held_out is None or self.first.own_map is not None:
            return self.first.columns()
        return self.first.columns().followed_by(self.held_out.columns())

    def own_numbers(self, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Numbers of rows of `columns`, one for each of some rows of the first dataset that has one.

        Args:
            rows: row numbers, shape (chosen rows,), all of them of the first dataset.
        """
        return self.first.own_numbers(rows)

    def digests(self) -> dict[str, str]:
        """What a run depends on of maps and drawn rows, by its name in a fingerprint; empty without either."""
        found = self.first.digests()
        if self.held_out is not None:
            held_out = self.held_out.digests()
            found |= {f"{name} (training.validation_dataset)": digest for name, digest in held_out.items()}
        return found

    def confirmation(self, pair_key: bytes, row_key: bytes, peer: str) -> Confirmation:
        """A keyed digest for each dataset: of the rows, and of the key of the run's order of rows.

        Args:
            pair_key: the pair key that only this party and the peer know.
            row_key: key of the run's order of rows; empty where rows are read in the common order.
            peer: name of the peer.

        Raises:
            AlignmentError: own rows and their map do not fit together.
        """
        parts = [part.confirmation(pair_key, row_key, peer) for part in self.parts]
        return Confirmation(datasets=[digest for part in parts for digest in part.datasets])


def training_rows(opening: Opening) -> SessionRows:
    """Loads the rows that a run trains on, and those that it holds out.

    Args:
        opening: the granted proposal.

    Raises:
        AlignmentError: a present file is not aligned with these parties.
        DataError: a dataset is not configured, or its file cannot be used.
    """
    context, run = opening.context, opening.run
    first = common_rows(context, run.parties, run.training.dataset)
    if run.training.validation_dataset is None:
        return SessionRows(first)
    held_out = common_rows(context, run.parties, run.training.validation_dataset)
    rows = SessionRows(first, held_out)
    if rows.by_entity and first.alignment.alignment_id != held_out.alignment.alignment_id:
        raise AlignmentError(
            f"datasets {first.dataset} and {held_out.dataset} were not aligned together",
            where=context.party,
            fix="list both in alignment.datasets, and run `coordinator align`",
        )
    return rows


def _joined(maps: Sequence[RowMap | None]) -> RowMap | None:
    """The row maps of all datasets, one after the other: they refer to one table."""
    known = [one for one in maps if one is not None]
    if not known:
        return None
    return RowMap(one_after_the_other([one.entity_of_row for one in known]), known[0].entities)
