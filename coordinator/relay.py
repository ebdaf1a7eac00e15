"""Relays the sealed messages of batches between the parties of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic, envelope_bytes
from party.pb import party_pb2 as pb

Envelopes = Sequence[pb.Envelope]
PendingEnvelopes = Callable[[], Envelopes]


class BatchRelay:
    """Makes the calls for one batch after the other, delivers each message to its receiver, and counts the bytes.

    Methods named `begin_...` return a function that waits for the replies; call these functions in the order of the
    calls.

    Args:
        session: whose batches are relayed.
        traffic: counts the bytes of the messages; the caller counts the batches.
    """

    def __init__(self, session: CoordinatedSession, traffic: Traffic) -> None:
        self.session = session
        self.traffic = traffic

    def begin_forward(self, position: int) -> PendingEnvelopes:
        """Requests the hiddens of a batch from every feature party.

        Args:
            position: of the batch in the session.

        Returns:
            A function that waits for all hiddens.
        """
        pending = [party.begin_forward(self.session.reference, position) for party in self.session.features]
        return lambda: [reply().hidden for reply in pending]

    def begin_fuse(self, position: int, hiddens: Envelopes, *, trains: bool = True) -> PendingEnvelopes:
        """Sends the hiddens of a batch to the label party.

        Args:
            position: of the batch in the session.
            hiddens: of all feature parties.
            trains: whether it is a batch of training.

        Returns:
            A function that waits for the gradients; there are none outside training.
        """
        reply = self.session.label.begin_fuse(self.session.reference, position, hiddens)
        size = envelope_bytes(hiddens)
        self.traffic.hidden_bytes += size
        if not trains:
            self.traffic.inference_bytes += size
        return lambda: reply().gradients

    def begin_backward(self, position: int, gradients: Envelopes) -> PendingEnvelopes:
        """Sends every feature party its gradient of a batch.

        Args:
            position: of the batch in the session.
            gradients: for all feature parties.

        Returns:
            A function that waits for the hiddens of a later batch; there are none if the pass has no further batch.
        """
        self.traffic.gradient_bytes += envelope_bytes(gradients)
        by_party = _by_receiver(gradients)
        pending = [
            party.begin_backward(self.session.reference, position, by_party.get(party.name))
            for party in self.session.features
        ]
        return lambda: [
            reply.next_hidden for reply in [result() for result in pending] if reply.HasField("next_hidden")
        ]

    def decide(self, position: int) -> bool:
        """Makes the label party decide whether training continues, and delivers its sealed decisions to the others.

        Args:
            position: of the decision in the session.

        Returns:
            Whether training stops.
        """
        reply = self.session.label.decide(self.session.reference, position)
        self.traffic.gradient_bytes += envelope_bytes(reply.decisions)
        by_party = _by_receiver(reply.decisions)
        pending = [
            party.begin_follow(self.session.reference, position, by_party.get(party.name))
            for party in self.session.features
        ]
        for result in pending:
            result()
        return reply.stop


def _by_receiver(envelopes: Envelopes) -> Mapping[str, pb.Envelope]:
    return {envelope.receiver: envelope for envelope in envelopes}
