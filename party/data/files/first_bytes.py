"""What a file is, by its first bytes: its name is the owner's affair."""

from __future__ import annotations

FIRST_BYTES = 16
PARQUET = b"PAR1"
ENCRYPTED_PARQUET = b"PARE"
UTF8_MARK = b"\xef\xbb\xbf"

_CODECS = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BZIP2, _BZIP2_LEVELS = b"BZh", b"123456789"
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # the first one, or the end where there is none
# Of UTF-32 first: it begins with that of UTF-16.
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_UNPACK, _EXPORT = "unpack it", "save it as CSV or Parquet"
_OTHERS = {
    b"PK\x03\x04": ("a zip archive or a spreadsheet", f"{_UNPACK}, or {_EXPORT}"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", _EXPORT),
    b"\xfd7zXZ\x00": ("compressed with xz", "compress it with gzip, zstd or bzip2"),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"ORC": ("an ORC file", _EXPORT),
    b"ARROW1": ("an Arrow or Feather file", _EXPORT),
    b"Obj\x01": ("an Avro file", _EXPORT),
    b"\x89HDF": ("an HDF5 file", _EXPORT),
    b"SQLite format 3": ("a database", _EXPORT),
}


def codec_of(first: bytes) -> str | None:
    """The compression of a file, as Arrow names it.

    Args:
        first: the first FIRST_BYTES bytes.
    """
    level, block = first[3:4], first[4:10]
    if first.startswith(_BZIP2) and level and level in _BZIP2_LEVELS and block in _BZIP2_BLOCKS:
        return "bz2"
    return next((codec for magic, codec in _CODECS.items() if first.startswith(magic)), None)


def is_parquet(first: bytes) -> bool:
    """Whether a file is Parquet, readable or encrypted.

    Args:
        first: the first FIRST_BYTES bytes.
    """
    return first.startswith((PARQUET, ENCRYPTED_PARQUET))


def other_format(first: bytes) -> tuple[str, str] | None:
    """What else a file is, and what to do about it.

    Args:
        first: the first FIRST_BYTES bytes.
    """
    return next((words for magic, words in _OTHERS.items() if first.startswith(magic)), None)


def marked_encoding(first: bytes) -> str | None:
    """The encoding that a byte order mark names; None without one and for UTF-8.

    Args:
        first: the first FIRST_BYTES bytes of text.
    """
    return next((encoding for mark, encoding in _MARKS.items() if first.startswith(mark)), None)
