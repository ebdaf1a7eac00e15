"""The last messages of an intersection: which elements of a feature party's setup are common to all parties.

One message answers one message of the setup. It has one bit for each element, set if the element is in common: the
answer is a set of positions, and reveals neither ids nor an order.

Message: alignment id (16 bytes), number of all rows in common (8 bytes, little-endian), whether the row secret
is pinned (1 byte), the row secret (32 bytes), the label party's share of the proof of order (32 bytes), then
the bits, the first element's highest in the first byte, the rest of the last byte 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from party.alignment.curve import ELEMENT_BYTES
from party.errors import AlignmentError
from party.security.row_secret import ROW_SECRET_BYTES, RowSecret

ALIGNMENT_ID_BYTES = 16
_HEADER = struct.Struct(f"<{ALIGNMENT_ID_BYTES}sQB{ROW_SECRET_BYTES}s{ELEMENT_BYTES}s")
_BITS = 8


@dataclass(frozen=True)
class AlignmentSummary:
    """The header of every message of an answer.

    Attributes:
        alignment_id: id of the alignment, 16 bytes, the same at every party.
        total: number of rows in common, over all messages.
        row_secret: determines the order of rows; the same at every party.
        share: the label party's share of the proof of order, 32 bytes.
    """

    alignment_id: bytes
    total: int
    row_secret: RowSecret
    share: bytes


@dataclass(frozen=True)
class AlignedElements:
    """One message.

    Attributes:
        summary: the same in every message.
        marks: whether each element of the setup's message is in common; shape (elements,), bool.
    """

    summary: AlignmentSummary
    marks: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """Encodes the message."""
        summary = self.summary
        secret = summary.row_secret
        header = _HEADER.pack(summary.alignment_id, summary.total, secret.pinned, secret.secret, summary.share)
        return header + np.packbits(self.marks).tobytes()


def aligned_elements_from_bytes(message: bytes, elements: int, where: str) -> AlignedElements:
    """Reads a received message.

    Args:
        message: as `AlignedElements.to_bytes` makes it.
        elements: number of elements of the setup's message that it answers.
        where: kind, peer and dataset, for errors.

    Returns:
        Its content.

    Raises:
        AlignmentError: its length is wrong, or it marks an element that does not exist.
    """
    expected = _HEADER.size + -(-elements // _BITS)
    if len(message) != expected:
        raise AlignmentError(
            "a message of the wrong size",
            where=where,
            expected=f"{expected} bytes for {elements} elements",
            received=f"{len(message)} bytes",
        )
    alignment_id, total, pinned, secret, share = _HEADER.unpack_from(message)
    bits = np.unpackbits(np.frombuffer(message, np.uint8, offset=_HEADER.size))
    if pinned not in (0, 1) or bits[elements:].any():
        raise AlignmentError("a message that marks elements that do not exist", where=where)
    summary = AlignmentSummary(alignment_id, total, RowSecret(secret, bool(pinned)), share)
    return AlignedElements(summary, bits[:elements].astype(np.bool_))
