"""Checkpoints of a run as its coordinator drives them: prepared at every party, then committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from coordinator.configuration import CheckpointsSection
from coordinator.session import Session
from coordinator.traffic import Traffic
from party.errors import SessionError
from party.pb import party_pb2 as pb
from party.protocol.checkpoints import Mark

NoteCommit = Callable[[Mark, Traffic], None]


class Checkpointer:
    """Has all parties copy their state between two steps, write the copies while training goes on, and commit them.

    A checkpoint counts once `note` has returned: every party had it on its disk before.

    Args:
        session: opened for training.
        cadence: when to make one.
        note: writes a commit into the journal.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(
        self,
        session: Session,
        cadence: CheckpointsSection,
        note: NoteCommit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._cadence = cadence
        self._note = note
        self._monotonic = monotonic
        self._due_seconds = monotonic() + cadence.every_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._running: Future[None] | None = None

    def wants(self, traffic: Traffic) -> bool:
        """Whether a checkpoint is due, or the one before has come to an end."""
        return self._is_due(traffic.steps) or (self._running is not None and self._running.done())

    def visit(self, traffic: Traffic) -> None:
        """Begins a checkpoint where one is due; to be called between two steps.

        Raises:
            SplitError: what the one before met at a party.
        """
        if self._running is not None and self._running.done():
            self._await_running()
        if self._is_due(traffic.steps):
            self._begin(traffic)

    def complete(self, traffic: Traffic) -> None:
        """Makes a checkpoint and waits until it is committed; to be called between two steps or at the end."""
        self._begin(traffic)
        self._await_running()

    def close(self) -> None:
        """Waits for what is under way, whatever it comes to: it must not reach into the session that follows."""
        self._thread.shutdown(wait=True)

    def abandon(self) -> None:
        """Waits for nothing: no session follows."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _is_due(self, steps: int) -> bool:
        if self._cadence.every_steps is not None:
            return steps > self._session.start.step and steps % self._cadence.every_steps == 0
        return self._running is None and self._monotonic() >= self._due_seconds

    def _begin(self, traffic: Traffic) -> None:
        self._await_running()
        self._due_seconds = self._monotonic() + self._cadence.every_seconds
        request = pb.SnapshotRequest(session=self._session.reference, step=traffic.steps)
        pending = [party.begin(party.stub.Snapshot, request) for party in self._session.connections.values()]
        for result in pending:
            result()
        self._running = self._thread.submit(self._carry_out, replace(traffic))

    def _await_running(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def _carry_out(self, traffic: Traffic) -> None:
        session, step = self._session, traffic.steps
        request = pb.PrepareRequest(session=session.reference, step=step)
        prepared = session.at_all(lambda party: party.call(party.stub.Prepare, request))
        lineages = {reply.lineage for reply in prepared.values()}
        if len(lineages) != 1:
            raise SessionError("the parties prepared checkpoints of different histories", where=f"step {step}")
        self._note(Mark(step, lineages.pop()), traffic)
        vouchers = [voucher for reply in prepared.values() for voucher in reply.vouchers]

        def commit(name: str) -> pb.CommitRequest:
            mine = [voucher for voucher in vouchers if voucher.receiver == name]
            return pb.CommitRequest(session=session.reference, step=step, vouchers=mine)

        session.at_all(lambda party: party.call(party.stub.Commit, commit(party.name)))
