"""The ledger's file: a line is durable before its writer continues, and a missing or altered line is detected."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from party.errors import StorageError
from party.ledger.entry import Content, LedgerEntry, entry_from_line, is_of_another_version
from party.security.files import FILE_MODE, private_folder, read_private, write_atomically

LEDGER_FILE = "ledger.jsonl"
HEAD_FILE = "ledger.head"  # number and digest of the last line: it reveals that lines were cut off
RUNS_FOLDER = "runs"  # beside the ledger, which has a line before anything is in it

logger = logging.getLogger(__name__)


class Ledger:
    """The lines of one party, open for adding to.

    Args:
        folder: the party's state folder.
        now: the current time, with a time zone.

    Raises:
        StorageError: the file cannot be used, was altered, or is missing beside runs.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._path = private_folder(folder) / LEDGER_FILE
        self._now = now
        self._lock = threading.Lock()
        self._broken = False
        content = read_private(self._path) if self._path.exists() else b""
        self._entries = verified_entries(content, folder)
        # A process that was killed may leave half a line, which nothing was released on.
        self._length = sum(len(entry.to_line()) for entry in self._entries)
        if self._length < len(content):
            os.truncate(self._path, self._length)
        if self._entries:
            self._write_head(self._entries[-1])

    @property
    def entries(self) -> Sequence[LedgerEntry]:
        """All lines, in order."""
        return tuple(self._entries)

    def append(self, content: Content) -> LedgerEntry:
        """Adds a line and makes it durable.

        Args:
            content: content of the line.

        Returns:
            The line.

        Raises:
            StorageError: the line cannot be written, and the ledger is unchanged; or somebody altered the ledger.
        """
        with self._lock:
            if self._broken:
                what = "could not be written before"
                raise StorageError(
                    what, where="ledger", fix="see the log, and restart", public_message=f"ledger: {what}"
                )
            if self._size() != self._length:
                raise _altered(len(self._entries) + 1, "a file of another length than this process wrote")
            entry = LedgerEntry.following(
                self._entries[-1] if self._entries else None, content, self._now().isoformat()
            )
            line = entry.to_line()
            try:
                self._write_line(line)
                self._write_head(entry)
            except (OSError, StorageError) as error:
                self._take_back()
                reason = (error.strerror if isinstance(error, OSError) else None) or "see its log"
                what = f"cannot be written: {reason}"
                raise StorageError(
                    what, where="ledger", public_message=f"ledger: {what}; nothing is released"
                ) from error
            self._length += len(line)
            self._entries.append(entry)
        # Whoever collects this log has an anchor outside of the state folder.
        logger.info("ledger line %d: %s, digest %s", entry.sequence, entry.event, entry.digest)
        return entry

    def close(self) -> None:
        """Closes the ledger: it accepts no more lines."""
        with self._lock:
            self._broken = True

    def _write_line(self, line: bytes) -> None:
        """Opens the file for each line: a file that stays open would keep its disk from being unmounted."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)

    def _take_back(self) -> None:
        try:
            if self._size() != self._length:
                os.truncate(self._path, self._length)
            if _read_head(self._path.parent) != self._last:
                if self._entries:
                    self._write_head(self._entries[-1])
                else:
                    self._path.with_name(HEAD_FILE).unlink()
        except (OSError, StorageError):
            self._broken = True

    @property
    def _last(self) -> tuple[int, str] | None:
        return (self._entries[-1].sequence, self._entries[-1].digest) if self._entries else None

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _write_head(self, entry: LedgerEntry) -> None:
        head = {"sequence": entry.sequence, "digest": entry.digest}
        write_atomically(self._path.with_name(HEAD_FILE), json.dumps(head).encode())


def read_ledger(folder: Path) -> list[LedgerEntry]:
    """Reads and verifies a ledger that another process may be adding to.

    Args:
        folder: the party's state folder.

    Returns:
        All lines, in order.

    Raises:
        StorageError: a line was altered, moved, added or removed, and the error names the first one; or there is no
            ledger beside runs.
    """
    # The head first: lines that are added meanwhile follow it.
    head = _read_head(folder)
    path = folder / LEDGER_FILE
    content = read_private(path) if path.exists() else b""
    return _verified(content, head, folder)


def verified_entries(content: bytes, folder: Path) -> list[LedgerEntry]:
    """Verifies the lines of a ledger that no other process adds to.

    It refuses more than one line after the head: each line is in the head before the next one is written.

    Args:
        content: content of the ledger's file.
        folder: the party's state folder.

    Returns:
        All lines, in order.

    Raises:
        StorageError: a line was altered, moved, added or removed, or there is no ledger beside runs.
    """
    head = _read_head(folder)
    entries = _verified(content, head, folder)
    known = 0 if head is None else head[0]
    if len(entries) > known + 1:
        raise _altered(known + 2, "lines that were not written by this software")
    return entries


def _verified(content: bytes, head: tuple[int, str] | None, folder: Path) -> list[LedgerEntry]:
    entries = list(_chained(content, head))
    runs = folder / RUNS_FOLDER
    # A first start that was killed may leave a line without a head, but no run.
    if head is None and runs.is_dir() and any(runs.iterdir()):
        raise StorageError(
            "has no line of the runs that are here: its files were moved or removed",
            where="ledger",
            expected=f"{LEDGER_FILE} and {HEAD_FILE} in the state folder",
            fix=f"restore both from a backup; or move {RUNS_FOLDER} away, knowing that all limits then start at zero",
        )
    return entries


def _chained(content: bytes, head: tuple[int, str] | None) -> Iterator[LedgerEntry]:
    lines = content.split(b"\n")[:-1]  # what follows the last end of a line was never finished
    previous: LedgerEntry | None = None
    for number, line in enumerate(lines, start=1):
        entry = entry_from_line(line)
        if entry is None and is_of_another_version(line):
            raise StorageError(
                "was written by another version of this software",
                where=f"ledger: line {number}",
                fix="install that version again; `party --version` at the time is in the last line of kind started",
            )
        if entry is None or not entry.follows(previous):
            raise _altered(number, "a line that does not follow the one before")
        if head is not None and number == head[0] and entry.digest != head[1]:
            raise _altered(number, "another last line than the head's")
        yield entry
        previous = entry
    if head is None and (len(lines) > 1 or (previous is not None and previous.event != "started")):
        raise _altered(1, f"{len(lines)} lines without {HEAD_FILE}")
    if head is not None and len(lines) < head[0]:
        raise _altered(len(lines) + 1, f"{len(lines)} lines", expected=f"{head[0]}")


def _read_head(folder: Path) -> tuple[int, str] | None:
    path = folder / HEAD_FILE
    if not path.exists():
        return None
    try:
        head = json.loads(read_private(path))
        return int(head["sequence"]), str(head["digest"])
    except (ValueError, KeyError, TypeError):
        raise StorageError("is damaged", where=f"ledger: {HEAD_FILE}", fix="restore it from a backup") from None


def _altered(number: int, received: str, expected: str = "") -> StorageError:
    return StorageError(
        "was altered, or lines were removed",
        where=f"ledger: line {number}",
        expected=expected,
        received=received,
        fix="find out who did it; to begin a new ledger, move ledger.jsonl, ledger.head and runs away and keep them",
    )
