"""The elliptic-curve work on one chunk of ids: pure functions that a worker process runs.

On the wire a chunk is nothing but its encrypted elements, each a compressed point of P-256, one after
the other. There is no structure to parse: the length is the number of elements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import private_set_intersection.python as psi
from cryptography.hazmat.primitives.asymmetric import ec

from party.errors import AlignmentError, DataError, InternalError

ELEMENT_BYTES = 33
KEY_BYTES = 32
_REVEAL = True
_ORDER_PERSON = b"psi order"


def new_key() -> bytes:
    """Makes the secret of one side of one alignment with one peer: a private key of P-256, 32 bytes.

    The PSI library's own accessor of a key writes to Python's memory without holding Python's lock, which now and then
    crashes a process with several threads.
    """
    return ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(KEY_BYTES, "big")


def hidden_order(key: bytes, ids: Sequence[str], where: str) -> list[int]:
    """Orders rows by a keyed hash of their ids: chunks are random subsets that reveal nothing about the file's order.

    Args:
        key: secret of this alignment.
        ids: the ids by row.
        where: dataset, for errors.

    Returns:
        Row numbers in the hidden order.

    Raises:
        DataError: an id that cannot be written as UTF-8.
    """
    order_key = hashlib.blake2b(key, person=_ORDER_PERSON).digest()
    try:
        hashes = [hashlib.blake2b(sample_id.encode(), digest_size=16, key=order_key).digest() for sample_id in ids]
    except UnicodeEncodeError:
        raise DataError("an id cannot be written as UTF-8", where=where, fix="clean the id column") from None
    return sorted(range(len(ids)), key=hashes.__getitem__)


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
    """Encrypts a chunk of own ids: each is hashed to a point of the curve, and raised to the key.

    Args:
        key: a key that `new_key` made.
        ids: ids of the chunk.

    Returns:
        One element per id, in the order of the ids.
    """
    # The library's setup holds the same elements, but sorted: which element belongs to which id would be lost.
    request = psi.client.CreateFromKey(key, _REVEAL).CreateRequest(ids)
    return _join(request.encrypted_elements, len(ids))


def answer_request(key: bytes, request: bytes, where: str) -> bytes:
    """Encrypts a chunk of the other side's elements once more, with this party's key.

    Args:
        key: a key that `new_key` made.
        request: elements, their number already checked.
        where: kind, peer and dataset, for errors.

    Returns:
        One element per element of the request, in its order.

    Raises:
        AlignmentError: an element is not a point of the curve.
    """
    elements = _split(request)
    server = psi.server.CreateFromKey(key, _REVEAL)
    try:
        response = server.ProcessRequest(psi.Request(reveal_intersection=_REVEAL, encrypted_elements=elements))
    except RuntimeError:
        raise _no_point(where) from None
    return _join(response.encrypted_elements, len(elements))


def _split(elements: bytes) -> list[bytes]:
    return [elements[start : start + ELEMENT_BYTES] for start in range(0, len(elements), ELEMENT_BYTES)]


def _join(elements: Sequence[bytes], count: int) -> bytes:
    message = b"".join(elements)
    if len(message) != count * ELEMENT_BYTES:
        raise InternalError("the PSI library returned another number of elements than it was given")
    return message


def _no_point(where: str) -> AlignmentError:
    return AlignmentError("an element that is no point of the curve", where=where)
