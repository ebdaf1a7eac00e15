"""A file that grows by whole records and is never rewritten."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from party.errors import SessionError, StorageError
from party.security.files import open_appending


class GrowingFile:
    """Appends records for one session, each as a whole or not at all.

    If the process is killed, no appended record is lost: the operating system has it. If the machine stops, records
    after the last `sync` may be lost.

    Args:
        path: the file, created if absent; its folder must exist.
        intact_bytes: number of bytes to keep; the rest, which a crash left half written, is dropped.
        where: name of the file, for errors.

    Raises:
        StorageError: the file cannot be used.
    """

    def __init__(self, path: Path, intact_bytes: int, where: str) -> None:
        self._where = where
        # A call of a session that is being ended may still be under way: it must not append once the next one is open.
        self._lock = threading.Lock()
        self._descriptor: int | None = open_appending(path)
        self._bytes = intact_bytes
        if path.stat().st_size > intact_bytes:
            self._truncate(self._descriptor)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._bytes

    def append(self, record: bytes) -> None:
        """Appends a record.

        Raises:
            SessionError: the session has ended.
            StorageError: the disk is full, or the file cannot be written; it has not changed.
        """
        with self._lock:
            descriptor = self._usable()
            try:
                written = os.write(descriptor, record)
            except OSError as error:
                raise self._failure(error) from error
            if written < len(record):
                self._truncate(descriptor)
                raise self._failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            self._bytes += len(record)

    def cut(self, size: int) -> None:
        """Removes everything after a number of bytes.

        Raises:
            SessionError: the session has ended.
            StorageError: the file cannot be used.
        """
        with self._lock:
            descriptor = self._usable()
            self._bytes = size
            self._truncate(descriptor)

    def sync(self) -> None:
        """Makes all records durable, even if the machine stops; records can be appended meanwhile.

        Raises:
            SessionError: the session has ended.
            StorageError: the disk is full, or the file cannot be written.
        """
        with self._lock:
            descriptor = os.dup(self._usable())
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Refuses further records."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)

    def _usable(self) -> int:
        if self._descriptor is None:
            raise SessionError("the session has ended", where=self._where)
        return self._descriptor

    def _truncate(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, self._bytes)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"cannot be written: {error.strerror or type(error).__name__}", where=self._where)
