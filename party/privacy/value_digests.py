"""Keyed digests of ids and their values: they show that a known id has another value, and hold neither."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt

DigestArray = npt.NDArray[np.uint64]

_PERSON = b"vsl/1 digests"  # keeps these digests apart from draws under the same secret
_DIGEST_BYTES = 8
_ID_LENGTH_BYTES = 4


class ValueDigests:
    """The ids of a table, each with its value, as digests of 64 bits under a key.

    Two different ids may have one digest. An id then counts as unchanged if any of the values of this digest is its
    own, so that a table never differs from itself.

    Args:
        ids: digest of each id, ascending, uint64 (rows,).
        values: digest of each id with its value, uint64 (rows,).
    """

    def __init__(self, ids: DigestArray, values: DigestArray) -> None:
        self._ids = ids
        self._values = values

    @classmethod
    def of_table(cls, secret: bytes, ids: Iterable[str], values: Iterable[bytes]) -> Self:
        """Computes the digests of a table.

        Args:
            secret: 32 bytes that only this party knows.
            ids: id of each row.
            values: value of each row, in a form that is the same whenever the value is.
        """
        start = hashlib.blake2b(key=secret, person=_PERSON, digest_size=_DIGEST_BYTES)
        id_digests, value_digests = bytearray(), bytearray()  # lists of so many texts would take five times the memory
        for one, value in zip(ids, values, strict=True):
            digest = start.copy()
            encoded = one.encode()
            digest.update(len(encoded).to_bytes(_ID_LENGTH_BYTES, "big") + encoded)
            id_digests += digest.digest()
            digest.update(value)
            value_digests += digest.digest()
        return cls._sorted(_numbers(id_digests), _numbers(value_digests))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Restores digests.

        Args:
            content: what `to_bytes` returned.

        Raises:
            ValueError: it has another length.
        """
        numbers = np.frombuffer(content, "<u8").astype(np.uint64)
        if len(numbers) % 2:
            raise ValueError("ids and values differ in number")
        half = len(numbers) // 2
        return cls(numbers[:half], numbers[half:])

    def to_bytes(self) -> bytes:
        """All digests, 16 bytes for each id."""
        return self._ids.astype("<u8").tobytes() + self._values.astype("<u8").tobytes()

    def __len__(self) -> int:
        return len(self._ids)

    def known_to(self, others: ValueDigests) -> npt.NDArray[np.bool_]:
        """Whether each id is among others, bool (rows,)."""
        first, end = others._places(self._ids)
        known: npt.NDArray[np.bool_] = first < end
        return known

    def contradicts(self, others: ValueDigests) -> bool:
        """Whether any id is among others with another value.

        Args:
            others: digests under the same secret.
        """
        first, end = others._places(self._ids)
        unmatched = np.flatnonzero(first < end)
        offset = 0
        while len(unmatched):
            places = first[unmatched] + offset
            if (places >= end[unmatched]).any():
                return True  # an id whose every known value differs
            unmatched = unmatched[others._values[places] != self._values[unmatched]]
            offset += 1
        return False

    def joined(self, others: ValueDigests) -> ValueDigests:
        """All ids of both, each with its value once.

        Args:
            others: digests under the same secret.
        """
        ids, values = np.concatenate([self._ids, others._ids]), np.concatenate([self._values, others._values])
        every = self._sorted(ids, values)
        is_new = np.ones(len(every), np.bool_)
        is_new[1:] = (every._ids[1:] != every._ids[:-1]) | (every._values[1:] != every._values[:-1])
        return ValueDigests(every._ids[is_new], every._values[is_new])

    @classmethod
    def _sorted(cls, ids: DigestArray, values: DigestArray) -> Self:
        order = np.lexsort((values, ids))
        return cls(ids[order], values[order])

    def _places(self, ids: DigestArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """First place of each id among these digests, and the place after its last one."""
        return np.searchsorted(self._ids, ids, "left"), np.searchsorted(self._ids, ids, "right")


def _numbers(digests: bytearray) -> DigestArray:
    return np.frombuffer(digests, "<u8").astype(np.uint64)
