"""The text of a CSV file as UTF-8: unfolded if it is compressed, recoded if it is written otherwise."""

from __future__ import annotations

import codecs

import pyarrow as pa

from party.data.files.first_bytes import FIRST_BYTES, UTF8_MARK, codec_of, is_parquet, marked_encoding, other_format
from party.data.files.hashed_stream import PIECE_BYTES, ByteSource, HashedStream
from party.data.files.limits import Allowance
from party.errors import DataError

CANDIDATES = "cp1252 or latin-1 for western Europe, cp1250, cp1251, shift_jis, gb18030 or utf-16"
_MARK = "\ufeff"


def open_text(stream: HashedStream, encoding: str, allowance: Allowance, where: str) -> ByteSource:
    """Opens the text of a file.

    Args:
        stream: the file's bytes.
        encoding: as the owner declares it.
        allowance: counts the bytes of the text.
        where: party and file, for errors.

    Returns:
        The text in UTF-8, without a byte order mark; not checked where the file itself is UTF-8.

    Raises:
        DataError: the file is something else than text.
    """
    codec = codec_of(stream.peek(FIRST_BYTES))
    text = _Text(stream if codec is None else _Unfolded(stream, codec, where), allowance, where)
    first = text.peek(FIRST_BYTES)
    _check_first(first, encoding, where, is_compressed=codec is not None)
    name = codecs.lookup(encoding).name
    if name in ("utf-8", "utf-8-sig"):
        if first.startswith(UTF8_MARK):
            text.read(len(UTF8_MARK))
        return text
    return _Recoded(text, encoding, where)


def not_encoded(place: str, encoding: str, where: str) -> DataError:
    """Makes the error for bytes that are no text of an encoding.

    Args:
        place: row or line, in words.
        encoding: as the owner declares it.
        where: party and file.

    Returns:
        The error to raise.
    """
    name = "UTF-8" if codecs.lookup(encoding).name.startswith("utf-8") else encoding
    return DataError(
        f"{place} is not {name}",
        where=where,
        fix=f"save the file as UTF-8, or name its encoding in data.csv.encoding: such as {CANDIDATES}",
    )


def _check_first(first: bytes, encoding: str, where: str, *, is_compressed: bool) -> None:
    if is_compressed and is_parquet(first):
        raise DataError("is compressed Parquet", where=where, fix="unpack it: Parquet is compressed in itself")
    if codec_of(first) is not None:
        raise DataError("is compressed twice", where=where, fix="compress it once")
    other = other_format(first)
    if other is not None:
        raise DataError(f"is {other[0]}", where=where, expected="a CSV or Parquet file", fix=other[1])
    marked, family = marked_encoding(first), codecs.lookup(encoding).name[:6]
    if marked is not None and marked != family:
        raise DataError(
            f"begins with the byte order mark of {marked.upper()}",
            where=where,
            expected=f"the encoding {encoding}",
            fix=f"set data.csv.encoding: {marked}",
        )


class _Unfolded:
    """What compressed bytes unfold to, piece by piece."""

    def __init__(self, stream: HashedStream, codec: str, where: str) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec)
        self._codec, self._where = codec, where

    def read(self, size: int = -1, /) -> bytes:
        """See `ByteSource`."""
        try:
            return bytes(self._stream.read(PIECE_BYTES if size < 0 else size))
        except (pa.ArrowException, OSError) as error:
            truncated = "Truncated" in str(error)
            raise DataError(
                f"cannot be decompressed ({self._codec})",
                where=self._where,
                received="an end in the middle" if truncated else "damaged data",
                fix="write it anew",
                public_message="a file of its data cannot be decompressed",
            ) from None


class _Text:
    """Counts what was unfolded before it goes on."""

    def __init__(self, source: ByteSource, allowance: Allowance, where: str) -> None:
        self._source, self._allowance, self._where = source, allowance, where
        self._peeked = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read; fewer where the text ends."""
        while len(self._peeked) < size and (piece := self._next(size - len(self._peeked))):
            self._peeked += piece
        return self._peeked

    def read(self, size: int = -1, /) -> bytes:
        """See `ByteSource`."""
        wanted = PIECE_BYTES if size < 0 else size
        if not self._peeked:
            return self._next(wanted)
        piece, self._peeked = self._peeked[:wanted], self._peeked[wanted:]
        return piece

    def _next(self, size: int) -> bytes:
        piece = self._source.read(size)
        self._allowance.add_unfolded(len(piece), self._where)
        return piece


class _Recoded:
    """Text of another encoding as UTF-8."""

    def __init__(self, source: ByteSource, encoding: str, where: str) -> None:
        self._source, self._encoding, self._where = source, encoding, where
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._lines = 1
        self._has_begun = self._has_ended = False

    def read(self, size: int = -1, /) -> bytes:
        """See `ByteSource`; a piece may be longer than asked for bytes of the source."""
        while not self._has_ended:
            piece = self._source.read(size)
            self._has_ended = not piece
            text = self._decoded(piece)
            self._lines += text.count("\n")
            if text and not self._has_begun:
                self._has_begun, text = True, text.removeprefix(_MARK)
            if text:
                return text.encode()
        return b""

    def _decoded(self, piece: bytes) -> str:
        try:
            text = self._decoder.decode(piece, final=self._has_ended)
            text.encode()  # some codecs make half surrogate pairs
        except UnicodeError:
            raise not_encoded(f"line {self._lines} or a later one", self._encoding, self._where) from None
        return text
