"""Which checkpoints of a run may be made, used and dropped: rules alone, without disk, clock, network or tensors."""

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
        step: training steps before it.
        lineage: digest of every session and step that led to it; empty at the origin. Two points of one step with
            different lineages come from different histories, and never meet in one session.
    """

    step: int
    lineage: bytes

    def after(self, transcript: bytes, step: int) -> Mark:
        """The point that a session which starts here reaches with a step.

        Args:
            transcript: of the session's handshake, which every party signed.
            step: training steps before the new point, through the whole run.
        """
        content = length_prefixed([self.lineage, transcript, step.to_bytes(8, "big")])
        return Mark(step, hashlib.sha256(LINEAGE_LABEL + content).digest())


ORIGIN = Mark(0, b"")
MAXIMUM_UNCOMMITTED = 8  # copies of one session without a commit between; an honest coordinator makes one


class CheckpointBook:
    """What a party has on disk of one run.

    Args:
        prepared: points whose checkpoints are durable here.
        committed: those of them that were durable at all parties, the oldest first.
        keep: how many committed ones to keep, at least two: where the last is damaged, the one before it is used.
    """

    def __init__(self, prepared: Iterable[Mark], committed: Sequence[Mark], keep: int) -> None:
        self.prepared = set(prepared)
        self.committed = [mark for mark in committed if mark in self.prepared]
        self._keep = keep

    def holds(self, mark: Mark) -> bool:
        """Whether a run can go on from a point here; from its origin it always can."""
        return mark == ORIGIN or mark in self.prepared

    def add(self, mark: Mark) -> None:
        """Notes that a checkpoint is durable."""
        self.prepared.add(mark)

    def confirm(self, mark: Mark) -> None:
        """Notes that all parties have just gone back to a point, and so have its checkpoint; drops nothing.

        What was committed after it belongs to a history that is given up: it must not take the place of what remains.
        """
        self.committed = [one for one in self.committed if one.step < mark.step]
        if mark in self.prepared:
            self.committed.append(mark)

    def commit(self, mark: Mark) -> tuple[Mark, ...]:
        """Notes that a checkpoint is durable at all parties.

        Args:
            mark: its point.

        Returns:
            The points whose checkpoints are not needed any more.
        """
        if mark not in self.prepared:
            raise CheckpointError(f"step {mark.step} was never prepared", where="checkpoints")
        self.committed = [one for one in self.committed if one != mark and one.step < mark.step] + [mark]
        self.committed = self.committed[-self._keep :]
        dropped = tuple(sorted(self.prepared.difference(self.committed)))
        self.prepared.intersection_update(self.committed)
        return dropped


class Checkpoints:
    """The checkpoints of one session at one party, from a copy in memory until all parties have theirs on disk.

    Args:
        party: own name.
        peers: the other parties of the session.
        start: point that the session started from.
        transcript: of the session's handshake.
        book: of the run.

    Raises:
        CheckpointError: the book does not hold the point to start from.
    """

    def __init__(self, party: str, peers: Iterable[str], start: Mark, transcript: bytes, book: CheckpointBook) -> None:
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
        """Takes note of a copy of the state at a step; an earlier copy that is not committed is given up.

        Args:
            step: training steps so far; never less than before.

        Returns:
            The copy's point.

        Raises:
            SessionError: the step lies before that of an earlier copy, or of the session's start; or so many copies
                were taken, and none committed, that they might fill the disk.
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
        """Notes that the copy is durable.

        Raises:
            SessionError: it is not the latest copy.
        """
        if mark != self._taken:
            raise SessionError("no such snapshot was taken", where=f"{self._party}: step {mark.step}")
        self._durable = True
        self._book.add(mark)

    def commit(self, step: int, vouchers: Mapping[str, bytes]) -> tuple[Mark, ...]:
        """Notes that all parties have a checkpoint, which makes older ones superfluous.

        Args:
            step: of the latest copy, durable here.
            vouchers: by peer, the lineage of what it says is durable there.

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
