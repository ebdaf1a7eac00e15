"""Two-phase commit of checkpoints: prepared at every party, then committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from coordinator.configuration import CheckpointIntervalSection
from coordinator.party_client import PartyClient
from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from party.errors import SessionError
from party.protocol.checkpoints import Mark

NoteCommit = Callable[[Mark, Traffic], None]


class Checkpointer:
    """Makes all parties copy their state between two steps, write the copies while training continues, and commit.

    A checkpoint is valid once `note` has returned; every party has it on disk by then.

    Args:
        session: opened for training.
        cadence: when to make a checkpoint.
        note: writes a commit to the journal.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        session: CoordinatedSession,
        cadence: CheckpointIntervalSection,
        note: NoteCommit,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._cadence = cadence
        self._note = note
        self._monotonic = monotonic
        self._due_seconds = monotonic() + cadence.every_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._running: Future[None] | None = None

    def is_due(self, traffic: Traffic) -> bool:
        """Returns whether a checkpoint is due, or the previous one has completed."""
        return self._checkpoint_is_due(traffic.steps) or (self._running is not None and self._running.done())

    def run(self, traffic: Traffic) -> None:
        """Starts a checkpoint if one is due; to be called between two steps.

        Args:
            traffic: of the session so far.

        Raises:
            SplitError: the previous checkpoint failed at a party.
        """
        if self._running is not None and self._running.done():
            self._await_running()
        if self._checkpoint_is_due(traffic.steps):
            self._begin(traffic)

    def complete(self, traffic: Traffic) -> None:
        """Makes a checkpoint and waits until it is committed; to be called between two steps or at the end.

        Args:
            traffic: of the session so far.

        Raises:
            SplitError: a checkpoint failed at a party.
        """
        self._begin(traffic)
        self._await_running()

    def close(self) -> None:
        """Waits for a running checkpoint, whatever its outcome, so that it does not overlap with the next session."""
        self._thread.shutdown(wait=True)

    def abandon(self) -> None:
        """Drops a running checkpoint without waiting; no session follows."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _checkpoint_is_due(self, steps: int) -> bool:
        if self._cadence.every_steps is not None:
            return steps > self._session.start.step and steps % self._cadence.every_steps == 0
        return self._running is None and self._monotonic() >= self._due_seconds

    def _begin(self, traffic: Traffic) -> None:
        self._await_running()
        self._due_seconds = self._monotonic() + self._cadence.every_seconds
        session = self._session
        pending = [party.begin_snapshot(session.reference, traffic.steps) for party in session.clients.values()]
        for result in pending:
            result()
        self._running = self._thread.submit(self._carry_out, replace(traffic))

    def _await_running(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def _carry_out(self, traffic: Traffic) -> None:
        session, step = self._session, traffic.steps
        prepared = session.at_all(lambda party: party.prepare(session.reference, step))
        lineages = {reply.lineage for reply in prepared.values()}
        if len(lineages) != 1:
            raise SessionError("the parties prepared checkpoints of different histories", where=f"step {step}")
        self._note(Mark(step, lineages.pop()), traffic)
        vouchers = [voucher for reply in prepared.values() for voucher in reply.vouchers]

        def commit(party: PartyClient) -> None:
            own = [voucher for voucher in vouchers if voucher.receiver == party.name]
            party.commit(session.reference, step, own)

        session.at_all(commit)
