"""The checkpoints of one training session: copies in memory, files on disk, vouchers for the peers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from party.errors import SessionError
from party.pb.party_pb2 import Envelope, MessageKind
from party.protocol.checkpoints import CheckpointBook, Checkpoints, Mark
from party.protocol.state import State
from party.runtime.checkpoint_files import CheckpointFiles
from party.security.sealing import SealingKeys, Slot


class TrainingCheckpoints:
    """Carries out what the rules of `party.protocol.checkpoints` allow.

    Args:
        party: own name.
        peers: the other parties of the session.
        dataset: that is trained on.
        start: point that the session started from.
        keys: of the session.
        files: of the run.
        keep: how many committed checkpoints to keep.

    Raises:
        CheckpointError: there is no checkpoint of the point to start from.
    """

    def __init__(
        self,
        party: str,
        peers: Sequence[str],
        dataset: str,
        start: Mark,
        keys: SealingKeys,
        files: CheckpointFiles,
        keep: int,
    ) -> None:
        self._party = party
        self._peers = tuple(peers)
        self._dataset = dataset
        self._keys = keys
        self._files = files
        files.sweep()
        self._book = CheckpointBook(files.prepared(), files.committed(), keep)
        known = list(self._book.committed)
        self._rules = Checkpoints(party, peers, start, keys.transcript, self._book)
        if (
            self._book.committed != known
        ):  # a party that missed a Commit learns of it here, and must not forget it again
            files.note_committed(list(self._book.committed))
        self._copy: tuple[Mark, State] | None = None
        # Copies are taken between batches, while the one before may still be on its way to the disk.
        self._lock = threading.Lock()

    def mark(self, step: int) -> Mark:
        """The point of this session's history at a step."""
        return self._rules.mark(step)

    def take(self, step: int, state: State) -> None:
        """Keeps a copy of the state in memory, in place of an earlier one.

        Raises:
            SessionError: the step lies before that of an earlier copy.
        """
        with self._lock:
            self._copy = (self._rules.take(step), state)

    def prepare(self, step: int) -> tuple[bytes, list[Envelope]]:
        """Makes the latest copy durable.

        Args:
            step: that it was taken at.

        Returns:
            The lineage of the checkpoint, and a sealed voucher for every peer.

        Raises:
            SessionError: no copy of this step was taken.
            StorageError: the disk is full, or the folder cannot be written.
        """
        copy = self._copy
        if copy is None or copy[0].step != step:
            raise SessionError("no snapshot of this step was taken", where=f"{self._party}: step {step}")
        mark, state = copy
        self._files.write(mark, state)
        with self._lock:
            self._rules.prepared(mark)
            self._copy = None
        slots = [self._voucher_slot(self._party, peer, step) for peer in self._peers]
        return mark.lineage, [self._keys.seal(slot, mark.lineage) for slot in slots]

    def commit(self, step: int, vouchers: Sequence[Envelope]) -> None:
        """Notes that all parties have their part, and drops older checkpoints.

        Args:
            step: of the checkpoint.
            vouchers: sealed by every peer.

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
            committed = list(self._book.committed)
        self._files.note_committed(committed)
        self._files.drop(dropped)

    def _voucher_slot(self, sender: str, receiver: str, step: int) -> Slot:
        return Slot(sender, receiver, MessageKind.MESSAGE_KIND_PREPARED, self._dataset, step, 0)
