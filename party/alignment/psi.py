"""The elliptic-curve work on one chunk of ids: pure functions that a worker process runs.

On the wire a chunk is nothing but its encrypted elements, each a u coordinate of Curve25519, one after the other. There
is no structure to parse: the length is the number of elements.

The protocol is the one after Diffie and Hellman: an id's point, multiplied by the keys of both sides, is the same
whoever multiplied first.

Reference:
    Huberman, Franklin and Hogg, "Enhancing privacy and trust in electronic communities", EC 1999.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from party.alignment.curve import ELEMENT_BYTES, hash_to_curve, is_on_curve
from party.errors import AlignmentError


def check_elements(message: bytes, count: int, where: str) -> None:
    """Compares the length of a received chunk with the number of elements that it must have.

    Args:
        message: the chunk as received.
        count: elements that the declared rows give it.
        where: kind, peer and dataset, for errors.

    Raises:
        AlignmentError: it holds fewer, more or incomplete elements.
    """
    if len(message) != count * ELEMENT_BYTES:
        raise AlignmentError(
            "a message of the wrong size",
            where=where,
            expected=f"{count} elements of {ELEMENT_BYTES} bytes",
            received=f"{len(message)} bytes",
        )


def encrypt(key: bytes, ids: list[str]) -> bytes:
    """Encrypts a chunk of own ids: each is hashed to a point of the curve, and multiplied by the key.

    Args:
        key: a key that `new_key` made.
        ids: ids of the chunk.

    Returns:
        One element per id, in the order of the ids.
    """
    return _multiply(key, map(hash_to_curve, ids))


def answer_request(key: bytes, request: bytes, where: str) -> bytes:
    """Encrypts a chunk of the other side's elements once more, with this party's key.

    Args:
        key: a key that `new_key` made.
        request: elements, their number already checked.
        where: kind, peer and dataset, for errors.

    Returns:
        One element per element of the request, in its order.

    Raises:
        AlignmentError: an element is not a point of the curve, or one of small order, whose product would be the same
            with every key.
    """
    try:
        return _multiply(key, _points(request, where))
    except ValueError:
        raise _no_point(where) from None


def _multiply(key: bytes, points: Iterable[bytes]) -> bytes:
    """X25519 of each point; it refuses a product of all zeros by a ValueError."""
    exchange, load = X25519PrivateKey.from_private_bytes(key).exchange, X25519PublicKey.from_public_bytes
    return b"".join([exchange(load(point)) for point in points])


def _points(elements: bytes, where: str) -> Iterator[bytes]:
    for start in range(0, len(elements), ELEMENT_BYTES):
        element = elements[start : start + ELEMENT_BYTES]
        if not is_on_curve(element):
            raise _no_point(where)
        yield element


def _no_point(where: str) -> AlignmentError:
    return AlignmentError("an element that is no point of the curve", where=where)
