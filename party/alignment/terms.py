"""The terms of an alignment at one party: its ids, the declared rows of its peers, and its owner's rules.

What is intersected is a dataset, whose rows all parties have in common, or a table that a join of the label party
refers to, whose keys it has in common with one feature party.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from party.data.ids import Ids
from party.data.scratch import IN_MEMORY, Scratch
from party.data.sorting import Order
from party.errors import AlignmentError, SessionError
from party.security.row_secret import RowSecret


class RowRules(Protocol):
    """The owner's rules; each refusal is a `PolicyError` that names the rule."""

    def check_peer_rows(self, dataset: str, peer: str, rows: int) -> None:
        """Refuses a peer with too many rows."""

    def check_intersection(self, dataset: str, rows: int) -> None:
        """Refuses an alignment with too few rows in common."""


@dataclass(frozen=True, kw_only=True)
class AlignmentTerms:
    """The terms of one party for one session of alignment.

    Attributes:
        party: name of this party.
        peers: the parties to align with, each with its declared rows by dataset or table: every feature party at
            the label party, the label party alone at a feature party.
        ids: own ids by dataset and row, or own keys by table; unique and not empty.
        chunk_rows: number of ids in one message.
        rules: rules of the owner, for the rows of peers and those in common.
        joined: whether tables are joined, each of which belongs to one peer.
        scratch: where arrays of large datasets are kept meanwhile.

    Raises:
        AlignmentError: a dataset that a party does not have, or that has no rows.
        PolicyError: a peer declares more rows than the policy allows.
    """

    party: str
    peers: Mapping[str, Mapping[str, int]]
    ids: Mapping[str, Ids]
    chunk_rows: int
    rules: RowRules
    joined: bool = False
    scratch: Scratch = IN_MEMORY

    def __post_init__(self) -> None:
        rows = {self.party: {dataset: len(ids) for dataset, ids in self.ids.items()}, **self.peers}
        for party, datasets in rows.items():
            if not self.joined and set(datasets) != set(self.ids):
                raise AlignmentError(
                    "the parties do not have the same datasets to align",
                    where=f"party {party}",
                    expected=", ".join(sorted(self.ids)),
                    received=", ".join(sorted(datasets)) or "none",
                )
            for dataset, count in datasets.items():
                if count < 1:
                    raise AlignmentError("there are no rows to align", where=f"{self.named(dataset)} at party {party}")
        for peer, datasets in self.peers.items():
            for dataset, count in datasets.items():
                self.rules.check_peer_rows(dataset, peer, count)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every dataset or table with every peer that it is intersected with."""
        return tuple((dataset, peer) for dataset in self.ids for peer in self.peers if dataset in self.peers[peer])

    def named(self, dataset: str) -> str:
        """What is intersected, in words.

        Args:
            dataset: name of the dataset or table.
        """
        return f"{'table' if self.joined else 'dataset'} {dataset}"

    def place(self, dataset: str, peer: str) -> str:
        """What is intersected with whom, for errors.

        Args:
            dataset: name of the dataset or table.
            peer: name of the other party.
        """
        return f"{self.named(dataset)}, peer {peer}"

    def check_pair(self, dataset: str, peer: str) -> None:
        """Refuses a dataset or a peer that is not part of the alignment.

        Args:
            dataset: name of the dataset.
            peer: name of the other party.

        Raises:
            SessionError: one of them is not part of the alignment.
        """
        if (dataset, peer) not in self.pairs:
            raise SessionError("no such dataset and peer in this alignment", where=self.place(dataset, peer))

    def check_rows_in_common(self, dataset: str, count: int) -> None:
        """Checks the number of rows in common against the policy.

        Args:
            dataset: name of the dataset or table.
            count: number of rows, or of the table's entities, that the parties have in common.

        Raises:
            AlignmentError: there are none.
            PolicyError: there are fewer than the policy requires.
        """
        if count == 0:
            what = "no key is in common" if self.joined else "no id is in common to all parties"
            fix = "check that data.id names the same identifier in the same format at every party"
            joined_fix = "check that the join's key and the table's data.id hold the same identifier; see transforms"
            raise AlignmentError(what, where=self.named(dataset), fix=joined_fix if self.joined else fix)
        self.rules.check_intersection(dataset, count)


@dataclass(frozen=True)
class AlignedRows:
    """The result at one party for one dataset.

    Attributes:
        alignment_id: id of the alignment, 16 bytes, the same at every party.
        rows: own row numbers in the common order, which is ascending by the UTF-8 bytes of the ids;
            shape (rows in common,), int32.
        row_secret: secret from which the order of rows of a run derives; the same at every party.
    """

    alignment_id: bytes
    rows: Order
    row_secret: RowSecret
