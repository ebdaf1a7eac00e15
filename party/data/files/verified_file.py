"""A file that is read at any place, and of which every byte that is parsed was hashed before."""

from __future__ import annotations

import hashlib
import io

from party.data.files.hashed_stream import PIECE_BYTES, HashedStream, ReadableStream
from party.data.files.limits import Allowance
from party.data.files.storage import OpenedFile
from party.errors import DataError

BLOCK_BYTES = 1 << 18
_DIGEST_BYTES = 16


class VerifiedFile(ReadableStream):
    """Hashes a file once as a whole and by block, and then gives out only blocks with the digest that they had.

    A stamp of the file system would not do: who may write the file may set its time too, and two writes can share one.

    Args:
        file: the open file.
        allowance: counts its bytes.
        where: party and file, for errors.
    """

    def __init__(self, file: OpenedFile, allowance: Allowance, where: str) -> None:
        super().__init__()
        self._file, self._where = file, where
        self._blocks: list[bytes] = []
        self._size = 0
        self._place = 0
        self._last: tuple[int, bytes] = (-1, b"")
        self._sha256 = self._hash(HashedStream(file, allowance, where))

    def sha256(self) -> bytes:
        """Digest of the whole file, 32 bytes."""
        return self._sha256

    def read(self, size: int = -1, /) -> bytes:
        """The bytes at the current place; raises a DataError if they are not those that were hashed."""
        end = self._size if size < 0 else min(self._place + size, self._size)
        start, self._place = self._place, max(end, self._place)
        first, last = start // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        content = self._verified(first, last) if start < end else b""
        return content[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES]

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to another place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """The current place."""
        return self._place

    def seekable(self) -> bool:
        """Always true."""
        return True

    def _hash(self, stream: HashedStream) -> bytes:
        kept = b""
        while piece := stream.read(PIECE_BYTES):
            self._size += len(piece)
            kept += piece
            whole = len(kept) // BLOCK_BYTES * BLOCK_BYTES
            self._blocks += [_digest(kept[place : place + BLOCK_BYTES]) for place in range(0, whole, BLOCK_BYTES)]
            kept = kept[whole:]
        if kept:
            self._blocks.append(_digest(kept))
        return stream.sha256()

    def _verified(self, first: int, last: int) -> bytes:
        """The blocks from one number to before another, in one request to the storage."""
        number, known = self._last
        kept = known if number == first else b""
        begin = (first + bool(kept)) * BLOCK_BYTES
        read = (
            self._file.read_at(begin, min(last * BLOCK_BYTES, self._size) - begin) if first + bool(kept) < last else b""
        )
        blocks = [read[place : place + BLOCK_BYTES] for place in range(0, len(read), BLOCK_BYTES)]
        if list(map(_digest, blocks)) != self._blocks[first + bool(kept) : last]:
            raise DataError(
                "changed while it was read",
                where=self._where,
                fix="try again once nothing writes it; replace files by renaming a complete one",
                public_message="a file of its data changed while it was read",
            )
        if blocks:
            self._last = (last - 1, blocks[-1])
        return kept + read


def _digest(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=_DIGEST_BYTES).digest()
