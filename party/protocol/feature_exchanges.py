"""A feature party's side of the batches of a session."""

from __future__ import annotations

from collections.abc import Mapping

from party.channel.compose import FeatureChannels
from party.channel.encoded_matrix import EncodedMatrix
from party.cut.hidden import FloatArray
from party.cut.state import State
from party.cut.stateful import Stateful, StatefulParts
from party.data.entities import Entities
from party.errors import SealError, SessionError
from party.pb.party_pb2 import Envelope
from party.protocol.early_stopping import Decision, decision_from_bytes, retained_epochs
from party.protocol.feature_batches import FeatureBatch, FeatureBatches
from party.protocol.feature_steps import FeatureSteps
from party.protocol.halves import Base
from party.protocol.progress import ScheduledExchanges
from party.protocol.request_journal import RequestJournal
from party.protocol.schedule import Activity, Exchange, Schedule, exchange_after_update, exchange_to_send
from party.protocol.timings import Timings
from party.security.sealing import Slot


class FeatureExchanges(ScheduledExchanges):
    """Sends hiddens and receives gradients in the order that the schedule prescribes.

    Args:
        party: name of this party.
        schedule: the session's schedule.
        channels: channels to and from the label party.
        entities: the entities that the rows of the dataset refer to.
        base: the base model, which computes hiddens outside of training.
        timings: records how long each activity takes.
        steps: the training steps; None in a session that does not train.
        journal: records the requests and compares those that are repeated after the run went back to a checkpoint; None
            in a session without checkpoints.

    Attributes:
        sent_rows: how often an entity was sent so far.
    """

    def __init__(
        self,
        party: str,
        schedule: Schedule,
        channels: FeatureChannels,
        *,
        entities: Entities,
        base: Base,
        timings: Timings,
        steps: FeatureSteps | None = None,
        journal: RequestJournal | None = None,
    ) -> None:
        super().__init__(party, schedule)
        self._batches = FeatureBatches(schedule, entities, by_row=channels.by_row)
        self._channels = channels
        self._base = base
        self._timings = timings
        self._steps = steps
        self._journal = journal
        parts: Mapping[str, Stateful] = {} if steps is None else {"gradients": channels.gradients, **steps.parts()}
        self._parts = StatefulParts({"exchanges": self._progress, **parts})
        self.sent_rows = 0

    @property
    def awaits_gradient(self) -> bool:
        """Whether gradients for hiddens of training are still expected."""
        return self._under_way > 0

    def forward(self, position: int) -> Envelope:
        """Computes and seals the hiddens of a batch.

        With a depth of more than one, the hiddens of several training batches precede the first gradients.

        Args:
            position: position of the exchange; must be the next one that was not sent.

        Returns:
            The envelope for the label party.

        Raises:
            SessionError: another exchange is due, or the maximum number of batches is under way.
        """
        exchange = None if self.finished else exchange_to_send(self._schedule, self.position, self._sent)
        if exchange is None or position != exchange.position or exchange.activity is Activity.DECIDE:
            raise self._out_of_order("Forward", position)
        batch = self._batches.of(exchange)
        if exchange.activity is Activity.TRAIN:
            steps = self._training
            return self._seal(batch, steps.repeat() if steps.to_repeat else steps.forward(batch))
        with self._timings.measure("base"):
            hiddens = self._base.infer(batch.numbers)
        self._progress.position += 1
        return self._seal(batch, self._channels.hiddens.encode(batch.outgoing(hiddens), batch.place))

    def backward(self, position: int, gradient: Envelope) -> Envelope | None:
        """Updates the weights by the gradients of a batch, then computes the hiddens of the next batch to send, if any.

        Args:
            position: position of the oldest exchange whose gradients are still expected.
            gradient: the gradients, sealed by the label party.

        Returns:
            The sealed hiddens of a later training batch; None if none is due now.

        Raises:
            SessionError: another exchange is due.
            SealError, TensorError: the message is not valid, or differs from the one before the run went back to a
                checkpoint; nothing has changed.
        """
        if not self._awaits_backward or position != self.position:
            raise self._out_of_order("Backward", position)
        exchange = self._schedule.exchange(position)
        with self._timings.measure("open"):
            batch = self._batches.of(exchange)
            received = self._channels.gradients.open([gradient], batch.place)
            self._note(exchange, received.slot, received.message)
            self._channels.gradients.accept(received, batch.place)
        gradients = batch.incoming(received.values)
        following = exchange_after_update(self._schedule, position, self._under_way)
        if following is None:
            self._update(exchange, gradients)
            return None
        following_batch = self._batches.of(following)
        return self._seal(following_batch, self._update_and_encode(exchange, gradients, following_batch))

    def follow(self, position: int, decision: Envelope) -> None:
        """Follows the label party's decision after an epoch.

        Args:
            position: position of the decision; must be the next exchange.
            decision: the decision, sealed by the label party.

        Raises:
            SessionError: another exchange is due.
            SealError: the message is not valid, or cannot be followed; nothing has changed.
        """
        due = not (self._under_way or self.finished) and position == self.position
        if not due or self._schedule.exchange(position).activity is not Activity.DECIDE:
            raise self._out_of_order("Follow", position)
        exchange = self._schedule.exchange(position)
        slot = self._channels.decisions.slot(position)
        message = self._channels.decisions.open(decision, position)
        decided = self._decision(exchange.epoch, message, slot)
        self._note(exchange, slot, message)
        if not decided.stop:
            self._save(exchange.epoch)
        elif decided.epoch != exchange.epoch:
            self._training.restore_epoch(decided.epoch)
        self._progress.position += 1
        self._progress.stopped = decided.stop

    def state(self) -> State:
        """The state that training continues from, between two training batches or at the end.

        Raises:
            SessionError: the next batch is not one of training, or has not begun.
        """
        if not (self._under_way or self.finished):
            raise self._out_of_order("Snapshot", self.position)
        return self._parts.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same schedule, before the first call; batches under way are sent again.

        Raises:
            CheckpointError: the state belongs to another model, or is incomplete.
        """
        self._parts.set_state(state)

    @property
    def _training(self) -> FeatureSteps:
        if self._steps is None:
            raise RuntimeError("a batch of training is due in a session that does not train")
        return self._steps

    @property
    def _under_way(self) -> int:
        return 0 if self._steps is None else self._steps.under_way

    @property
    def _sent(self) -> int:
        """Number of batches under way that were sent in this session."""
        return 0 if self._steps is None else self._steps.under_way - self._steps.to_repeat

    @property
    def _awaits_backward(self) -> bool:
        """Whether all hiddens were sent that must precede the next update, so that they do not depend on it."""
        under_way = self._under_way
        complete = exchange_to_send(self._schedule, self.position, under_way) is None
        return 0 < under_way == self._sent and complete

    @property
    def _due_call(self) -> str:
        if self._awaits_backward:
            return "Backward"
        deciding = self._schedule.exchange(self.position).activity is Activity.DECIDE
        return "Follow" if deciding else "Forward"

    def _update(self, exchange: Exchange, gradients: FloatArray) -> None:
        """Updates by the gradients of the oldest batch under way, which is then done even if a later step fails."""
        sent = self._training.update(gradients)
        self._progress.position += 1
        self._training.update_locally(exchange, sent, gradients)

    def _update_and_encode(self, exchange: Exchange, gradients: FloatArray, following: FeatureBatch) -> EncodedMatrix:
        """Like `_update`, then encodes the hiddens of a later batch; one compiled call without local steps."""
        if self._training.updates_locally:
            self._update(exchange, gradients)
            return self._training.forward(following)
        hiddens = self._training.update_and_compute(gradients, following)
        self._progress.position += 1
        return self._training.encode(following, hiddens)

    def _note(self, exchange: Exchange, slot: Slot, message: bytes) -> None:
        if self._journal is not None:
            self._journal.take(exchange, {slot: message})

    def _decision(self, epoch: int, message: bytes, slot: Slot) -> Decision:
        """Parses the label party's decision after an epoch, and checks that it can be followed."""
        decision = decision_from_bytes(message, slot)
        if decision.stop and decision.epoch != epoch and decision.epoch not in self._saved_after(epoch - 1):
            raise SealError("the decision names an epoch whose weights are not retained", where=slot)
        return decision

    def _save(self, epoch: int) -> None:
        """Saves the weights of an epoch after which training continues."""
        retained = self._saved_after(epoch)
        if retained:
            self._training.save_epoch(epoch, retained)

    def _saved_after(self, epoch: int) -> range:
        section = self._schedule.early_stopping
        return range(0) if section is None else retained_epochs(section, epoch)

    def _seal(self, batch: FeatureBatch, message: EncodedMatrix) -> Envelope:
        self.sent_rows += len(batch.numbers)
        with self._timings.measure("seal"):
            return self._channels.hiddens.envelope(message, batch.place)

    def _out_of_order(self, call: str, position: int) -> SessionError:
        sent = 0 if self._awaits_backward else self._sent
        due = "nothing more" if self.finished else f"{self._due_call} {self.position + sent}"
        return SessionError("call out of order", where=self._party, expected=due, received=f"{call} {position}")
