"""A feature party's side of the batches of a session."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import cast

import numpy as np

from party.errors import SessionError
from party.pb.party_pb2 import MESSAGE_KIND_DECISION, MESSAGE_KIND_GRADIENT, MESSAGE_KIND_HIDDEN, Envelope
from party.protocol.channels import TensorReceiver, TensorSender
from party.protocol.early_stopping import verdict_from_bytes
from party.protocol.halves import Base
from party.protocol.hidden import Rows, Tensors
from party.protocol.local_steps import FeatureLocalSteps
from party.protocol.schedule import Activity, Exchange, Schedule, exchange_after_update, exchange_to_send
from party.protocol.state import State, join_states, part_of
from party.protocol.tensors import BatchCodec
from party.protocol.timings import Timings
from party.security.sealing import SealingKeys, Slot

HIDDEN, MESSAGE = "hidden ", "message"


@dataclass(frozen=True)
class _Sent:
    """A batch under way: what was sent, and the hiddens themselves where local updates will need them."""

    message: bytes
    hiddens: Tensors

    def state(self) -> State:
        hiddens = {HIDDEN + name: hidden for name, hidden in self.hiddens.items()}
        return State(arrays={MESSAGE: np.frombuffer(self.message, np.uint8), **hiddens})


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
        hidden_sender: encodes the hiddens of training; as they are where None.
        gradient_receiver: decodes the gradients.
        local_steps: further updates after each exchange; none where None.
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
        hidden_sender: TensorSender | None = None,
        gradient_receiver: TensorReceiver | None = None,
        local_steps: FeatureLocalSteps | None = None,
    ) -> None:
        self._party = party
        self._label_party = label_party
        self._dataset = dataset
        self._schedule = schedule
        self._base = base
        self._keys = keys
        self._timings = timings
        self._plain = BatchCodec.plain(base.specs)
        self._hidden_sender = hidden_sender or TensorSender(self._plain)
        self._gradient_receiver = gradient_receiver or TensorReceiver(self._plain)
        self._local_steps = local_steps
        self.position = 0
        self._under_way: deque[_Sent] = deque()
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
            return self._seal(exchange, self._under_way[sent].message)
        rows = self._schedule.rows(exchange)
        if exchange.activity is Activity.TRAIN:
            with self._timings.measure("base"):
                hiddens = self._base.forward(rows)
            return self._send(exchange, rows, hiddens)
        with self._timings.measure("base"):
            hiddens = self._base.infer(rows)
        self.position += 1
        return self._seal(exchange, self._plain.encode(hiddens, exchange.position))

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
            MESSAGE_KIND_GRADIENT,
            self._dataset,
            position,
            exchange.rows,
        )
        with self._timings.measure("open"):
            message = self._keys.open(slot, gradient)
            rows = self._schedule.rows(exchange)
            gradients = self._gradient_receiver.decode(message, rows, position, slot)
            self._gradient_receiver.accept(gradients, rows)
        following = exchange_after_update(self._schedule, position, len(self._under_way))
        if following is None:
            self._update(exchange, gradients)
            return None
        following_rows = self._schedule.rows(following)
        hiddens = self._update_and_go_on(exchange, gradients, following_rows)
        return self._send(following, following_rows, hiddens)

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
        slot = Slot(self._label_party, self._party, MESSAGE_KIND_DECISION, self._dataset, position, 0)
        verdict = verdict_from_bytes(self._keys.open(slot, decision), slot)
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
        parts = {
            "exchanges": own,
            "base": self._base.state(),
            "hidden_sender": self._hidden_sender.state(),
            "gradient_receiver": self._gradient_receiver.state(),
            **{str(place): sent.state() for place, sent in enumerate(self._under_way)},
        }
        if self._local_steps is not None:
            parts["local_steps"] = self._local_steps.state()
        return join_states(parts)

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same schedule, before the first call; batches under way are sent again.

        Raises:
            CheckpointError: the state is that of another model.
        """
        own = part_of(state, "exchanges").values
        self._base.set_state(part_of(state, "base"))
        self.position, self._stopped = int(own["position"]), bool(own["stopped"])
        self._to_repeat = int(own["under_way"])
        self._under_way = deque(_sent_from(part_of(state, str(place))) for place in range(self._to_repeat))
        self._hidden_sender.set_state(part_of(state, "hidden_sender"))
        self._gradient_receiver.set_state(part_of(state, "gradient_receiver"))
        if self._local_steps is not None:
            self._local_steps.set_state(part_of(state, "local_steps"))

    def _update(self, exchange: Exchange, gradients: Tensors) -> None:
        """Updates by the gradients of the oldest batch under way, then locally."""
        with self._timings.measure("base"):
            self._base.backward(gradients)
        sent = self._under_way.popleft()
        self.position += 1
        if self._local_steps is not None:
            self._local_steps.after(exchange, sent.hiddens, gradients)

    def _update_and_go_on(self, exchange: Exchange, gradients: Tensors, following_rows: Rows) -> Tensors:
        """The same, then the hiddens of a later batch; in one call where nothing is to be done in between."""
        if self._local_steps is not None:
            self._update(exchange, gradients)
            with self._timings.measure("base"):
                return self._base.forward(following_rows)
        with self._timings.measure("base"):
            hiddens = self._base.backward_and_forward(gradients, following_rows)
        self._under_way.popleft()
        self.position += 1
        return hiddens

    def _send(self, exchange: Exchange, rows: Rows, hiddens: Tensors) -> Envelope:
        with self._timings.measure("seal"):
            message = self._hidden_sender.encode(hiddens, rows, exchange.position)
        self._under_way.append(_Sent(message, {} if self._local_steps is None else hiddens))
        return self._seal(exchange, message)

    def _seal(self, exchange: Exchange, message: bytes) -> Envelope:
        with self._timings.measure("seal"):
            slot = Slot(
                self._party,
                self._label_party,
                MESSAGE_KIND_HIDDEN,
                self._dataset,
                exchange.position,
                exchange.rows,
            )
            return self._keys.seal(slot, message)

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


def _sent_from(state: State) -> _Sent:
    arrays = cast("Tensors", state.arrays)
    hiddens = {name.removeprefix(HIDDEN): array for name, array in arrays.items() if name.startswith(HIDDEN)}
    return _Sent(state.arrays[MESSAGE].tobytes(), hiddens)
