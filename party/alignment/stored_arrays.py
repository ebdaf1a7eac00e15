"""Files of stored alignments: a header and some arrays, written and read without a second copy in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from party.data.scratch import Scratch
from party.security.files import open_private, writing_atomically

_SUFFIX = ".npy"
_VERSION = (1, 0)  # of the form of an array, which numpy.savez writes


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes arrays as `numpy.savez` does, as a whole or not at all.

    Args:
        path: the file.
        arrays: by name.

    Raises:
        StorageError: the file cannot be written; a former one is unchanged.
    """
    contents: dict[str, Any] = dict(arrays)
    with writing_atomically(path) as file:
        np.savez(file, **contents)


def read_arrays(path: Path, scratch: Scratch) -> dict[str, npt.NDArray[Any]]:
    """Reads arrays that `write_arrays` wrote.

    Args:
        path: the file.
        scratch: keeps the large ones.

    Returns:
        The arrays by name.

    Raises:
        StorageError: the file is absent, cannot be read or is open to others.
        ValueError, EOFError, NotImplementedError, zipfile.BadZipFile: it is damaged.
    """
    with open_private(path) as file, zipfile.ZipFile(file) as archive:
        return {one.filename.removesuffix(_SUFFIX): _read(archive, one, scratch) for one in archive.infolist()}


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, scratch: Scratch) -> npt.NDArray[Any]:
    with archive.open(info) as member:
        if np.lib.format.read_magic(member) != _VERSION:
            raise ValueError("version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if dtype.hasobject or size != info.file_size - member.tell():
            raise ValueError("size")
        array = scratch.array(shape, dtype)
        _fill(member, array.reshape(-1).view(np.uint8).data)
    return array


def _fill(member: IO[bytes], content: memoryview) -> None:
    while len(content):
        count = member.readinto(content)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        content = content[count:]
    if member.read(1):  # at the end, the sum of the file is compared
        raise ValueError("size")
