"""The sender and receiver of a channel, and the slots of their messages."""

from __future__ import annotations

from dataclasses import dataclass

from party.channel.place import Place
from party.pb.party_pb2 import MESSAGE_KIND_DECISION, MESSAGE_KIND_GRADIENT, MESSAGE_KIND_HIDDEN, MessageKind
from party.security.sealing import Slot


@dataclass(frozen=True)
class Route:
    """One direction between two parties.

    Attributes:
        sender: name of the party that seals.
        receiver: name of the party that opens.
        dataset: dataset of the session.
    """

    sender: str
    receiver: str
    dataset: str

    def hidden_slot(self, place: Place) -> Slot:
        """The slot of the hiddens of a batch."""
        return Slot(
            self.sender, self.receiver, MESSAGE_KIND_HIDDEN, self.dataset, index=place.position, rows=len(place.rows)
        )

    def gradient_slot(self, place: Place) -> Slot:
        """The slot of the gradients of a batch."""
        return Slot(
            self.sender, self.receiver, MESSAGE_KIND_GRADIENT, self.dataset, index=place.position, rows=len(place.rows)
        )

    def decision_slot(self, position: int) -> Slot:
        """The slot of the decision at a position of the schedule."""
        return self._slot(MESSAGE_KIND_DECISION, position, 0)

    def _slot(self, kind: MessageKind, position: int, rows: int) -> Slot:
        return Slot(self.sender, self.receiver, kind, self.dataset, index=position, rows=rows)
