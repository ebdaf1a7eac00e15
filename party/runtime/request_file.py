"""The request file of a run: it grows by one record per exchange."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

from party.errors import SessionError
from party.protocol.request_journal import RequestEntry
from party.security.files import read_private
from party.security.growing_file import GrowingFile

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
        self._file: GrowingFile | None = None

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
        intact = self._intact_bytes(content)
        if intact < len(content):
            logger.warning("%s: its end is damaged: %d bytes are dropped", self._where, len(content) - intact)
        self._file = GrowingFile(self._path, intact, self._where)
        return (entry for entry in self._entries(content[:intact]) if entry.position >= position)

    def append(self, entry: RequestEntry) -> None:
        """Appends an entry.

        Raises:
            SessionError: the session has ended.
            StorageError: the disk is full, or the file cannot be written; it has not changed.
        """
        record = entry.position.to_bytes(POSITION_BYTES, "big") + b"".join(entry.digests)
        self._usable.append(record + _check(record))

    def cut(self, position: int) -> None:
        """Removes the entries from a position on.

        Args:
            position: first position to remove.

        Raises:
            SessionError: the session has ended.
            StorageError: the file cannot be used.
        """
        file = self._usable
        entries = self._entries(read_private(self._path)[: file.size])
        file.cut(self._record_bytes * sum(entry.position < position for entry in entries))

    def sync(self) -> None:
        """Makes all entries durable, even if the machine stops; entries can be appended meanwhile.

        Raises:
            SessionError: the session has ended.
            StorageError: the disk is full, or the file cannot be written.
        """
        self._usable.sync()

    def close(self) -> None:
        """Refuses further entries."""
        if self._file is not None:
            self._file.close()

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

    @property
    def _usable(self) -> GrowingFile:
        if self._file is None:
            raise SessionError("the session has ended", where=self._where)
        return self._file


def _check(record: bytes) -> bytes:
    return zlib.crc32(record).to_bytes(CHECK_BYTES, "big")
