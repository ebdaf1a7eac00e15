"""The channel for early-stopping decisions from the label party to a feature party."""

from __future__ import annotations

from party.channel.route import Route
from party.pb.party_pb2 import Envelope
from party.security.sealing import SealingKeys, Slot

EPOCH_BYTES = 8
DECISION_BYTES = 1 + EPOCH_BYTES  # whether to stop, and an epoch: too few bytes for a tensor


class DecisionChannel:
    """Seals and opens decisions, which hold no tensors.

    Args:
        keys: the session's sealing keys.
        route: from the label party to the feature party.
    """

    def __init__(self, keys: SealingKeys, route: Route) -> None:
        self._keys = keys
        self._route = route

    def slot(self, position: int) -> Slot:
        """The slot of the decision at a position of the schedule."""
        return self._route.decision_slot(position)

    def envelope(self, content: bytes, position: int) -> Envelope:
        """Seals a decision.

        Args:
            content: the encoded decision, always DECISION_BYTES long.
            position: position of the decision in the schedule.

        Raises:
            ValueError: the content has another length, and so is not a decision.
            SessionLostError: the session has ended.
        """
        if len(content) != DECISION_BYTES:
            raise ValueError("the content is not a decision")
        return self._keys.seal(self.slot(position), content)

    def open(self, envelope: Envelope, position: int) -> bytes:
        """Opens a sealed decision and returns its content.

        Args:
            envelope: the envelope, as the coordinator relayed it.
            position: the position in the schedule that the receiver expects.

        Raises:
            SealError: the message belongs to another position or session, or was altered.
        """
        return self._keys.open(self.slot(position), envelope)
