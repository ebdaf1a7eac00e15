"""The checkpoints of a training session: snapshots in memory, files on disk, vouchers for the peers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from party.cut.state import State
from party.errors import SessionError
from party.pb.party_pb2 import Envelope, MessageKind
from party.protocol.checkpoints import ORIGIN, CheckpointBook, Checkpoints, Mark
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.request_file import RequestFile
from party.runtime.session_work import WrittenCheckpoints
from party.runtime.table_copies import TablesCopy, TableSnapshots
from party.runtime.table_format import TablesReference
from party.security.sealing import SealingKeys, Slot


@dataclass(frozen=True)
class _Copy:
    """A snapshot in memory: its point, the state without large tables, and these, if there are any."""

    mark: Mark
    state: State
    tables: TablesCopy | None


class TrainingCheckpoints:
    """Makes and drops checkpoints by the rules of `party.protocol.checkpoints`.

    Args:
        keys: the session's sealing keys.
        files: files of the run.
        requests: the run's requests, which are synced to disk before a checkpoint counts.
        party: name of this party.
        peers: names of the other parties of the session.
        dataset: name of the training dataset.
        start: the point that the session started from.
        keep: number of committed checkpoints to retain.
        monotonic: returns the seconds of a monotonic clock.

    Attributes:
        written: the checkpoints that were written so far.

    Raises:
        CheckpointError: the checkpoint of the point to start from does not exist.
    """

    def __init__(
        self,
        keys: SealingKeys,
        files: CheckpointFiles,
        requests: RequestFile,
        *,
        party: str,
        peers: Sequence[str],
        dataset: str,
        start: Mark,
        keep: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._party = party
        self._peers = tuple(peers)
        self._dataset = dataset
        self._keys = keys
        self._files = files
        self._requests = requests
        files.sweep()
        self._book = CheckpointBook(files.prepared(), files.committed(), keep)
        known = list(self._book.committed)
        self._rules = Checkpoints(party, peers, start, transcript=keys.transcript, book=self._book)
        if self._book.committed != known:  # a party that missed a Commit learns of it here, and must record it
            files.note_committed(list(self._book.committed))
        self._monotonic = monotonic
        self.written = WrittenCheckpoints()
        self._tables = TableSnapshots(None if start == ORIGIN else files.base_of(start))
        self._copy: _Copy | None = None
        self._reference: TablesReference | None = None  # of the tables of the latest snapshot, once they are durable
        # Snapshots are taken between batches, while the former one may still be being written.
        self._lock = threading.Lock()

    def mark(self, step: int) -> Mark:
        """The point of this session's history at a step."""
        return self._rules.mark(step)

    def take(self, step: int, state: State) -> None:
        """Keeps a snapshot of the state in memory, replacing an earlier one; of large tables it copies what it needs.

        Args:
            step: number of training steps so far.
            state: the state at this step; its tables must not change during the call.

        Raises:
            SessionError: the step is before that of an earlier snapshot.
        """
        with self._lock:
            mark = self._rules.take(step)
            tables = self._tables.take(mark, state.tables) if state.tables else None
            self._copy = _Copy(mark, State(state.values, state.arrays), tables)

    def prepare(self, step: int) -> tuple[bytes, list[Envelope]]:
        """Makes the latest snapshot durable.

        Args:
            step: the step of the snapshot.

        Returns:
            The lineage of the checkpoint, and a sealed voucher for every peer.

        Raises:
            SessionError: no snapshot of this step was taken.
            CheckpointError: the file that the snapshot's large tables build on is missing, damaged or another one.
            StorageError: the disk is full, or the folder cannot be written.
        """
        copy = self._copy
        if copy is None or copy.mark.step != step:
            raise SessionError("no snapshot of this step was taken", where=f"{self._party}: step {step}")
        mark, state, reference = copy.mark, copy.state, None
        # Before the checkpoint counts: whoever goes back to an earlier one must know the requests that led to this one.
        start_seconds = self._monotonic()
        self._requests.sync()
        if copy.tables is not None:
            state, reference = self._files.write_tables(mark, state, copy.tables)
        size_bytes = self._files.write(mark, state)
        self.written += WrittenCheckpoints(1, self._monotonic() - start_seconds, size_bytes)
        with self._lock:
            self._rules.prepared(mark)
            self._copy, self._reference = None, reference
        slots = [self._voucher_slot(self._party, peer, step) for peer in self._peers]
        return mark.lineage, [self._keys.seal(slot, mark.lineage) for slot in slots]

    def commit(self, step: int, vouchers: Sequence[Envelope]) -> None:
        """Records that the checkpoint is durable at all parties, and drops older ones.

        Args:
            step: step of the checkpoint.
            vouchers: the vouchers that every peer sealed.

        Raises:
            SessionError: no checkpoint of this step is durable here.
            SealError: a peer did not vouch for it.
        """
        by_sender = {envelope.sender: envelope for envelope in vouchers if envelope.sender in self._peers}
        lineages = {
            peer: self._keys.open(self._voucher_slot(peer, self._party, step), envelope)
            for peer, envelope in by_sender.items()
        }
        with self._lock:
            dropped = self._rules.commit(step, lineages)
            if self._reference is not None:
                self._tables.committed(self._reference)
            committed = list(self._book.committed)
        self._files.note_committed(committed)
        self._files.drop(dropped)

    def _voucher_slot(self, sender: str, receiver: str, step: int) -> Slot:
        return Slot(sender, receiver, MessageKind.MESSAGE_KIND_PREPARED, self._dataset, index=step, rows=0)
