"""Counts the bytes of the messages that pass a session's channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from party.channel.matrix_encoding import WireKind
from party.pb.party_pb2 import Envelope

Way = Literal["sent", "received"]


class ByteCounter:
    """Counts the bytes of messages of one kind; one thread adds at a time, another may read.

    Attributes:
        total: bytes so far, each message as it is on the wire.
    """

    def __init__(self) -> None:
        self.total = 0

    def add(self, envelope: Envelope) -> None:
        """Adds a message."""
        self.total += envelope.ByteSize()


class MessageBytes:
    """The counters of a session: one for each way and codec, which all channels share."""

    def __init__(self) -> None:
        self._counters: dict[tuple[Way, WireKind], ByteCounter] = {}

    def counter(self, way: Way, codec: WireKind) -> ByteCounter:
        """The counter of the messages that go one way in one codec.

        Args:
            way: whether this party sends or receives them.
            codec: codec of their values.
        """
        return self._counters.setdefault((way, codec), ByteCounter())

    def totals(self) -> Mapping[tuple[Way, WireKind], int]:
        """Bytes so far by way and codec."""
        return {key: counter.total for key, counter in self._counters.copy().items()}
