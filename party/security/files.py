"""Files and folders that only their owner may read, and that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from party.errors import StorageError
from party.ownership import OTHERS, exchangeable, looseness

FILE_MODE = 0o600
FOLDER_MODE = 0o700
PARTIAL = ".partial"  # ends the name of a file that is not complete


def private_folder(path: Path) -> Path:
    """Creates or checks a folder that only its owner may enter.

    Args:
        path: the folder; it and missing folders above it are created with mode 0700.

    Returns:
        The path.

    Raises:
        StorageError: it cannot be created, is not a folder, is another user's, is open to others, or lies where they
            can put another one in its place.
    """
    try:
        make_folder(path)
        status = path.stat()
        above = exchangeable(path)
    except OSError as error:
        raise _failure("cannot be created", path, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StorageError("is not a folder", where=path)
    _refuse_others(status, path, FOLDER_MODE)
    if above is not None:
        raise StorageError(
            "lies in a folder where every user may rename it",
            where=path,
            expected="no folder above it that all may write, unless with the sticky bit",
            received=str(above),
            fix=f"chmod o-w {above}",
            public_message="a folder of its state lies where every user may rename it",
        )
    return path


def make_folder(path: Path) -> None:
    """Creates a folder and the missing ones above it with mode 0700; leaves an existing one unchanged.

    Args:
        path: the folder.

    Raises:
        OSError: it cannot be created.
    """
    for folder in [*reversed(path.parents), path]:
        if not folder.exists():
            folder.mkdir(FOLDER_MODE, exist_ok=True)
            _sync_folder(folder.parent)


def close_to_others(folder: Path) -> None:
    """Sets the modes of a folder and all it contains to 0700 and 0600, after a library wrote it with the umask's modes.

    Args:
        folder: made by this process; others cannot enter it yet.

    Raises:
        OSError: a mode cannot be changed.
    """
    for path in [folder, *folder.rglob("*")]:
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file with mode 0600 as a whole or not at all, even if the machine stops; one writer at a time.

    Args:
        path: the file; its folder exists.
        content: its bytes.

    Raises:
        StorageError: it cannot be written; a former file is unchanged.
    """
    with writing_atomically(path) as file:
        file.write(content)


@contextmanager
def writing_atomically(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to write it piece by piece; it is there, with mode 0600, once the block ends without an error.

    Args:
        path: the file; its folder exists. There is one writer at a time.

    Yields:
        The open file; an error of any kind removes it.

    Raises:
        StorageError: it cannot be written; a former file is unchanged.
    """
    # One fixed name: the next attempt replaces what a killed process left behind.
    temporary = path.with_name(f".{path.name}{PARTIAL}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # on a full disk it would keep others from writing
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _failure("cannot be written", path, error) from error
        raise


def read_private(path: Path) -> bytes:
    """Reads a file that only its owner may read.

    Args:
        path: the file.

    Returns:
        Its bytes.

    Raises:
        StorageError: it is absent, cannot be read, is no file, is another user's, or is open to others.
    """
    with open_private(path) as file:
        return file.read()


@contextmanager
def open_private(path: Path) -> Iterator[BufferedReader]:
    """Opens a file that only its owner may read, to read it piece by piece.

    Args:
        path: the file.

    Yields:
        The open file.

    Raises:
        StorageError: it is absent, cannot be read, is no file, is another user's, or is open to others.
    """
    try:
        # O_NONBLOCK: if a named pipe is in the file's place, opening it would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError("is no file", where=path)
            _refuse_others(status, path, FILE_MODE)
            yield file
    except OSError as error:
        raise _failure("cannot be read", path, error) from error


def open_appending(path: Path) -> int:
    """Opens a file for appending, with mode 0600; a new one stays in its folder even if the machine stops.

    Args:
        path: the file. Its folder must exist; the file need not.

    Returns:
        Its descriptor: every write goes to the end.

    Raises:
        StorageError: it cannot be opened or created.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        _sync_folder(path.parent)
    except OSError as error:
        raise _failure("cannot be opened", path, error) from error
    return descriptor


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_others(status: os.stat_result, path: Path, expected: int) -> None:
    received = looseness(status, OTHERS)
    if received is not None:
        raise StorageError(
            "is open to others than its owner",
            where=path,
            expected=f"mode {expected:04o}, owned by the user of this process",
            received=received,
            fix=f"chmod {expected:o} {path}, and chown it if it is another user's",
            public_message="a file or folder of its state is open to others than its owner",
        )


def _failure(what: str, path: Path, error: OSError) -> StorageError:
    reason = error.strerror or type(error).__name__
    return StorageError(
        f"{what}: {reason}", where=path, public_message=f"a file or folder of its state {what}: {reason}"
    )
