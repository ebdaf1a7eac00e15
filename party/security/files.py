"""Files and folders that only their owner may read, and that are either old or new, never half."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from party.errors import StorageError

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> Path:
    """Makes sure of a folder that only its owner may enter.

    Args:
        path: the folder; it and missing folders above it are created with mode 0700.

    Returns:
        The path.

    Raises:
        StorageError: it cannot be created, is no folder, or is open to others.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.exists():
                folder.mkdir(FOLDER_MODE, exist_ok=True)
                _sync_folder(folder.parent)
        status = path.stat()
    except OSError as error:
        raise _failure("cannot be created", path, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StorageError("is no folder", where=str(path))
    _refuse_others(status.st_mode, path, FOLDER_MODE)
    return path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file with mode 0600 whole or not at all, also when the machine stops; one writer at a time.

    Args:
        path: the file; its folder exists.
        content: its bytes.

    Raises:
        StorageError: it cannot be written; a former file is unchanged.
    """
    # One fixed name: what a killed process left behind is replaced by the next attempt.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _failure("cannot be written", path, error) from error


def read_private(path: Path) -> bytes:
    """Reads a file that only its owner may read.

    Args:
        path: the file.

    Returns:
        Its bytes.

    Raises:
        StorageError: it is absent, cannot be read, is no file, or is open to others.
    """
    try:
        # Not to wait for a writer where a named pipe took the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise StorageError("is no file", where=str(path))
            _refuse_others(mode, path, FILE_MODE)
            return file.read()
    except OSError as error:
        raise _failure("cannot be read", path, error) from error


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_others(mode: int, path: Path, expected: int) -> None:
    if mode & _OTHERS:
        raise StorageError(
            "is open to others than its owner",
            where=str(path),
            expected=f"mode {expected:04o}",
            received=f"mode {stat.S_IMODE(mode):04o}",
            fix=f"chmod {expected:o} {path}",
        )


def _failure(what: str, path: Path, error: OSError) -> StorageError:
    return StorageError(f"{what}: {error.strerror or type(error).__name__}", where=str(path))
