"""What a coordinator remembers: its lease, and the runs that it drove."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from party.errors import ConfigurationError, SessionError, StorageError
from party.protocol.checkpoints import Mark
from party.security.files import private_folder, read_private, write_atomically

LEASE_BYTES = 32
LEASE_FILE = "lease"
LOCK_FILE = "lock"
RUN_FILE = "run.json"
STOP_FILE = "stop"
KEPT_COMMITS = 8

RUNNING = "running"
TRAINED = "trained"
STOPPED = "stopped"  # in order, or its process was killed
FAILED = "failed"  # by an error


@dataclass(frozen=True)
class Commit:
    """A checkpoint that is durable at every party.

    Attributes:
        mark: its point in the run's history.
        at: when it was committed, in ISO 8601.
        seconds: of training up to it, those of work that was lost left out.
        message_bytes: of messages between parties up to it.
    """

    mark: Mark
    at: str
    seconds: float
    message_bytes: int


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        run_id: hexadecimal.
        state: `running`, `trained`, `stopped` or `failed`.
        started: when, in ISO 8601.
        configuration: what its parties agreed on, as the very bytes that were sent.
        steps: of the whole run; 0 while unknown.
        began: whether every party has agreed to it once.
        commits: the latest checkpoints, the oldest first.
    """

    run_id: str
    state: str
    started: str
    configuration: bytes
    steps: int = 0
    began: bool = False
    commits: tuple[Commit, ...] = ()

    @property
    def step(self) -> int:
        """Training steps that are safe at every party."""
        return self.commits[-1].mark.step if self.commits else 0

    @property
    def resumable(self) -> bool:
        """Whether it can go on from where it stopped."""
        return self.began and self.state in (STOPPED, FAILED)


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
                if entry.state == RUNNING:  # its process was killed: whoever holds the lock is the only one alive
                    self.end(bytes.fromhex(entry.run_id), STOPPED)
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

    def begin(self, run_id: bytes, configuration: bytes, started: datetime) -> RunEntry:
        """Notes a run before its first message."""
        return self._write(RunEntry(run_id.hex(), RUNNING, started.isoformat(), configuration))

    def resume(self, run_id: bytes) -> RunEntry:
        """Notes that a run goes on; what once asked it to stop is over."""
        (self.folder / run_id.hex() / STOP_FILE).unlink(missing_ok=True)
        return self._change(run_id, lambda entry: replace(entry, state=RUNNING))

    def agreed(self, run_id: bytes, steps: int) -> None:
        """Notes that every party has agreed to a run, and how long it is."""
        self._change(run_id, lambda entry: replace(entry, began=True, steps=steps))

    def commit(self, run_id: bytes, commit: Commit) -> None:
        """Notes that a checkpoint is durable at every party, in place of what was noted of later steps."""

        def change(entry: RunEntry) -> RunEntry:
            earlier = [one for one in entry.commits if one.mark.step < commit.mark.step]
            return replace(entry, commits=(*earlier, commit)[-KEPT_COMMITS:])

        self._change(run_id, change)

    def end(self, run_id: bytes, state: str) -> None:
        """Notes how a run ended."""
        self._change(run_id, lambda entry: replace(entry, state=state))

    def remove(self, run_id: bytes) -> None:
        """Forgets a run, its history with it."""
        shutil.rmtree(self.folder / run_id.hex())

    def stop_requested(self, run_id: bytes) -> bool:
        """Whether another process asked this run to stop."""
        return (self.folder / run_id.hex() / STOP_FILE).exists()

    def entry(self, run_id: bytes) -> RunEntry:
        """One run."""
        return _parse_entry(self.folder / run_id.hex() / RUN_FILE)

    def runs(self) -> list[RunEntry]:
        """All runs, the oldest first."""
        return list_runs(self.folder)

    def trained(self, run_id: str | None) -> RunEntry:
        """A finished run by the beginning of its run_id; the latest where None.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        finished = [one for one in self.runs() if one.state == TRAINED]
        return _the_one(finished, run_id, self.folder, "finished run", "--run", "train first")

    def resumable(self, run_id: str | None) -> RunEntry:
        """A run that can go on, by the beginning of its run_id; the latest where None.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        stopped = [one for one in self.runs() if one.resumable]
        return _the_one(stopped, run_id, self.folder, "run that could go on", "--resume", "see `coordinator status`")

    def _read_lease(self) -> bytes:
        path = self.folder / LEASE_FILE
        if not path.exists():
            write_atomically(path, secrets.token_bytes(LEASE_BYTES))
        lease = read_private(path)
        if len(lease) != LEASE_BYTES:
            raise StorageError("lease is damaged", where=str(path), fix="delete the file")
        return lease

    def _change(self, run_id: bytes, change: Callable[[RunEntry], RunEntry]) -> RunEntry:
        return self._write(change(self.entry(run_id)))

    def _write(self, entry: RunEntry) -> RunEntry:
        content = {
            "run_id": entry.run_id,
            "state": entry.state,
            "started": entry.started,
            "steps": entry.steps,
            "began": entry.began,
            "commits": [
                {
                    "step": one.mark.step,
                    "lineage": one.mark.lineage.hex(),
                    "at": one.at,
                    "seconds": one.seconds,
                    "message_bytes": one.message_bytes,
                }
                for one in entry.commits
            ],
            "configuration": entry.configuration.decode(),
        }
        write_atomically(self.run_folder(entry.run_id) / RUN_FILE, json.dumps(content, indent=2).encode())
        return entry


def list_runs(folder: Path) -> list[RunEntry]:
    """All runs that a folder remembers, the oldest first."""
    return sorted((_parse_entry(path) for path in folder.glob(f"*/{RUN_FILE}")), key=lambda entry: entry.started)


def find_run(folder: Path, run_id: str) -> RunEntry:
    """A run by the beginning of its run_id.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    return _the_one(list_runs(folder), run_id, folder, "run", "RUN_ID", "see `coordinator status`")


def request_stop(folder: Path, run_id: str) -> None:
    """Asks the process that drives a run to stop it in order."""
    write_atomically(folder / run_id / STOP_FILE, b"")


def is_locked(folder: Path) -> bool:
    """Whether a coordinator process works with a folder."""
    with contextlib.suppress(FileNotFoundError), (folder / LOCK_FILE).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _the_one(entries: list[RunEntry], run_id: str | None, folder: Path, what: str, option: str, fix: str) -> RunEntry:
    found = [one for one in entries if one.run_id.startswith(run_id or "")]
    if not found or (run_id is not None and len(found) > 1):
        told = f"more than one {what} begins like this" if found else f"no {what}"
        raise ConfigurationError(told, where=f"{folder}: {option} {run_id or '(latest)'}", fix=fix)
    return found[-1]


def _parse_entry(path: Path) -> RunEntry:
    try:
        content = json.loads(read_private(path))
        commits = tuple(
            Commit(
                Mark(int(one["step"]), bytes.fromhex(one["lineage"])),
                str(one["at"]),
                float(one["seconds"]),
                int(one["message_bytes"]),
            )
            for one in content["commits"]
        )
        return RunEntry(
            content["run_id"],
            content["state"],
            content["started"],
            str(content["configuration"]).encode(),
            int(content["steps"]),
            bool(content["began"]),
            commits,
        )
    except (ValueError, KeyError, TypeError):
        raise StorageError("journal entry is damaged", where=str(path)) from None
