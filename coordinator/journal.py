"""What a coordinator remembers: its lease, and the runs that it drove."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from party.errors import ConfigurationError, SessionError, StorageError
from party.security.files import private_folder, read_private, write_atomically

LEASE_BYTES = 32
LEASE_FILE = "lease"
LOCK_FILE = "lock"
RUN_FILE = "run.json"


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        run_id: hexadecimal.
        state: `running`, `trained` or `failed`.
        started: when, in ISO 8601.
        configuration: what its parties agreed on, as the very bytes that were sent.
    """

    run_id: str
    state: str
    started: str
    configuration: bytes


class Journal:
    """The output folder of a coordinator; one process at a time.

    The lease is what a restarted coordinator shows the parties to take over its own session.

    Args:
        folder: created where absent.

    Raises:
        StorageError: the folder cannot be used.
        SessionError: another coordinator process works with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        lock = os.open(self.folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._lock: int | None = lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise SessionError(
                "another coordinator works with this output folder", where=str(folder), fix="wait for it or stop it"
            ) from None
        try:
            self.lease = self._read_lease()
            for entry in self.runs():
                if entry.state == "running":  # its process was killed: whoever holds the lock is the only one alive
                    self.end(bytes.fromhex(entry.run_id), "failed")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets another process use the folder; does nothing where it was done before."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def run_folder(self, run_id: str) -> Path:
        """The folder of a run's files, created where absent."""
        return private_folder(self.folder / run_id)

    def begin(self, run_id: bytes, configuration: bytes, started: datetime) -> None:
        """Notes a run before its first message."""
        self._write(RunEntry(run_id.hex(), "running", started.isoformat(), configuration))

    def end(self, run_id: bytes, state: str) -> None:
        """Notes how a run ended."""
        entry = self._read(self.folder / run_id.hex() / RUN_FILE)
        self._write(RunEntry(entry.run_id, state, entry.started, entry.configuration))

    def runs(self) -> list[RunEntry]:
        """All runs, the oldest first."""
        return list_runs(self.folder)

    def trained(self, run_id: str | None) -> RunEntry:
        """A finished run by the beginning of its run_id; the latest where None.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        found = [one for one in self.runs() if one.state == "trained" and one.run_id.startswith(run_id or "")]
        if not found or (run_id is not None and len(found) > 1):
            what = "more than one finished run begins like this" if found else "no finished run"
            raise ConfigurationError(what, where=f"{self.folder}: --run {run_id or '(latest)'}", fix="train first")
        return found[-1]

    def _read_lease(self) -> bytes:
        path = self.folder / LEASE_FILE
        if not path.exists():
            write_atomically(path, secrets.token_bytes(LEASE_BYTES))
        lease = read_private(path)
        if len(lease) != LEASE_BYTES:
            raise StorageError("lease is damaged", where=str(path), fix="delete the file")
        return lease

    def _write(self, entry: RunEntry) -> None:
        content = {
            "run_id": entry.run_id,
            "state": entry.state,
            "started": entry.started,
            "configuration": entry.configuration.decode(),
        }
        write_atomically(self.run_folder(entry.run_id) / RUN_FILE, json.dumps(content, indent=2).encode())

    def _read(self, path: Path) -> RunEntry:
        return _parse_entry(path)


def list_runs(folder: Path) -> list[RunEntry]:
    """All runs that a folder remembers, the oldest first."""
    return sorted((_parse_entry(path) for path in folder.glob(f"*/{RUN_FILE}")), key=lambda entry: entry.started)


def _parse_entry(path: Path) -> RunEntry:
    try:
        content = json.loads(read_private(path))
        return RunEntry(content["run_id"], content["state"], content["started"], str(content["configuration"]).encode())
    except (ValueError, KeyError, TypeError):
        raise StorageError("journal entry is damaged", where=str(path)) from None
