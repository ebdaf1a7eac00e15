"""Training with one batch under way: the gradients are sent before the own update."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from party.cut.hidden import FloatArray, Rows
from party.cut.results import TrainingResult
from party.cut.stateful import Stateful
from party.errors import SessionError
from party.pb.party_pb2 import Envelope
from party.protocol.deferred import Deferred
from party.protocol.own_hiddens import OwnHiddens
from party.protocol.schedule import Exchange, following_training_exchange
from party.protocol.training_steps import StepSetup


class SynchronousSteps:
    """Computes the gradients of a batch and, once they have been sent, the own update.

    Args:
        setup: what the steps work on.
    """

    def __init__(self, setup: StepSetup) -> None:
        self._setup = setup
        base = setup.halves.base
        self._own = None if base is None else OwnHiddens(base, setup.schedule, setup.timings)
        self._own_update: Deferred[None] = Deferred.of(None)

    @property
    def sent_rows(self) -> int:
        """Number of gradient rows that were sent to the feature party with the most; a row counts each time."""
        return self._setup.sender.sent_rows

    def train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> Deferred[list[Envelope]]:
        """Trains on a batch; its gradients are ready at once."""
        self.wait()
        setup = self._setup
        setup.books.begin(exchange)
        with_own = hiddens if self._own is None else {**hiddens, setup.party: self._own.take(rows)}
        with setup.timings.measure("fuse"):
            result = setup.halves.fuse.gradients(rows, with_own, setup.presence.of(exchange, rows))
        envelopes = setup.sender.send(exchange, rows, result)
        self._own_update = Deferred(lambda: self._finish_step(exchange, rows, hiddens, result))
        return Deferred.of(envelopes)

    def finish_update(self) -> None:
        """Does the own update in the caller's thread; a separate thread would compete with the one that sends."""
        with suppress(Exception):  # raised by `wait`
            self._own_update.result()

    def wait(self) -> None:
        """Does the own update unless it is done; raises its error."""
        self._own_update.result()

    def abandon(self) -> None:
        """Abandons an own update that has not begun, and waits for one that has."""
        self._own_update.abandon(SessionError("the session has ended", where=self._setup.party))

    def parts(self) -> Mapping[str, Stateful]:
        """The own hiddens that were computed ahead."""
        return {} if self._own is None else {"own_hiddens": self._own}

    def _finish_step(
        self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray], result: TrainingResult
    ) -> None:
        """Does everything that follows once the gradients of a batch have been sent."""
        setup = self._setup
        following = following_training_exchange(setup.schedule, exchange.position)
        at_once = following if setup.local_steps is None else None
        with setup.timings.measure("own update"):
            setup.halves.fuse.apply()
            if self._own is not None:
                self._own.update(result.gradients[setup.party], at_once)
        setup.books.add_step(exchange, rows, result)
        if setup.private is not None:
            setup.private.train(exchange, rows, hiddens)
        if setup.local_steps is not None:
            setup.local_steps.after(exchange, hiddens, result.gradients)
        if self._own is not None and following is not None and at_once is None:
            self._own.prepare(following)
