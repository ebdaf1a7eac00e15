"""A feature party's side of the batches of a session."""

from __future__ import annotations

from party.errors import SessionError
from party.pb.party_pb2 import Envelope, MessageKind
from party.protocol.early_stopping import verdict_from_bytes
from party.protocol.halves import Base
from party.protocol.hidden import Tensors
from party.protocol.schedule import Activity, Exchange, Schedule, following_training_exchange
from party.protocol.state import State, join_states, part_of
from party.protocol.tensors import decode_tensors, encode_tensors
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
    ) -> None:
        self._party = party
        self._label_party = label_party
        self._dataset = dataset
        self._schedule = schedule
        self._base = base
        self._keys = keys
        self._timings = timings
        self.position = 0
        self.awaits_gradient = False
        self._stopped = False

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

        Args:
            position: of the exchange; must be the next one.

        Returns:
            The envelope for the label party.

        Raises:
            SessionError: another exchange is due.
        """
        if self.awaits_gradient or self.finished or position != self.position:
            raise self._out_of_order("Forward", position)
        exchange = self._schedule.exchange(position)
        if exchange.activity is Activity.DECIDE:
            raise self._out_of_order("Forward", position)
        training = exchange.activity is Activity.TRAIN
        with self._timings.measure("base"):
            rows = self._schedule.rows(exchange)
            hiddens = self._base.forward(rows) if training else self._base.infer(rows)
        envelope = self._seal(exchange, hiddens)
        if training:
            self.awaits_gradient = True
        else:
            self.position += 1
        return envelope

    def backward(self, position: int, gradient: Envelope) -> Envelope | None:
        """Updates by the gradients of a batch; computes the next one where it is of training.

        Args:
            position: of the exchange whose hiddens were sent last.
            gradient: sealed by the label party.

        Returns:
            The sealed hiddens of the next training batch, if there is one.

        Raises:
            SessionError: another exchange is due.
            SealError, TensorError: the message is not what it should be; nothing has changed.
        """
        if not self.awaits_gradient or position != self.position:
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
            gradients = decode_tensors(message, self._base.specs, exchange.rows, slot.describe())
        following = following_training_exchange(self._schedule, position)
        with self._timings.measure("base"):
            if following is None:
                self._base.backward(gradients)
            else:
                hiddens = self._base.backward_and_forward(gradients, self._schedule.rows(following))
        self.position += 1
        self.awaits_gradient = following is not None
        return None if following is None else self._seal(following, hiddens)

    def follow(self, position: int, decision: Envelope) -> None:
        """Does what the label party decided after an epoch.

        Args:
            position: of the decision; must be the next exchange.
            decision: sealed by the label party.

        Raises:
            SessionError: another exchange is due.
            SealError: the message is not what it should be; nothing has changed.
        """
        due = not (self.awaits_gradient or self.finished) and position == self.position
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
        if not (self.awaits_gradient or self.finished):
            raise self._out_of_order("Snapshot", self.position)
        own = State({"position": self.position, "stopped": self._stopped})
        return join_states({"exchanges": own, "base": self._base.state()})

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same schedule, before the first call.

        Raises:
            CheckpointError: the state is that of another model.
        """
        own = part_of(state, "exchanges").values
        self._base.set_state(part_of(state, "base"))
        self.position, self._stopped = int(own["position"]), bool(own["stopped"])

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
            return self._keys.seal(slot, encode_tensors(hiddens, self._base.specs))

    def _out_of_order(self, call: str, position: int) -> SessionError:
        due = "nothing more" if self.finished else f"{self._due_call} {self.position}"
        return SessionError("call out of order", where=self._party, expected=due, received=f"{call} {position}")

    @property
    def _due_call(self) -> str:
        if self.awaits_gradient:
            return "Backward"
        deciding = self._schedule.exchange(self.position).activity is Activity.DECIDE
        return "Follow" if deciding else "Forward"
