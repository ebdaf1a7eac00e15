"""A session that puts the rows of all parties in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from party.alignment.pool import WorkerPool
from party.errors import SessionError
from party.ledger.entry import Kind
from party.pb.handshake_pb2 import Confirmation, Hello
from party.pb.party_pb2 import Envelope, MessageKind
from party.runtime.alignment_work import AlignmentWork, Side
from party.runtime.dataset_alignment import DatasetWork
from party.runtime.label_joins import LabelJoinWork
from party.runtime.plan import OfferedCalls, PairSecrets, SessionOutline, SessionResult
from party.runtime.proposal import Opening
from party.runtime.quality_release import QualityRelease
from party.runtime.table_alignment import TableWork
from party.security.sealing import SealingKeys, Slot


class AlignmentPlan:
    """The plan of an alignment at one party.

    Args:
        party: name of this party.
        work: what this kind of alignment does at this party.
        quality: what is released of the quality of the data.
    """

    def __init__(self, party: str, work: AlignmentWork, quality: QualityRelease) -> None:
        self._party = party
        self._work = work
        self._pending: tuple[str, ...] = ()
        self._pool: WorkerPool | None = None
        self._side: Side | None = None
        self._keys: SealingKeys | None = None
        self._releases: Mapping[Kind, int] | None = None
        self._quality = quality
        self.facts = replace(work.facts, release=quality.added_to(work.facts.release))
        self.agreement = self
        self.progress = self
        self.offered = OfferedCalls(alignment=self, finish=self.finish)

    @property
    def step(self) -> int:
        """Always 0: an alignment has no training steps."""
        return 0

    @property
    def outline(self) -> SessionOutline:
        """The datasets that must be aligned because some party has no valid alignment; known once agreed."""
        return SessionOutline(datasets=self._pending)

    @property
    def released(self) -> Mapping[Kind, int]:
        """What was released, by kind; the maximum, if the alignment was not finished."""
        if self._side is not None and self._releases is None:
            return self.facts.release.most
        return {"intersections": 0, **(self._releases or {}), **self._quality.released}

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Checks and records what every party states.

        Args:
            hellos: hellos by party.

        Raises:
            HandshakeError: the configurations of the parties do not fit together.
            PolicyError: a peer states more rows than the owner allows.
        """
        self._pending = self._work.agreed(hellos)

    def confirmation(self, pair_key: bytes, peer: str) -> Confirmation:
        """Confirms the key alone: the rows have no common order yet."""
        return Confirmation()

    def start(self, keys: SealingKeys, secrets: PairSecrets) -> None:
        """Starts the protocol, once keys are agreed.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.

        Raises:
            AlignmentError: a party has other datasets, or no rows.
            PolicyError: a peer states more rows than the owner allows.
        """
        self._keys = keys
        if not self._pending:
            return
        self._pool = WorkerPool()
        self._side = self._work.side(secrets, self._pool)

    def produce(self, kind: MessageKind, dataset: str, *, receiver: str, index: int) -> tuple[Envelope, int]:
        """Produces and seals the next message of a kind.

        Args:
            kind: kind of the message.
            dataset: the dataset, or the table, that is being aligned.
            receiver: name of the peer.
            index: index of the message.

        Returns:
            The envelope, and the number of messages of its kind.
        """
        side, keys = self._started()
        message, total = side.produce(kind, dataset, receiver, index)
        return keys.seal(Slot(self._party, receiver, kind, dataset, index=index, rows=0), message), total

    def consume(self, kind: MessageKind, dataset: str, *, sender: str, index: int, envelope: Envelope) -> int:
        """Opens and processes the next message of a kind.

        Args:
            kind: kind of the message.
            dataset: the dataset, or the table, that is being aligned.
            sender: name of the peer.
            index: index of the message.
            envelope: the envelope, as the coordinator relayed it.

        Returns:
            The number of rows or entities in common, as far as known.
        """
        side, keys = self._started()
        message = keys.open(Slot(sender, self._party, kind, dataset, index=index, rows=0), envelope)
        return side.consume(kind, dataset, sender, index, message=message)

    def finish(self) -> SessionResult:
        """Stores the alignments.

        Returns:
            The names of the aligned datasets, and the total number of rows in common.

        Raises:
            SessionError: the alignment is not complete.
            StorageError: an alignment cannot be stored.
        """
        outcome = self._work.finish(self._side)
        self._releases = outcome.releases
        return replace(outcome.result, quality=self._quality.of(self._work.read))

    def close(self) -> None:
        """Ends the worker processes."""
        if self._side is not None:
            self._side.close()
        if self._pool is not None:
            self._pool.close()

    def _started(self) -> tuple[Side, SealingKeys]:
        if self._side is None or self._keys is None:
            raise SessionError("no dataset is being aligned in this session", where=self._party)
        return self._side, self._keys


def alignment_plan(opening: Opening) -> AlignmentPlan:
    """Prepares the plan of an alignment.

    Args:
        opening: the granted proposal; it may ask to align again although a stored alignment is valid.

    Raises:
        ConfigurationError: a feature party of the run has no join.
        DataError: a dataset is not configured, or its file cannot be used.
    """
    data = opening.context.configuration.data
    work = LabelJoinWork if data.joins else TableWork if data.tables else DatasetWork
    quality = QualityRelease(opening, 1 if data.tables else len(opening.run.alignment.datasets))
    return AlignmentPlan(opening.context.party, work(opening), quality)
