"""Training with several batches under way: one thread computes step after step."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from typing import Any

from party.cut.hidden import FloatArray, Rows
from party.cut.results import PreparedStep, TrainingResult
from party.cut.stateful import Stateful
from party.pb.party_pb2 import Envelope
from party.protocol.deferred import Deferred
from party.protocol.schedule import Exchange
from party.protocol.training_steps import StepSetup


class PipelinedSteps:
    """Computes a whole step, own updates included, in one call, as the gradients are not awaited before the updates.

    Other threads work meanwhile: `train` prepares the inputs of the next step, and the caller that asks for gradients
    copies, encodes and seals them.

    Args:
        setup: what the steps work on.
        background: single-threaded executor that computes the steps.
    """

    def __init__(self, setup: StepSetup, background: Executor) -> None:
        self._setup = setup
        self._background = background
        self._update: Future[Any] | None = None
        self._sent: Deferred[list[Envelope]] = Deferred.of([])

    @property
    def sent_rows(self) -> int:
        """Number of gradient rows that were sent to the feature party with the most; a row counts each time."""
        return self._setup.sender.sent_rows

    def train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> Deferred[list[Envelope]]:
        """Begins to train on a batch; its gradients are deferred."""
        setup = self._setup
        if not setup.books.is_open or exchange.start == 0:
            self.wait()
            setup.books.begin(exchange)
        prepared = setup.halves.fuse.begin_step(rows, hiddens, setup.presence.of(exchange, rows))
        before, sent_before = self._update, self._sent
        step = self._background.submit(self._run, before, prepared)
        self._update = step
        if setup.private is not None or setup.local_steps is not None:
            self._update = self._background.submit(self._follow, step, exchange, rows, hiddens)

        def send() -> list[Envelope]:
            result = step.result().result()
            sent_before.result()
            envelopes = setup.sender.send(exchange, rows, result)
            setup.books.add_step(exchange, rows, result)
            return envelopes

        self._sent = Deferred(send)
        if before is not None:
            before.exception()  # one step ahead is enough; its error is raised with its own gradients
        return self._sent

    def finish_update(self) -> None:
        """Does nothing: the own update is part of the step."""

    def wait(self) -> None:
        """Waits until the last step and its gradients are done; raises its error."""
        update = self._update
        if update is not None:
            with self._setup.timings.measure("wait for own update"):
                update.result()
            if self._update is update:
                self._update = None
        self._sent.result()

    def abandon(self) -> None:
        """Waits for the step that is being computed."""
        update = self._update
        if update is not None:
            update.exception()

    def parts(self) -> Mapping[str, Stateful]:
        """Empty: no own hiddens are computed ahead."""
        return {}

    def _run(self, before: Future[Any] | None, prepared: PreparedStep) -> Deferred[TrainingResult]:
        if before is not None:
            before.result()
        with self._setup.timings.measure("fuse"):
            return Deferred(prepared())

    def _follow(
        self,
        step: Future[Deferred[TrainingResult]],
        exchange: Exchange,
        rows: Rows,
        hiddens: Mapping[str, FloatArray],
    ) -> None:
        """Does what follows a step in the thread of the steps, while the gradients are sent."""
        trained = step.result()
        if self._setup.private is not None:
            self._setup.private.train(exchange, rows, hiddens)
        if self._setup.local_steps is not None:
            self._setup.local_steps.after(exchange, hiddens, trained.result().gradients)
