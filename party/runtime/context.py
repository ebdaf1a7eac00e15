"""Everything of a party that outlives a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from party.alignment.store import AlignmentStore, StoredAlignment
from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.data.table import Table
from party.errors import AlignmentError
from party.pb.handshake_pb2 import PartyRole, Role
from party.policy import Policy
from party.runtime.records import RunRecords
from party.runtime.tables import Tables
from party.security.certificates import Identity
from party.security.trust import TrustedName


@dataclass(frozen=True)
class PartyContext:
    """What the sessions of a party share.

    Attributes:
        configuration: of the party.
        identity: reads own certificate and key, as they are now.
        peers: what is known of the peers beforehand.
        tables: own datasets.
        alignments: stored alignments.
        records: stored runs.
        policy: of the owner.
        background: computes steps where several batches are under way.
        random_bytes: source of fresh randomness.
        now: the time, with its zone.
        monotonic: seconds of a monotonic clock.
    """

    configuration: PartyConfiguration
    identity: Callable[[], Identity]
    peers: Mapping[str, TrustedName]
    tables: Tables
    alignments: AlignmentStore
    records: RunRecords
    policy: Policy
    background: Executor
    random_bytes: Callable[[int], bytes]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    @property
    def party(self) -> str:
        """Own name."""
        return self.configuration.party

    @property
    def role(self) -> Role:
        """Own role."""
        return Role.ROLE_LABEL if self.configuration.holds_labels else Role.ROLE_FEATURE

    def stored_alignment(self, table: Table, parties: tuple[str, ...]) -> StoredAlignment | None:
        """The alignment of a dataset where it still holds for its file and these parties."""
        sha256 = bytes.fromhex(table.sha256)
        stored = self.alignments.load(table.dataset, data_sha256=sha256, parties=parties)
        return stored if stored is not None and stored.id_column == self.configuration.data.id else None

    def alignment(self, table: Table, parties: tuple[str, ...]) -> StoredAlignment:
        """The alignment of a dataset, which must be there.

        Raises:
            AlignmentError: there is none for the file as it is now and these parties.
        """
        stored = self.stored_alignment(table, parties)
        if stored is None:
            raise AlignmentError(
                f"dataset {table.dataset} is not aligned with {', '.join(parties)}, or its file has changed since",
                where=self.party,
                fix="run `coordinator align`",
            )
        return stored


def party_roles(run: RunConfiguration) -> list[PartyRole]:
    """All parties of a run with their roles, ascending by name."""
    return [
        PartyRole(name=name, role=Role.ROLE_LABEL if name == run.label_party else Role.ROLE_FEATURE)
        for name in run.parties
    ]
