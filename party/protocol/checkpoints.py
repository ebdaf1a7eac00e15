"""The rules for making, using and dropping checkpoints, without disk, clock, network or tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from party.errors import CheckpointError, SealError, SessionError
from party.security.framing import length_prefixed

LINEAGE_LABEL = b"vsl/1 lineage\0"
LINEAGE_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, order=True)
class Mark:
    """One point in the history of a run.

    Attributes:
        step: number of training steps before it.
        lineage: digest of every session and step that led to it; empty at the origin. Two points of one step with
            different lineages come from different histories, and cannot meet in one session.
    """

    step: int
    lineage: bytes

    def after(self, transcript: bytes, step: int) -> Mark:
        """The point that a session which starts here reaches at a step.

        Args:
            transcript: transcript of the session's handshake, which every party signed.
            step: number of training steps before the new point, counted through the whole run.
        """
        content = length_prefixed([self.lineage, transcript, step.to_bytes(8, "big")])
        return Mark(step, hashlib.sha256(LINEAGE_LABEL + content).digest())


ORIGIN = Mark(0, b"")
MAXIMUM_UNCOMMITTED = 8  # snapshots of one session without a commit in between; an honest coordinator takes one


class CheckpointBook:
    """The checkpoints of one run that a party has on disk.

    Args:
        prepared: points whose checkpoints are durable at this party.
        committed: those that are durable at all parties, the oldest first.
        keep: number of committed checkpoints to retain, at least two: if the last is damaged, the one before is used.
    """

    def __init__(self, prepared: Iterable[Mark], committed: Sequence[Mark], keep: int) -> None:
        self.prepared = set(prepared)
        self.committed = [mark for mark in committed if mark in self.prepared]
        self._keep = keep

    def holds(self, mark: Mark) -> bool:
        """Whether the run can continue from a point at this party; from its origin it always can."""
        return mark == ORIGIN or mark in self.prepared

    def add(self, mark: Mark) -> None:
        """Records that a checkpoint is durable at this party."""
        self.prepared.add(mark)

    def confirm(self, mark: Mark) -> None:
        """Records that all parties have gone back to a point and so have its checkpoint; drops nothing.

        Later commits belong to an abandoned history: they must not displace the checkpoints that remain valid.

        Args:
            mark: the point that the parties went back to.
        """
        self.committed = [one for one in self.committed if one.step < mark.step]
        if mark in self.prepared:
            self.committed.append(mark)

    def commit(self, mark: Mark) -> tuple[Mark, ...]:
        """Records that a checkpoint is durable at all parties.

        Args:
            mark: the point of the checkpoint.

        Returns:
            The points whose checkpoints are no longer needed.
        """
        if mark not in self.prepared:
            raise CheckpointError(f"step {mark.step} was never prepared", where="checkpoints")
        self.committed = [one for one in self.committed if one != mark and one.step < mark.step] + [mark]
        self.committed = self.committed[-self._keep :]
        dropped = tuple(sorted(self.prepared.difference(self.committed)))
        self.prepared.intersection_update(self.committed)
        return dropped


class Checkpoints:
    """The checkpoints of one session at one party: each is a snapshot in memory, then prepared, then committed.

    Args:
        party: name of this party.
        peers: names of the other parties of the session.
        start: the point that the session started from.
        transcript: transcript of the session's handshake.
        book: book of the run.

    Raises:
        CheckpointError: this party has no checkpoint of the point to start from.
    """

    def __init__(
        self, party: str, peers: Iterable[str], start: Mark, *, transcript: bytes, book: CheckpointBook
    ) -> None:
        if not book.holds(start):
            raise CheckpointError(f"no checkpoint of step {start.step} from this history is here", where=party)
        self._party = party
        self._peers = frozenset(peers)
        self._start = start
        self._transcript = transcript
        self._book = book
        book.confirm(start)
        self._taken: Mark | None = None
        self._durable = False
        self._uncommitted = 0

    def mark(self, step: int) -> Mark:
        """The point of this session's history at a step."""
        return self._start.after(self._transcript, step)

    def take(self, step: int) -> Mark:
        """Records that a snapshot of the state was taken at a step; an earlier uncommitted snapshot is abandoned.

        Args:
            step: number of training steps so far; never less than before.

        Returns:
            The point of the snapshot.

        Raises:
            SessionError: the step is before that of an earlier snapshot or of the session's start; or so many snapshots
                were taken without a commit that they might fill the disk.
        """
        latest = self._start.step if self._taken is None else self._taken.step
        if step < latest:
            raise SessionError(
                "call out of order", where=self._party, expected=f"a snapshot from step {latest} on", received=f"{step}"
            )
        mark = self.mark(step)
        if mark != self._taken:
            if self._uncommitted >= MAXIMUM_UNCOMMITTED:
                raise SessionError(
                    f"{self._uncommitted} snapshots were taken and none was committed",
                    where=self._party,
                    expected="Commit after every Snapshot",
                )
            self._taken, self._durable = mark, False
            self._uncommitted += 1
        return mark

    def prepared(self, mark: Mark) -> None:
        """Records that the latest snapshot is durable at this party.

        Args:
            mark: the point of the snapshot.

        Raises:
            SessionError: the point is not that of the latest snapshot.
        """
        if mark != self._taken:
            raise SessionError("no such snapshot was taken", where=f"{self._party}: step {mark.step}")
        self._durable = True
        self._book.add(mark)

    def commit(self, step: int, vouchers: Mapping[str, bytes]) -> tuple[Mark, ...]:
        """Records that all parties have a checkpoint, so that older ones may be dropped.

        Args:
            step: step of the latest snapshot, which is durable here.
            vouchers: vouchers by peer, the lineage of the checkpoint that is durable there, as the peer states it.

        Returns:
            The points whose checkpoints may be dropped.

        Raises:
            SessionError: no checkpoint of this step is durable here.
            SealError: a peer did not vouch for this point.
        """
        mark = self._taken
        if mark is None or mark.step != step or not self._durable:
            raise SessionError("no checkpoint of this step is prepared", where=f"{self._party}: step {step}")
        for peer in sorted(self._peers):
            if vouchers.get(peer) != mark.lineage:
                raise SealError(f"{peer} did not vouch for this checkpoint", where=f"{self._party}: step {step}")
        self._uncommitted = 0
        return self._book.commit(mark)
