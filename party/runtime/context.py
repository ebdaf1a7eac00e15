"""The context of a party: everything that outlives a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from party.alignment.store import AlignmentStore, StoredAlignment
from party.configuration.party import PartyConfiguration
from party.data.table import Table
from party.errors import AlignmentError
from party.pb.handshake_pb2 import PartyRole, Role
from party.policy.admission import Admission
from party.runtime.qualities import Qualities
from party.runtime.records import RunRecords
from party.runtime.tables import Tables
from party.security.certificates import Identity
from party.security.trust import TrustedName


@dataclass(frozen=True, kw_only=True)
class PartyContext:
    """The parts that the sessions of a party share.

    Attributes:
        configuration: the party's configuration.
        identity: reads the party's certificate and key from their files.
        peers: what this party's configuration states about the peers.
        tables: this party's datasets.
        qualities: what is known of the quality of these datasets.
        alignments: stored alignments.
        records: stored runs.
        admission: applies the owner's policy, grants sessions and writes them to the ledger.
        background: executor that computes steps where several batches are under way.
        random_bytes: source of fresh randomness.
        now: the current time, with a time zone.
        monotonic: returns the seconds of a monotonic clock.
    """

    configuration: PartyConfiguration
    identity: Callable[[], Identity]
    peers: Mapping[str, TrustedName]
    tables: Tables
    qualities: Qualities
    alignments: AlignmentStore
    records: RunRecords
    admission: Admission
    background: Executor
    random_bytes: Callable[[int], bytes]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    @property
    def party(self) -> str:
        """Name of this party."""
        return self.configuration.party

    @property
    def role(self) -> Role:
        """Role of this party."""
        return Role.ROLE_LABEL if self.configuration.holds_labels else Role.ROLE_FEATURE

    def stored_alignment(self, table: Table, parties: tuple[str, ...]) -> StoredAlignment | None:
        """The alignment of a dataset, if it is still valid for its file and these parties.

        Args:
            table: the table of the dataset.
            parties: names of all parties of the run, ascending.
        """
        sha256 = bytes.fromhex(table.rows_sha256)
        stored = self.alignments.load(table.dataset, data_sha256=sha256, parties=parties)
        return stored if stored is not None and stored.id_column == self.configuration.data.id_name else None

    def alignment(self, table: Table, parties: tuple[str, ...]) -> StoredAlignment:
        """The alignment of a dataset, which must exist.

        Args:
            table: the table of the dataset.
            parties: names of all parties of the run, ascending.

        Raises:
            AlignmentError: none is valid for the present file and these parties.
        """
        stored = self.stored_alignment(table, parties)
        if stored is None:
            raise not_aligned(self.party, table.dataset, parties)
        return stored


def not_aligned(party: str, dataset: str, parties: tuple[str, ...]) -> AlignmentError:
    """Makes the error for a dataset without a valid alignment.

    Args:
        party: name of this party.
        dataset: name of the dataset.
        parties: names of all parties of the run.
    """
    return AlignmentError(
        f"dataset {dataset} is not aligned with {', '.join(parties)}, or its file has changed since",
        where=party,
        fix=f"run `coordinator align`, with {dataset} in alignment.datasets",
    )


def party_roles(parties: Sequence[str], label_party: str) -> list[PartyRole]:
    """The parties of a session with their roles, in the given order.

    Args:
        parties: names of the parties.
        label_party: name of the label party.
    """
    return [
        PartyRole(name=name, role=Role.ROLE_LABEL if name == label_party else Role.ROLE_FEATURE) for name in parties
    ]
