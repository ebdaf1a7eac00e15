"""Curve25519, whose points stand for ids: each is known by its u coordinate alone, 32 bytes, little-endian.

X25519 multiplies any u. Half of all u belong to the curve, the others to its twist, and multiplication keeps the two
apart. So ids are hashed onto the curve alone: otherwise an encrypted element would show one bit of the hash of its id.
Elements of peers have to be on the curve too.

Reference:
    Bernstein, "Curve25519: new Diffie-Hellman speed records", PKC 2006; RFC 7748, sections 4.1 and 5.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from gmpy2 import jacobi, mpz

ELEMENT_BYTES = 32
KEY_BYTES = 32
FIELD_PRIME = 2**255 - 19
_FIELD_BITS = (1 << 255) - 1
_CURVE_COEFFICIENT = 486662
_MODULUS = mpz(FIELD_PRIME)
_POINT_PERSON = b"vsl psi point"


def new_key() -> bytes:
    """Makes the secret of one side of one alignment with one peer: a private key of X25519, 32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def hash_to_curve(text: str) -> bytes:
    """Hashes a text to a point: the first of a series of hashes that is the u coordinate of one.

    Every u coordinate of the curve is equally likely. The number of hashes, two on average, depends on the text, and so
    does the time.

    Args:
        text: an id.

    Returns:
        A u coordinate of the curve.

    Raises:
        UnicodeEncodeError: the text cannot be written as UTF-8.
    """
    content = text.encode()
    attempt = 0
    while True:
        salt = attempt.to_bytes(hashlib.blake2b.SALT_SIZE, "little")
        digest = hashlib.blake2b(content, digest_size=ELEMENT_BYTES, salt=salt, person=_POINT_PERSON).digest()
        element = (int.from_bytes(digest, "little") & _FIELD_BITS).to_bytes(ELEMENT_BYTES, "little")
        if is_on_curve(element):
            return element
        attempt += 1


def is_on_curve(element: bytes) -> bool:
    """Whether bytes are the one encoding of a u coordinate that the curve has, other than 0.

    Args:
        element: 32 bytes.

    Returns:
        False for a point of the twist and for a number that is not below the prime.
    """
    u = int.from_bytes(element, "little")
    if u >= FIELD_PRIME:
        return False
    # v² = u³ + 486662 u² + u has a solution.
    return bool(jacobi(u * ((u + _CURVE_COEFFICIENT) * u + 1) % FIELD_PRIME, _MODULUS) == 1)
