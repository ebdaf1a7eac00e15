"""The request file of a run: it grows by one record per exchange."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from party.errors import SessionError, StorageError
from party.protocol.request_journal import RequestEntry
from party.security.files import open_appending, read_private

NAME = "requests.journal"
POSITION_BYTES = 8
DIGEST_BYTES = hashlib.sha256().digest_size
CHECK_BYTES = 4  # CRC-32 of the bytes before it: detects records that a crash left half written

logger = logging.getLogger(__name__)


class RequestFile:
    """Appends entries, and reads them again after any crash.

    If the process is killed, no appended entry is lost: the operating system has it. If the machine stops, entries
    after the last `sync`, which precedes every checkpoint, may be lost.

    Args:
        run_folder: the run's folder; must exist before `open`.
        party: name of this party, for errors.
        senders: number of messages in an entry: one from each sender.
    """

    def __init__(self, run_folder: Path, party: str, senders: int) -> None:
        self._path = run_folder / NAME
        self._where = f"{party}: {NAME}"
        self._record_bytes = POSITION_BYTES + senders * DIGEST_BYTES + CHECK_BYTES
        # A call of a session that is being ended may still be under way: it must not append once the next one is open.
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._bytes = 0

    def open(self, position: int) -> Iterator[RequestEntry]:
        """Opens the file, creating it if absent; drops everything from the first damaged record on.

        Args:
            position: position of the exchange that the session starts from.

        Returns:
            The entries from that position on.

        Raises:
            StorageError: the file cannot be used.
        """
        content = read_private(self._path) if self._path.exists() else b""
        self._bytes = self._intact_bytes(content)
        self._descriptor = open_appending(self._path)
        if self._bytes < len(content):
            logger.warning("%s: its end is damaged: %d bytes are dropped", self._where, len(content) - self._bytes)
            self._truncate(self._descriptor)
        return (entry for entry in self._entries(content[: self._bytes]) if entry.position >= position)

    def append(self, entry: RequestEntry) -> None:
        """Appends an entry.

        Raises:
            SessionError: the session has ended.
            StorageError: the disk is full, or the file cannot be written; it has not changed.
        """
        record = entry.position.to_bytes(POSITION_BYTES, "big") + b"".join(entry.digests)
        record += _check(record)
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

    def cut(self, position: int) -> None:
        """Removes the entries from a position on.

        Args:
            position: first position to remove.

        Raises:
            SessionError: the session has ended.
            StorageError: the file cannot be used.
        """
        with self._lock:
            descriptor = self._usable()
            entries = self._entries(read_private(self._path)[: self._bytes])
            self._bytes = self._record_bytes * sum(entry.position < position for entry in entries)
            self._truncate(descriptor)

    def sync(self) -> None:
        """Makes all entries durable, even if the machine stops; entries can be appended meanwhile.

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
        """Refuses further entries."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)

    def _intact_bytes(self, content: bytes) -> int:
        """Total length of the records before the first one that is torn or damaged."""
        former = -1
        whole = len(content) - len(content) % self._record_bytes
        for start in range(0, whole, self._record_bytes):
            record = content[start : start + self._record_bytes]
            position = int.from_bytes(record[:POSITION_BYTES], "big")
            if record[-CHECK_BYTES:] != _check(record[:-CHECK_BYTES]) or position <= former:
                return start
            former = position
        return whole

    def _entries(self, content: bytes) -> Iterator[RequestEntry]:
        for start in range(0, len(content), self._record_bytes):
            record = content[start : start + self._record_bytes - CHECK_BYTES]
            places = range(POSITION_BYTES, len(record), DIGEST_BYTES)
            digests = tuple(record[place : place + DIGEST_BYTES] for place in places)
            yield RequestEntry(int.from_bytes(record[:POSITION_BYTES], "big"), digests)

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


def _check(record: bytes) -> bytes:
    return zlib.crc32(record).to_bytes(CHECK_BYTES, "big")
