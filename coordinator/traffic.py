"""What goes through a coordinator in a session, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from party.pb import party_pb2 as pb

Progress = Callable[["Traffic"], None]


@dataclass
class Traffic:
    """What went through the coordinator so far.

    Attributes:
        exchanges: batches of the session's schedule, of training or not.
        steps: batches of training.
        hidden_bytes: of hiddens, each message counted once though it travels two hops.
        gradient_bytes: of gradients and decisions, likewise.
    """

    exchanges: int = 0
    steps: int = 0
    hidden_bytes: int = 0
    gradient_bytes: int = 0

    @property
    def message_bytes(self) -> int:
        """Of all messages between parties."""
        return self.hidden_bytes + self.gradient_bytes


class BetweenSteps(Protocol):
    """Something that wants the parties to stand still between two batches of training now and then."""

    def wants(self, traffic: Traffic) -> bool:
        """Whether this is such a moment; asked before every batch, so it must be quick."""

    def visit(self, traffic: Traffic) -> None:
        """Called where it was wanted, while every party has done all that comes before the next batch."""


def envelope_bytes(envelopes: Sequence[pb.Envelope]) -> int:
    """Size of some messages on the wire."""
    return sum(envelope.ByteSize() for envelope in envelopes)
