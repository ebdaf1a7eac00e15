"""Files of this machine and of other machines' storage, opened for reading at any place of them."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import fs

from party.data.files.place import DataPlace
from party.errors import DataError

Stamp = tuple[str, int, int, int]

RELATIVE = "paths are relative to the folder of the configuration file, and ~ is the home folder"
_AWS_ERROR = re.compile(r"AWS Error ([A-Z_]+)")
_NO_MODIFICATION = 0


class OpenedFile(Protocol):
    """An open file.

    Attributes:
        size: its size when it was opened, bytes.
    """

    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Reads bytes; fewer than asked for only where the file ends.

        Args:
            offset: place of the first byte.
            size: number of bytes.

        Raises:
            DataError: they cannot be read.
        """

    def close(self) -> None:
        """Closes the file."""


class Part(Protocol):
    """One file of a dataset."""

    @property
    def name(self) -> str:
        """Its name for readers: without the folder that it is configured by, and without any options."""

    @property
    def identity(self) -> str:
        """Its path or address; equal for the same file."""

    def open(self, place: DataPlace) -> OpenedFile:
        """Opens the file; raises a DataError if that is not possible, or if it is no file."""

    def stamp(self) -> Stamp:
        """What changes when the file does; raises an OSError if it cannot be found out."""


class _LocalFile:
    """One descriptor, so that it is the same file from the first byte to the last."""

    def __init__(self, descriptor: int, size: int, failure: DataError) -> None:
        self._descriptor = descriptor
        self._failure = failure
        self.size = size

    def read_at(self, offset: int, size: int) -> bytes:
        """See `OpenedFile`."""
        pieces, wanted = [], size
        try:
            while wanted and (piece := os.pread(self._descriptor, wanted, offset + size - wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        except OSError:
            raise self._failure from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """See `OpenedFile`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


@dataclass(frozen=True)
class LocalPart:
    """A file of this machine.

    Attributes:
        name: for readers.
        path: where it lies.
    """

    name: str
    path: Path

    @property
    def identity(self) -> str:
        """See `Part`."""
        return str(self.path)

    def open(self, place: DataPlace) -> OpenedFile:
        """See `Part`."""
        kind = "a CSV or Parquet file"
        try:
            # O_NONBLOCK: if a named pipe is in the file's place, opening it would wait for a writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise not_found(self.name, self.path, place) from None
        except OSError as error:
            raise place.unreadable(f"cannot be read ({error.__class__.__name__})", self.name) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no file"
            raise place.unreadable(what, self.name, expected=kind)
        return _LocalFile(descriptor, status.st_size, place.unreadable("cannot be read", self.name))

    def stamp(self) -> Stamp:
        """See `Part`."""
        status = self.path.stat()
        return self.identity, status.st_mtime_ns, status.st_size, status.st_ino


class _RemoteFile:
    """A file of a storage of other machines."""

    def __init__(self, file: Any, part: RemotePart, place: DataPlace) -> None:
        self._file, self._part, self._place = file, part, place
        self.size = int(file.size())

    def read_at(self, offset: int, size: int) -> bytes:
        """See `OpenedFile`."""
        wanted = min(size, self.size - offset)
        try:
            return bytes(self._file.read_at(wanted, offset)) if wanted > 0 else b""
        except (pa.ArrowException, OSError) as error:
            raise remote_failure(error, self._part.name, self._place) from None

    def close(self) -> None:
        """See `OpenedFile`."""
        self._file.close()


@dataclass(frozen=True)
class RemotePart:
    """A file of a storage of other machines.

    Attributes:
        name: for readers.
        filesystem: of Arrow.
        path: in that file system.
    """

    name: str
    filesystem: fs.FileSystem
    path: str

    @property
    def identity(self) -> str:
        """See `Part`."""
        return f"{self.filesystem.type_name}:{self.path}"

    def open(self, place: DataPlace) -> OpenedFile:
        """See `Part`."""
        try:
            return _RemoteFile(self.filesystem.open_input_file(self.path), self, place)
        except (pa.ArrowException, OSError) as error:
            raise remote_failure(error, self.name, place) from None

    def stamp(self) -> Stamp:
        """See `Part`."""
        information = self.filesystem.get_file_info(self.path)
        return self.identity, information.mtime_ns or _NO_MODIFICATION, information.size or 0, 0


def not_found(name: str, tried: Path | str, place: DataPlace) -> DataError:
    """Makes the error for a file that is not there.

    Args:
        name: of the file.
        tried: its path or address.
        place: dataset that it belongs to.

    Returns:
        The error to raise.
    """
    advice = RELATIVE if isinstance(tried, PurePath) else ""
    return place.unreadable("file not found", name, tried=tried, expected=str(tried), fix=advice)


def remote_failure(error: Exception, name: str, place: DataPlace) -> DataError:
    """Makes the error for a storage that does not answer as it should; of its own text only the kind is repeated.

    Args:
        error: as Arrow raised it; its text may hold addresses and what a server sent.
        name: of the file.
        place: dataset that it belongs to.

    Returns:
        The error to raise.
    """
    if isinstance(error, FileNotFoundError):
        return place.unreadable("file not found", name)
    kind = _AWS_ERROR.search(str(error))
    return place.unreadable(
        f"cannot be read ({kind[1] if kind else type(error).__name__})",
        name,
        fix="check network, region and the credentials in the party's environment",
    )
