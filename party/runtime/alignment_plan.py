"""A session that puts the rows of all parties in the same order."""

from __future__ import annotations

from collections.abc import Mapping

from party.alignment.aligned_elements import ALIGNMENT_ID_BYTES
from party.alignment.feature_side import FeatureSide
from party.alignment.label_side import LabelSide
from party.alignment.pool import WorkerPool
from party.alignment.store import StoredAlignment
from party.alignment.terms import AlignmentTerms
from party.data.table import Table
from party.errors import SessionError
from party.ledger.entry import Kind
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello
from party.pb.party_pb2 import Envelope, MessageKind
from party.policy.requests import Release
from party.runtime.plan import OfferedCalls, PairSecrets, PlanFacts, SessionOutline, SessionResult
from party.runtime.proposal import Opening
from party.security.row_secret import RowSecret, fresh_row_secret, pinned_row_secret
from party.security.sealing import SealingKeys, Slot


class AlignmentPlan:
    """The plan of an alignment at one party.

    Args:
        opening: the granted proposal.
        tables: tables to align, by dataset.
        stored: their stored alignments that are still valid, by dataset.
    """

    def __init__(self, opening: Opening, tables: Mapping[str, Table], stored: Mapping[str, StoredAlignment]) -> None:
        self._context = opening.context
        self._grant = opening.grant
        self._run = opening.run
        self._tables = tables
        self._stored = stored
        self._pending: tuple[str, ...] = ()
        self._hellos: Mapping[str, Hello] = {}
        self._pool: WorkerPool | None = None
        self._side: LabelSide | FeatureSide | None = None
        self._keys: SealingKeys | None = None
        self._released_rows: int | None = None
        self.facts = _facts(tables, stored)
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
        """Number of rows in common that were released, by kind; the maximum, if the alignment was not finished."""
        if self._side is not None and self._released_rows is None:
            return self.facts.release.most
        return {"intersections": self._released_rows or 0}

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Records the datasets and row counts that every party states.

        Args:
            hellos: hellos by party.
        """
        self._hellos = hellos
        ids: dict[str, set[bytes]] = {name: set() for name in self._tables}
        for hello in hellos.values():
            for one in hello.datasets:
                ids[one.dataset].add(one.alignment_id)
        self._pending = tuple(name for name, found in ids.items() if len(found) > 1 or found == {b""})

    def confirmation(self, pair_key: bytes) -> Confirmation:
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
        terms = self._terms()
        self._pool = WorkerPool()
        if self._context.party == self._run.label_party:
            self._side = LabelSide(
                terms,
                pair_key=secrets.pair_key,
                new_alignment_id=lambda: self._context.random_bytes(ALIGNMENT_ID_BYTES),
                new_row_secret=self._new_row_secret,
                pool=self._pool,
            )
        else:
            self._side = FeatureSide(terms, pair_key=secrets.pair_key, pool=self._pool)

    def produce(self, kind: MessageKind, dataset: str, *, receiver: str, index: int) -> tuple[Envelope, int]:
        """Produces and seals the next message of a kind.

        Args:
            kind: kind of the message.
            dataset: the dataset that is being aligned.
            receiver: name of the peer.
            index: index of the message.

        Returns:
            The envelope, and the number of messages of its kind.
        """
        side, keys = self._started()
        message, total = side.produce(kind, dataset, receiver, index)
        return keys.seal(Slot(self._context.party, receiver, kind, dataset, index=index, rows=0), message), total

    def consume(self, kind: MessageKind, dataset: str, *, sender: str, index: int, envelope: Envelope) -> int:
        """Opens and processes the next message of a kind.

        Args:
            kind: kind of the message.
            dataset: the dataset that is being aligned.
            sender: name of the peer.
            index: index of the message.
            envelope: the envelope, as the coordinator relayed it.

        Returns:
            The number of rows in common, as far as known.
        """
        side, keys = self._started()
        message = keys.open(Slot(sender, self._context.party, kind, dataset, index=index, rows=0), envelope)
        return side.consume(kind, dataset, sender, index, message=message)

    def finish(self) -> SessionResult:
        """Stores the alignments.

        Returns:
            The names of the aligned datasets, and the total number of rows in common.

        Raises:
            SessionError: the alignment is not complete.
            StorageError: an alignment cannot be stored.
        """
        rows = sum(len(stored.rows) for name, stored in self._stored.items() if name not in self._pending)
        if not self._pending:
            return SessionResult((), rows)
        side, _ = self._started()
        results = side.results()
        self._released_rows = sum(len(aligned.rows) for aligned in results.values())
        for name, aligned in results.items():
            stored = StoredAlignment(
                alignment_id=aligned.alignment_id,
                rows=aligned.rows,
                data_sha256=bytes.fromhex(self._tables[name].rows_sha256),
                id_column=self._context.configuration.data.id_name,
                parties=self._run.parties,
                row_secret=aligned.row_secret,
            )
            self._context.alignments.save(name, stored)
        return SessionResult(tuple(results), rows + self._released_rows)

    def close(self) -> None:
        """Ends the worker processes."""
        if self._side is not None:
            self._side.close()
        if self._pool is not None:
            self._pool.close()

    def _terms(self) -> AlignmentTerms:
        party, label_party = self._context.party, self._run.label_party
        partners = self._run.feature_parties if party == label_party else (label_party,)
        return AlignmentTerms(
            party=party,
            peers={name: self._declared_rows(name) for name in partners},
            ids={name: self._tables[name].known_ids.tolist() for name in self._pending},
            chunk_rows=self._run.alignment.chunk_rows,
            rules=self._grant.alignment,
        )

    def _new_row_secret(self, dataset: str) -> RowSecret:
        pinned = self._context.configuration.pinned_secret
        if pinned is not None:
            return pinned_row_secret(bytes.fromhex(pinned), dataset)
        return fresh_row_secret(self._context.random_bytes)

    def _started(self) -> tuple[LabelSide | FeatureSide, SealingKeys]:
        if self._side is None or self._keys is None:
            raise SessionError("no dataset is being aligned in this session", where=self._context.party)
        return self._side, self._keys

    def _declared_rows(self, peer: str) -> dict[str, int]:
        return {one.dataset: one.rows for one in self._hellos[peer].datasets if one.dataset in self._pending}


def alignment_plan(opening: Opening) -> AlignmentPlan:
    """Prepares the plan of an alignment.

    Args:
        opening: the granted proposal; it may ask to align again although a stored alignment is valid.

    Raises:
        DataError: a dataset is not configured, or its file cannot be used.
    """
    context, run = opening.context, opening.run
    tables = {name: context.tables.table(name) for name in sorted(run.alignment.datasets)}
    stored: dict[str, StoredAlignment] = {}
    for name, table in tables.items():
        found = None if opening.proposal.realign else context.stored_alignment(table, run.parties)
        if found is not None:
            stored[name] = found
    return AlignmentPlan(opening, tables, stored)


def _facts(tables: Mapping[str, Table], stored: Mapping[str, StoredAlignment]) -> PlanFacts:
    """The row counts of the files, the valid alignments, and the most rows that can be in common."""
    rows = sum(table.rows for table in tables.values())
    datasets = [
        DatasetRows(dataset=name, rows=table.rows, alignment_id=stored[name].alignment_id if name in stored else b"")
        for name, table in tables.items()
    ]
    return PlanFacts(datasets=datasets, release=Release(rows, most={"intersections": rows}))
