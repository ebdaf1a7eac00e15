"""A feature party's side of the batches of a session."""

from __future__ import annotations

from collections import deque
from typing import cast

from party.errors import SessionError
from party.pb.party_pb2 import Envelope, MessageKind
from party.protocol.early_stopping import verdict_from_bytes
from party.protocol.halves import Base
from party.protocol.hidden import Tensors
from party.protocol.schedule import Activity, Exchange, Schedule, exchange_after_update, exchange_to_send
from party.protocol.state import State, join_states, part_of
from party.protocol.tensors import BatchCodec
from party.protocol.timings import Timings
from party.security.sealing import SealingKeys, Slot


class FeatureExchanges:
    """Sends hiddens, takes gradients, in the one order that the schedule allows.

    Args:
        party: own name.
        label_party: where hiddens go and gradients come from.
        dataset: of the session.
        schedule: of the session.
        base: the base model.
        keys: of the session.
        timings: where the time of a step is noted.
        hidden_codec: of the hiddens of training; as they are where None.
        gradient_codec: of the gradients.
    """

    def __init__(
        self,
        party: str,
        label_party: str,
        dataset: str,
        schedule: Schedule,
        base: Base,
        keys: SealingKeys,
        timings: Timings,
        hidden_codec: BatchCodec | None = None,
        gradient_codec: BatchCodec | None = None,
    ) -> None:
        self._party = party
        self._label_party = label_party
        self._dataset = dataset
        self._schedule = schedule
        self._base = base
        self._keys = keys
        self._timings = timings
        self._plain = BatchCodec(tuple(base.specs))
        self._hidden_codec = hidden_codec or self._plain
        self._gradient_codec = gradient_codec or self._plain
        self.position = 0
        self._under_way: deque[Tensors] = deque()
        self._to_repeat = 0
        self._stopped = False

    @property
    def awaits_gradient(self) -> bool:
        """Whether hiddens of training were sent whose gradients did not come yet."""
        return bool(self._under_way)

    @property
    def finished(self) -> bool:
        """Whether every exchange of the schedule is done, or the label party decided to stop."""
        return self._stopped or self.position == self._schedule.exchanges

    @property
    def step(self) -> int:
        """Training steps done so far."""
        if self.position == self._schedule.exchanges:
            return self._schedule.steps
        return self._schedule.exchange(self.position).step

    def forward(self, position: int) -> Envelope:
        """The sealed hiddens of a batch.

        With a depth of more than one, those of several batches of training are sent before the first gradients come.

        Args:
            position: of the exchange; must be the next one that was not sent yet.

        Returns:
            The envelope for the label party.

        Raises:
            SessionError: another exchange is due, or as many are under way as the schedule allows.
        """
        sent = len(self._under_way) - self._to_repeat
        exchange = None if self.finished else exchange_to_send(self._schedule, self.position, sent)
        if exchange is None or position != exchange.position or exchange.activity is Activity.DECIDE:
            raise self._out_of_order("Forward", position)
        if self._to_repeat:
            self._to_repeat -= 1
            return self._seal(exchange, self._under_way[sent])
        training = exchange.activity is Activity.TRAIN
        with self._timings.measure("base"):
            rows = self._schedule.rows(exchange)
            hiddens = self._base.forward(rows) if training else self._base.infer(rows)
        envelope = self._seal(exchange, hiddens)
        if training:
            self._under_way.append(hiddens)
        else:
            self.position += 1
        return envelope

    def backward(self, position: int, gradient: Envelope) -> Envelope | None:
        """Updates by the gradients of a batch; computes the batch that takes its place under way, if there is one.

        Args:
            position: of the oldest exchange whose gradients did not come yet.
            gradient: sealed by the label party.

        Returns:
            The sealed hiddens of a later training batch, if there is one to be sent now.

        Raises:
            SessionError: another exchange is due.
            SealError, TensorError: the message is not what it should be; nothing has changed.
        """
        if not self._awaits_backward or position != self.position:
            raise self._out_of_order("Backward", position)
        exchange = self._schedule.exchange(position)
        slot = Slot(
            self._label_party,
            self._party,
            MessageKind.MESSAGE_KIND_GRADIENT,
            self._dataset,
            position,
            exchange.rows,
        )
        with self._timings.measure("open"):
            message = self._keys.open(slot, gradient)
            gradients = self._gradient_codec.decode(message, exchange.rows, position, slot.describe())
        following = exchange_after_update(self._schedule, position, len(self._under_way))
        with self._timings.measure("base"):
            if following is None:
                self._base.backward(gradients)
            else:
                hiddens = self._base.backward_and_forward(gradients, self._schedule.rows(following))
        self.position += 1
        self._under_way.popleft()
        if following is None:
            return None
        self._under_way.append(hiddens)
        return self._seal(following, hiddens)

    def follow(self, position: int, decision: Envelope) -> None:
        """Does what the label party decided after an epoch.

        Args:
            position: of the decision; must be the next exchange.
            decision: sealed by the label party.

        Raises:
            SessionError: another exchange is due.
            SealError: the message is not what it should be; nothing has changed.
        """
        due = not (self._under_way or self.finished) and position == self.position
        if not due or self._schedule.exchange(position).activity is not Activity.DECIDE:
            raise self._out_of_order("Follow", position)
        slot = Slot(self._label_party, self._party, MessageKind.MESSAGE_KIND_DECISION, self._dataset, position, 0)
        verdict = verdict_from_bytes(self._keys.open(slot, decision), slot.describe())
        if verdict.improved:
            self._base.keep()
        if verdict.restore:
            self._base.restore()
        self.position += 1
        self._stopped = verdict.stop

    def state(self) -> State:
        """Everything that decides how training goes on, between two training batches or at the end.

        Raises:
            SessionError: the next batch is of another kind, or was not begun.
        """
        if not (self._under_way or self.finished):
            raise self._out_of_order("Snapshot", self.position)
        own = State({"position": self.position, "stopped": self._stopped, "under_way": len(self._under_way)})
        parts = {str(place): State(arrays=dict(hiddens)) for place, hiddens in enumerate(self._under_way)}
        return join_states({"exchanges": own, "base": self._base.state(), **parts})

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same schedule, before the first call; batches under way are sent again.

        Raises:
            CheckpointError: the state is that of another model.
        """
        own = part_of(state, "exchanges").values
        self._base.set_state(part_of(state, "base"))
        self.position, self._stopped = int(own["position"]), bool(own["stopped"])
        self._to_repeat = int(own["under_way"])
        self._under_way = deque(cast("Tensors", part_of(state, str(place)).arrays) for place in range(self._to_repeat))

    def _seal(self, exchange: Exchange, hiddens: Tensors) -> Envelope:
        with self._timings.measure("seal"):
            slot = Slot(
                self._party,
                self._label_party,
                MessageKind.MESSAGE_KIND_HIDDEN,
                self._dataset,
                exchange.position,
                exchange.rows,
            )
            codec = self._hidden_codec if exchange.activity is Activity.TRAIN else self._plain
            return self._keys.seal(slot, codec.encode(hiddens, exchange.position))

    def _out_of_order(self, call: str, position: int) -> SessionError:
        sent = 0 if self._awaits_backward else len(self._under_way) - self._to_repeat
        due = "nothing more" if self.finished else f"{self._due_call} {self.position + sent}"
        return SessionError("call out of order", where=self._party, expected=due, received=f"{call} {position}")

    @property
    def _awaits_backward(self) -> bool:
        """Whether everything was sent that has to be before the next update: else later hiddens would know of it."""
        under_way = len(self._under_way)
        complete = exchange_to_send(self._schedule, self.position, under_way) is None
        return under_way > 0 and self._to_repeat == 0 and complete

    @property
    def _due_call(self) -> str:
        if self._awaits_backward:
            return "Backward"
        deciding = self._schedule.exchange(self.position).activity is Activity.DECIDE
        return "Follow" if deciding else "Forward"
