"""The first step of every matrix that comes in: from opened messages to values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from party.channel.codecs.ring import ring_array, ring_bytes
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.place import Place
from party.cut.hidden import FloatArray
from party.privacy.ring import Ring
from party.security.sealing import Slot


@dataclass(frozen=True)
class OpenedMessage:
    """A message from an opened envelope.

    Attributes:
        slot: the slot that it was opened for.
        content: the opened message.
    """

    slot: Slot
    content: bytes


@dataclass(frozen=True)
class DecodedMatrix:
    """A matrix as decoded.

    Attributes:
        source: the message that the values come from: equal if its senders repeat themselves, in any session.
        values: float32 (rows, columns).
    """

    source: OpenedMessage
    values: FloatArray


class Decoder(Protocol):
    """Turns the messages of one batch into one matrix."""

    def decode(self, opened: Sequence[OpenedMessage], place: Place) -> DecodedMatrix:
        """Decodes a matrix.

        Args:
            opened: the messages of the batch, one from each sender of the channel, in their order.
            place: dataset rows and position of the batch.

        Returns:
            The matrix.

        Raises:
            TensorError: a message differs from what the parties agreed, or a value is not finite.
        """


class MessageDecoder:
    """Decodes the message of the one sender.

    Args:
        encoding: encoding of the matrices.
    """

    def __init__(self, encoding: MatrixEncoding) -> None:
        self._encoding = encoding

    def decode(self, opened: Sequence[OpenedMessage], place: Place) -> DecodedMatrix:
        """Decodes the message."""
        (one,) = opened
        values = self._encoding.decode(one.content, len(place.rows), place.position, one.slot)
        return DecodedMatrix(one, values)


class SumDecoder:
    """Adds up the masked messages of all senders: their pads cancel, and what is left is the sum of the plain ones.

    Args:
        encoding: encoding of each message, in the ring.
    """

    def __init__(self, encoding: MatrixEncoding) -> None:
        self._encoding = encoding

    def decode(self, opened: Sequence[OpenedMessage], place: Place) -> DecodedMatrix:
        """Adds up the messages modulo 2^32, and converts the sum to float32."""
        rows, columns = len(place.rows), self._encoding.layout.columns
        first, *others = (ring_array(self._encoding.data(one.content, rows, one.slot), rows, columns) for one in opened)
        total = sum(others, start=first)
        # The messages of two sessions differ in their pads; their sum does not.
        slot = replace(opened[0].slot, sender=" + ".join(one.slot.sender for one in opened))
        return DecodedMatrix(OpenedMessage(slot, ring_bytes(total)), Ring.decode(total))
