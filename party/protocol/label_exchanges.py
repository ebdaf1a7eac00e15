"""The label party's side of the batches of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.channel.compose import LabelChannels
from party.channel.incoming_chain import ReceivedMatrix
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State
from party.cut.stateful import Stateful, StatefulParts
from party.errors import SessionError
from party.metrics.accumulator import MetricAccumulator
from party.metrics.pass_metrics import PassMetrics
from party.metrics.step_losses import StepLossRelease
from party.pb.party_pb2 import Envelope
from party.protocol.deferred import Deferred
from party.protocol.epoch_books import EpochMetrics
from party.protocol.epoch_decisions import EpochDecisions
from party.protocol.label_heads import LabelHeads
from party.protocol.peer_entities import PeerEntities
from party.protocol.progress import ScheduledExchanges
from party.protocol.request_journal import RequestJournal
from party.protocol.schedule import Activity, Exchange, Schedule
from party.protocol.timings import Timings
from party.protocol.training_steps import TrainingSteps


class LabelExchanges(ScheduledExchanges):
    """Receives hiddens and returns gradients in the order that the schedule prescribes.

    With private labels there are two heads. Properties whose name begins with `own` are for the label party's own
    files; all others may be told to the coordinator and depend on drawn labels alone.

    Args:
        party: name of this party.
        schedule: the session's schedule.
        channels: channels to and from the feature parties.
        entities: find the entities that the rows of a batch refer to.
        heads: this party's models and the figures of each pass.
        timings: records how long each activity takes.
        steps: do the training; None in a session that does not train.
        decisions: take the decision after each epoch; None without early stopping.
        journal: records the requests and compares those that are repeated after the run went back to a checkpoint; None
            in a session without checkpoints.
        checkpointed: what else belongs in a checkpoint, by name.
    """

    def __init__(
        self,
        party: str,
        schedule: Schedule,
        channels: LabelChannels,
        *,
        entities: PeerEntities,
        heads: LabelHeads,
        timings: Timings,
        steps: TrainingSteps | None = None,
        decisions: EpochDecisions | None = None,
        journal: RequestJournal | None = None,
        checkpointed: Mapping[str, Stateful],
    ) -> None:
        super().__init__(party, schedule)
        self._hiddens = channels.hiddens
        self._senders = tuple(channels.matrices)
        self._entities = entities
        self._heads = heads
        self._books, self._own_books = heads.released.books, heads.own.books
        self._timings = timings
        self._steps = steps
        self._decisions = decisions
        self._journal = journal
        self._parts = StatefulParts({"exchanges": self._progress, "books": self._books, **checkpointed})

    @property
    def epochs(self) -> Sequence[EpochMetrics]:
        """Metrics of the epochs so far."""
        return self._books.epochs

    @property
    def step_losses(self) -> StepLossRelease:
        """Losses of the steps so far."""
        return self._books.step_losses

    @property
    def inference(self) -> MetricAccumulator | None:
        """Outputs of all rows of an evaluation or a prediction; None until they are complete."""
        return self._books.inference

    @property
    def own_epochs(self) -> Sequence[EpochMetrics]:
        """Metrics of the epochs so far, for this party alone."""
        return self._own_books.epochs

    @property
    def own_step_losses(self) -> StepLossRelease:
        """Losses of the steps so far, for this party alone."""
        return self._own_books.step_losses

    @property
    def own_inference(self) -> MetricAccumulator | None:
        """Predictions and metrics of all rows, for this party alone; None until they are complete."""
        return self._own_books.inference

    def own_evaluation(self) -> PassMetrics | None:
        """Metrics of an evaluation, for this party alone; None until complete, and where the private head failed."""
        return self._heads.own_evaluation()

    @property
    def passes_done(self) -> int:
        """Number of passes that ended in this session, so that their metrics are available."""
        return self._books.passes_done

    @property
    def sent_rows(self) -> int:
        """Number of gradient rows that were sent to the feature party with the most; a row counts each time."""
        return 0 if self._steps is None else self._steps.sent_rows

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of early stopping; None before the end, as it would reveal which epochs improved."""
        return self._decisions.best_epoch if self._decisions is not None and self.finished else None

    def fuse(self, position: int, envelopes: Sequence[Envelope]) -> Deferred[list[Envelope]]:
        """Receives the hiddens of a batch and, in training, returns the gradients.

        `finish_update` does the own update later: nothing that can wait delays the gradients. With several batches
        under way, the whole step runs in the background, so that the hiddens of the next batch are opened meanwhile.

        Args:
            position: position of the exchange; must be the next one.
            envelopes: one from every feature party, in any order.

        Returns:
            The sealed gradients for every feature party, deferred; an empty list outside of training.

        Raises:
            SessionError: another exchange is due, or a party's message is missing.
            SealError, TensorError: a message is not valid, or differs from the one before the run went back to a
                checkpoint; nothing has changed.
        """
        exchange = self._due("Fuse", position)
        rows = self._schedule.rows(exchange)
        with self._timings.measure("open"):
            hiddens = self._open(exchange, rows, envelopes)
        gradients: Deferred[list[Envelope]] = Deferred.of([])
        if exchange.activity is Activity.TRAIN:
            gradients = self._training.train(exchange, rows, hiddens)
        else:
            self._infer(exchange, rows, hiddens)
        self._progress.position += 1
        return gradients

    def decide(self, position: int) -> tuple[list[Envelope], bool]:
        """Decides after an epoch whether to continue.

        Args:
            position: position of the decision; must be the next exchange.

        Returns:
            The sealed decisions, one for every feature party, and whether to stop.

        Raises:
            SessionError: another exchange is due.
            ConfigurationError: the metric to decide by does not exist.
        """
        exchange = self._due("Decide", position)
        self.wait_for_update()
        validation = self._books.epochs[-1].validation
        if self._decisions is None or validation is None:
            raise RuntimeError("a decision is due without held-out rows")
        decision, envelopes = self._decisions.decide(exchange, validation)
        self._progress.position += 1
        self._progress.stopped = decision.stop
        return envelopes, decision.stop

    def finish_update(self) -> None:
        """Does the own update of the last batch; to be called once its gradients have been sent."""
        if self._steps is not None:
            self._steps.finish_update()

    def wait_for_update(self) -> None:
        """Waits until all own updates are done; if one failed, this and every later call raises its error."""
        if self._steps is not None:
            self._steps.wait()

    def abandon(self) -> None:
        """Abandons an own update that has not begun, and waits for one that has; called when the session ends."""
        if self._steps is not None:
            self._steps.abandon()

    def running(self) -> PassMetrics | None:
        """Metrics of the current training epoch so far; None while they would cover too few rows."""
        return self._books.running() if self._progress.trains else None

    def state(self) -> State:
        """The state that training continues from, between two training batches or at the end.

        Raises:
            SessionError: the next batch is not one of training.
        """
        if not (self.finished or self._progress.trains):
            received = f"Snapshot {self.position}"
            raise SessionError(
                "call out of order", where=self._party, expected="the end of the epoch", received=received
            )
        self.wait_for_update()
        return self._parts.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same schedule, before the first call.

        Raises:
            CheckpointError: the state belongs to another model, or is incomplete.
        """
        self._parts.set_state(state)

    @property
    def _training(self) -> TrainingSteps:
        if self._steps is None:
            raise RuntimeError("a batch of training is due in a session that does not train")
        return self._steps

    def _due(self, call: str, position: int) -> Exchange:
        """The exchange at a position; refuses one that is not next, or that expects another call."""
        exchange = None if self.finished else self._schedule.exchange(self.position)
        deciding = exchange is not None and exchange.activity is Activity.DECIDE
        if exchange is None or position != self.position or deciding != (call == "Decide"):
            due = "nothing more" if exchange is None else f"{'Decide' if deciding else 'Fuse'} {self.position}"
            raise SessionError("call out of order", where=self._party, expected=due, received=f"{call} {position}")
        return exchange

    def _infer(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> None:
        self.wait_for_update()
        self._heads.infer(exchange, rows, hiddens, party=self._party, timings=self._timings)

    def _open(self, exchange: Exchange, rows: Rows, envelopes: Sequence[Envelope]) -> dict[str, FloatArray]:
        by_sender = {envelope.sender: envelope for envelope in envelopes}
        if len(envelopes) != len(self._senders) or set(by_sender) != set(self._senders):
            raise SessionError(
                "a batch needs the hiddens of every feature party, each once",
                where=f"{self._party}: exchange {exchange.position}",
                expected=", ".join(self._senders),
                received=f"{len(envelopes)} messages",
            )
        places = {name: self._entities.place(name, exchange, rows) for name in self._hiddens}
        received: dict[str, ReceivedMatrix] = {
            name: channel.open([by_sender[sender] for sender in channel.senders], places[name])
            for name, channel in self._hiddens.items()
        }
        if self._journal is not None:
            self._journal.take(exchange, {one.slot: one.message for one in received.values()})
        for name, one in received.items():
            self._hiddens[name].accept(one, places[name])
        return self._entities.expand({name: one.values for name, one in received.items()}, rows)
