"""Unambiguous concatenation of byte strings before they are hashed, signed or authenticated."""

from __future__ import annotations

from collections.abc import Iterable


def length_prefixed(parts: Iterable[bytes]) -> bytes:
    """Joins byte strings so that no two different lists give the same result.

    Args:
        parts: byte strings, each shorter than 2³² bytes.

    Returns:
        Every part after its length as four big-endian bytes.
    """
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
