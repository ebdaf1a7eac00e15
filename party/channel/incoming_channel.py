"""The only way in for matrices: opens the seals, then applies the chain of their direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from party.channel.by_purpose import ByPurpose
from party.channel.decoders import OpenedMessage
from party.channel.incoming_chain import IncomingChain, ReceivedMatrix
from party.channel.message_bytes import ByteCounter
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.state import State, join_states, part_of
from party.pb.party_pb2 import Envelope
from party.security.sealing import SealingKeys, Slot


class IncomingChannel:
    """Receives the matrices of every purpose, each from one sender, or as the sum of several.

    Args:
        keys: the session's sealing keys.
        slots: by sender, returns the slot of a matrix; ascending names.
        chains: the chains of its matrices.
        sizes: count the bytes of its messages.
        observe: called with the values and the place of every accepted matrix that has rows; None if nobody observes.
    """

    def __init__(
        self,
        keys: SealingKeys,
        slots: Mapping[str, Callable[[Place], Slot]],
        chains: ByPurpose[IncomingChain],
        *,
        sizes: ByPurpose[ByteCounter],
        observe: Observer | None = None,
    ) -> None:
        self._keys = keys
        self._slots = dict(slots)
        self._chains = chains
        self._sizes = sizes
        self._observe = observe

    @property
    def senders(self) -> tuple[str, ...]:
        """Names of the senders, ascending."""
        return tuple(self._slots)

    def open(self, envelopes: Sequence[Envelope], place: Place) -> ReceivedMatrix:
        """Opens and decodes the matrix of a batch; no state changes before `accept`.

        Args:
            envelopes: one from each of the senders in their order, as the coordinator relayed them.
            place: dataset rows and position of its batch.

        Returns:
            The matrix.

        Raises:
            SealError: a message belongs to another position or session, or was altered.
            TensorError: a message differs from what the parties agreed, or a value is not finite.
        """
        slots = [slot(place) for slot in self._slots.values()]
        opened = [
            OpenedMessage(slot, self._keys.open(slot, envelope))
            for slot, envelope in zip(slots, envelopes, strict=True)
        ]
        received, counter = self._chains.at(place).apply(opened, place), self._sizes.at(place)
        for envelope in envelopes:
            counter.add(envelope)
        return received

    def accept(self, received: ReceivedMatrix, place: Place) -> None:
        """Shows a matrix to the observer, and stores what the stages remember of it, once its batch has been accepted.

        Args:
            received: the matrix that `open` returned.
            place: dataset rows and position of its batch.
        """
        if self._observe is not None and len(place.rows):
            self._observe(received.values, place)
        self._chains.at(place).accept(received, place)

    def state(self) -> State:
        """The states of both chains."""
        return join_states({"training": self._chains.training.state(), "inference": self._chains.inference.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to another dataset, model or codec.
        """
        self._chains.training.set_state(part_of(state, "training"))
        self._chains.inference.set_state(part_of(state, "inference"))
