"""The bytes of a file in order, hashed as they pass."""

from __future__ import annotations

import hashlib
import io
from typing import Protocol

from party.data.files.limits import Allowance
from party.data.files.storage import OpenedFile

PIECE_BYTES = 1 << 22


class ByteSource(Protocol):
    """Something to read bytes from, in order."""

    def read(self, size: int = -1, /) -> bytes:
        """Reads some bytes, at least one unless all were read, and at most `size` if that is not negative."""


class ReadableStream(io.RawIOBase):
    """What Arrow reads from: a stream of Python with nothing but `read`."""

    def readable(self) -> bool:
        """Always true."""
        return True


class HashedStream(ReadableStream):
    """Reads a file once, from its first byte to its last. What is parsed is what was hashed, whoever writes meanwhile.

    Args:
        file: the open file.
        allowance: counts its bytes.
        where: party and file, for errors.
    """

    def __init__(self, file: OpenedFile, allowance: Allowance, where: str) -> None:
        super().__init__()
        self._file = file
        self._allowance, self._where = allowance, where
        self._digest = hashlib.sha256()
        self._offset = 0
        self._peeked = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read.

        Args:
            size: number of bytes; fewer come where the file ends.
        """
        while len(self._peeked) < size and (piece := self._next(size - len(self._peeked))):
            self._peeked += piece
        return self._peeked[:size]

    def read(self, size: int = -1, /) -> bytes:
        """See `ByteSource`."""
        wanted = PIECE_BYTES if size < 0 else min(size, PIECE_BYTES)
        if not self._peeked:
            return self._next(wanted)
        piece, self._peeked = self._peeked[:wanted], self._peeked[wanted:]
        return piece

    def sha256(self) -> bytes:
        """Digest of the whole file, 32 bytes; what was not parsed, as after the end of compressed data, included."""
        while self._next(PIECE_BYTES):
            pass
        return self._digest.digest()

    def _next(self, size: int) -> bytes:
        piece = self._file.read_at(self._offset, size)
        self._offset += len(piece)
        self._allowance.add_stored(len(piece), self._where)
        self._digest.update(piece)
        return piece
