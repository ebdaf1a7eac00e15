"""The traffic of a session through its coordinator, and the callbacks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

from party.pb import party_pb2 as pb

Progress = Callable[["Traffic"], None]


@dataclass
class Traffic:
    """Counts of what the coordinator has relayed so far.

    Attributes:
        exchanges: number of entries of the session's schedule, inside and outside training.
        steps: number of training batches.
        hidden_bytes: size of hiddens; each message is counted once though it travels two hops.
        gradient_bytes: size of gradients and decisions, counted likewise.
        inference_bytes: the part of hidden_bytes that belongs to batches outside training.
    """

    exchanges: int = 0
    steps: int = 0
    hidden_bytes: int = 0
    gradient_bytes: int = 0
    _: KW_ONLY
    inference_bytes: int = 0

    @property
    def message_bytes(self) -> int:
        """Size of all messages between parties."""
        return self.hidden_bytes + self.gradient_bytes


class BetweenSteps(Protocol):
    """Occasional work that needs the parties to pause between two training batches."""

    def is_due(self, traffic: Traffic) -> bool:
        """Returns whether there is work now; called before every batch, so it must be fast."""

    def run(self, traffic: Traffic) -> None:
        """Does the work that is due; every party has completed all earlier batches."""


def envelope_bytes(envelopes: Sequence[pb.Envelope]) -> int:
    """Returns the size of messages on the wire."""
    return sum(envelope.ByteSize() for envelope in envelopes)
