"""Keyed digests that tell a feature party which of its ids are in common, and prove that it understood.

Message: alignment id (16 bytes), number of all rows in common (8 bytes, little-endian), then the
digests of this chunk (16 bytes each) in the common order.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from party.errors import AlignmentError

ALIGNMENT_ID_BYTES = 16
DIGEST_BYTES = 16
_HEADER = struct.Struct(f"<{ALIGNMENT_ID_BYTES}sQ")
_LENGTH = struct.Struct("<Q")
_DIGEST_LABEL = b"vsl/1 alignment digest\0"
_PROOF_LABEL = b"vsl/1 alignment proof\0"


@dataclass(frozen=True)
class DigestChunk:
    """One message of digests.

    Attributes:
        alignment_id: 16 bytes, the same in every message.
        total: rows in common, of all messages.
        digests: of this message's rows, 16 bytes each.
    """

    alignment_id: bytes
    total: int
    digests: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The chunk as a message."""
        return _HEADER.pack(self.alignment_id, self.total) + b"".join(self.digests)


def digest_chunk_from_bytes(message: bytes, where: str) -> DigestChunk:
    """Reads a received message of digests.

    Args:
        message: as `DigestChunk.to_bytes` makes it.
        where: kind, peer and dataset, for errors.

    Returns:
        Its content.

    Raises:
        AlignmentError: its length is impossible.
    """
    if len(message) < _HEADER.size or (len(message) - _HEADER.size) % DIGEST_BYTES:
        raise AlignmentError(
            "a message of the wrong size",
            where=where,
            expected=f"{_HEADER.size} bytes and {DIGEST_BYTES} per digest",
            received=f"{len(message)} bytes",
        )
    alignment_id, total = _HEADER.unpack_from(message)
    starts = range(_HEADER.size, len(message), DIGEST_BYTES)
    return DigestChunk(alignment_id, total, tuple(message[start : start + DIGEST_BYTES] for start in starts))


def id_digest(key: bytes, dataset: str, sample_id: str) -> bytes:
    """HMAC-SHA256 of one id, shortened to 16 bytes.

    Args:
        key: 32 bytes that only the two parties of the message know.
        dataset: name of the dataset: an id of two datasets has two digests.
        sample_id: the id.

    Returns:
        16 bytes.
    """
    content = _DIGEST_LABEL + _prefixed(dataset) + sample_id.encode()
    return hmac.digest(key, content, "sha256")[:DIGEST_BYTES]


def order_proof(key: bytes, party: str, dataset: str, alignment_id: bytes, ordered_ids: Iterable[str]) -> bytes:
    """HMAC-SHA256 of the ids that a party holds in the common order.

    Args:
        key: 32 bytes that only the two parties of the message know.
        party: name of the party that proves.
        dataset: name of the dataset.
        alignment_id: of this alignment, 16 bytes.
        ordered_ids: ids of the rows in common, in the common order.

    Returns:
        32 bytes.
    """
    proof = hmac.new(key, _PROOF_LABEL + _prefixed(party) + _prefixed(dataset) + alignment_id, "sha256")
    for sample_id in ordered_ids:
        proof.update(_prefixed(sample_id))
    return proof.digest()


def _prefixed(text: str) -> bytes:
    content = text.encode()
    return _LENGTH.pack(len(content)) + content
