"""A session that puts the rows of all parties in the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from party.alignment.exchange import FeatureSide, LabelSide
from party.alignment.pool import WorkerPool
from party.alignment.store import StoredAlignment
from party.alignment.terms import AlignmentTerms
from party.configuration.run import RunConfiguration
from party.errors import SessionError
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello
from party.pb.party_pb2 import Envelope, MessageKind
from party.runtime.context import PartyContext
from party.security.sealing import SealingKeys, Slot

ALIGNMENT_ID_BYTES = 16
PairKey = Callable[[str], bytes]


class AlignmentPlan:
    """What a party brings to an alignment, and what it takes from it.

    Args:
        context: of the party.
        run: the run configuration.
        realign: whether to align also where a stored alignment still holds.
    """

    outputs = ()
    lineage = b""

    def __init__(self, context: PartyContext, run: RunConfiguration, realign: bool) -> None:
        self._context = context
        self._run = run
        self._tables = {name: context.tables.table(name) for name in sorted(run.alignment.datasets)}
        self._stored: dict[str, StoredAlignment] = {}
        for name, table in self._tables.items():
            stored = None if realign else context.stored_alignment(table, run.parties)
            if stored is not None:
                self._stored[name] = stored
        self._pending: tuple[str, ...] = ()
        self._hellos: Mapping[str, Hello] = {}
        self._pool: WorkerPool | None = None
        self._side: LabelSide | FeatureSide | None = None
        self._keys: SealingKeys | None = None

    @property
    def datasets(self) -> list[DatasetRows]:
        """What Hello says of the datasets: rows of the file, and the alignment that still holds."""
        return [
            DatasetRows(
                dataset=name,
                rows=table.rows,
                alignment_id=self._stored[name].alignment_id if name in self._stored else b"",
            )
            for name, table in self._tables.items()
        ]

    @property
    def pending(self) -> tuple[str, ...]:
        """Datasets without an alignment that holds at every party."""
        return self._pending

    @property
    def exchanges(self) -> int:
        """An alignment has no batches."""
        return 0

    position = 0
    steps = 0
    step = 0
    decisions = ()
    passes = ()
    depth = 1

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Notes what every party brings."""
        self._hellos = hellos
        ids: dict[str, set[bytes]] = {name: set() for name in self._tables}
        for hello in hellos.values():
            for one in hello.datasets:
                ids[one.dataset].add(one.alignment_id)
        self._pending = tuple(name for name, found in ids.items() if len(found) > 1 or found == {b""})

    def start(self, keys: SealingKeys, pair_key: PairKey) -> None:
        """Makes ready for the messages of the protocol, once keys are agreed."""
        self._keys = keys
        if not self._pending:
            return
        party, label_party = self._context.party, self._run.label_party
        partners = self._run.feature_parties if party == label_party else (label_party,)
        policy = self._context.configuration.policy
        terms = AlignmentTerms(
            party=party,
            peers={name: self._declared_rows(name) for name in partners},
            ids={name: self._tables[name].ids.tolist() for name in self._pending},
            chunk_rows=self._run.alignment.chunk_rows,
            minimum_intersection=policy.minimum_intersection,
            maximum_peer_rows=policy.maximum_peer_rows,
        )
        self._pool = WorkerPool()
        if party == label_party:
            self._side = LabelSide(
                terms,
                pair_key=pair_key,
                new_alignment_id=lambda: self._context.random_bytes(ALIGNMENT_ID_BYTES),
                pool=self._pool,
            )
        else:
            self._side = FeatureSide(terms, pair_key=pair_key, pool=self._pool)

    def confirmation(self, pair_key: bytes) -> Confirmation:
        """Nothing to confirm but the key itself: rows are not in order yet."""
        return Confirmation()

    def produce(self, kind: MessageKind, dataset: str, receiver: str, index: int) -> tuple[Envelope, int]:
        """Makes and seals the next message of a kind.

        Args:
            kind: of the message.
            dataset: that is being aligned.
            receiver: a peer.
            index: of the message.

        Returns:
            The envelope, and how many of its kind there are.
        """
        side, keys = self._started()
        message, total = side.produce(kind, dataset, receiver, index)
        return keys.seal(Slot(self._context.party, receiver, kind, dataset, index, 0), message), total

    def consume(self, kind: MessageKind, dataset: str, sender: str, index: int, envelope: Envelope) -> int:
        """Opens and takes the next message of a kind.

        Args:
            kind: of the message.
            dataset: that is being aligned.
            sender: a peer.
            index: of the message.
            envelope: as relayed.

        Returns:
            Rows in common, as far as known.
        """
        side, keys = self._started()
        message = keys.open(Slot(sender, self._context.party, kind, dataset, index, 0), envelope)
        return side.consume(kind, dataset, sender, index, message)

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Stores what was aligned; returns the names of the files and the rows in common."""
        rows = sum(len(stored.rows) for name, stored in self._stored.items() if name not in self._pending)
        if not self._pending:
            return (), rows
        side, _ = self._started()
        results = side.results()
        for name, aligned in results.items():
            stored = StoredAlignment(
                alignment_id=aligned.alignment_id,
                rows=aligned.rows,
                data_sha256=bytes.fromhex(self._tables[name].sha256),
                id_column=self._context.configuration.data.id,
                parties=self._run.parties,
            )
            self._context.alignments.save(name, stored)
        return tuple(results), rows + sum(len(aligned.rows) for aligned in results.values())

    def close(self) -> None:
        """Ends the worker processes."""
        if self._side is not None:
            self._side.close()
        if self._pool is not None:
            self._pool.close()

    def _started(self) -> tuple[LabelSide | FeatureSide, SealingKeys]:
        if self._side is None or self._keys is None:
            raise SessionError("no dataset is being aligned in this session", where=self._context.party)
        return self._side, self._keys

    def _declared_rows(self, peer: str) -> dict[str, int]:
        return {one.dataset: one.rows for one in self._hellos[peer].datasets if one.dataset in self._pending}
