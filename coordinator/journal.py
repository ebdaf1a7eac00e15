"""The output folder of a coordinator: its lease, and its runs."""

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
SAVED_COMMITS = 8

SEE_STATUS = "see `coordinator status`"

RUNNING = "running"
TRAINED = "trained"
STOPPED = "stopped"  # on request, or its process was killed
FAILED = "failed"  # by an error


@dataclass(frozen=True)
class Commit:
    """A checkpoint that is durable at every party.

    Attributes:
        mark: its step and lineage.
        at: time of the commit, in ISO 8601.
        seconds: duration of training up to it, without work that was lost.
        message_bytes: size of the messages between parties up to it.
    """

    mark: Mark
    at: str
    seconds: float
    message_bytes: int


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One run.

    Attributes:
        run_id: in hexadecimal.
        state: `running`, `trained`, `stopped` or `failed`.
        started: time of the start, in ISO 8601.
        configuration: run configuration that the parties agreed on, as the exact bytes that were sent.
        steps: number of steps of the whole run; 0 while unknown.
        began: whether every party has agreed to it at least once.
        commits: the latest checkpoints, oldest first.
        continues: run_id of the finished run whose weights it began with, in hexadecimal; empty without one.
    """

    run_id: str
    state: str
    started: str
    configuration: bytes
    steps: int = 0
    began: bool = False
    commits: tuple[Commit, ...] = ()
    continues: str = ""

    @property
    def step(self) -> int:
        """Number of training steps in the latest checkpoint of all parties."""
        return self.commits[-1].mark.step if self.commits else 0

    @property
    def resumable(self) -> bool:
        """Whether it can be resumed."""
        return self.began and self.state in (STOPPED, FAILED)


class Journal:
    """The output folder of a coordinator, locked for one process at a time.

    With the lease, a restarted coordinator proves to the parties that it may take over its own session.

    Args:
        folder: created if it does not exist.

    Raises:
        StorageError: the folder is unusable.
        SessionError: another coordinator process is using it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self._lock: int | None = None
        lock_path = self.folder / LOCK_FILE
        try:
            lock = os.open(lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot be opened: {error.strerror}", where=lock_path) from error
        self._lock = lock
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
                if entry.state == RUNNING:  # its process was killed, as this process now has the lock
                    self.end(bytes.fromhex(entry.run_id), STOPPED)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Releases the lock; does nothing if it is released already."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def run_folder(self, run_id: str) -> Path:
        """Returns the folder of a run's files; creates it if it does not exist."""
        return private_folder(self.folder / run_id)

    def begin(self, run_id: bytes, configuration: bytes, started: datetime, continues: str = "") -> RunEntry:
        """Records a new run, before its first message.

        Args:
            run_id: 16 bytes.
            configuration: run configuration, as the exact bytes to send.
            started: time of the start, with its zone.
            continues: run_id of the finished run whose weights it begins with, in hexadecimal; empty without one.

        Returns:
            The run, with the state `running`.
        """
        return self._write(
            RunEntry(
                run_id=run_id.hex(),
                state=RUNNING,
                started=started.isoformat(),
                configuration=configuration,
                continues=continues,
            )
        )

    def resume(self, run_id: bytes) -> RunEntry:
        """Records that a run is running again, and deletes an earlier request to stop it."""
        (self.folder / run_id.hex() / STOP_FILE).unlink(missing_ok=True)
        return self._change(run_id, lambda entry: replace(entry, state=RUNNING))

    def agreed(self, run_id: bytes, steps: int) -> None:
        """Records that every party has agreed to a run, and its number of steps."""
        self._change(run_id, lambda entry: replace(entry, began=True, steps=steps))

    def commit(self, run_id: bytes, commit: Commit) -> None:
        """Records a checkpoint that is durable at every party, and removes those of the same or later steps."""

        def change(entry: RunEntry) -> RunEntry:
            earlier = [one for one in entry.commits if one.mark.step < commit.mark.step]
            return replace(entry, commits=(*earlier, commit)[-SAVED_COMMITS:])

        self._change(run_id, change)

    def end(self, run_id: bytes, state: str) -> None:
        """Records the final state of a run."""
        self._change(run_id, lambda entry: replace(entry, state=state))

    def remove(self, run_id: bytes) -> None:
        """Deletes a run and its history.

        Raises:
            StorageError: the folder cannot be deleted.
        """
        folder = self.folder / run_id.hex()
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise StorageError(f"cannot be deleted: {error.strerror}", where=folder) from error

    def stop_requested(self, run_id: bytes) -> bool:
        """Returns whether another process requested this run to stop."""
        return (self.folder / run_id.hex() / STOP_FILE).exists()

    def entry(self, run_id: bytes) -> RunEntry:
        """Reads one run."""
        return _parse_entry(self.folder / run_id.hex() / RUN_FILE)

    def runs(self) -> list[RunEntry]:
        """Returns all runs, oldest first."""
        return list_runs(self.folder)

    def trained(self, run_id: str | None, option: str = "--run") -> RunEntry:
        """Returns a finished run.

        Args:
            run_id: beginning of its run_id, in hexadecimal; None for the latest run.
            option: the option that names it, for errors.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        finished = [one for one in self.runs() if one.state == TRAINED]
        fix = SEE_STATUS if finished else "train first"
        return _the_one(finished, run_id, self.folder, what="finished run", option=option, fix=fix)

    def resumable(self, run_id: str | None) -> RunEntry:
        """Returns a run that can be resumed.

        Args:
            run_id: beginning of its run_id, in hexadecimal; None for the latest run.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        stopped = [one for one in self.runs() if one.resumable]
        return _the_one(stopped, run_id, self.folder, what="resumable run", option="--resume", fix=SEE_STATUS)

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
            "continues": entry.continues,
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
    """Returns all runs in an output folder, oldest first."""
    return sorted((_parse_entry(path) for path in folder.glob(f"*/{RUN_FILE}")), key=lambda entry: entry.started)


def find_run(folder: Path, run_id: str) -> RunEntry:
    """Returns a run of an output folder.

    Args:
        folder: output folder of the coordinator.
        run_id: beginning of its run_id, in hexadecimal.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    return _the_one(list_runs(folder), run_id, folder, what="run", option="RUN_ID", fix=SEE_STATUS)


def request_stop(folder: Path, run_id: str) -> None:
    """Requests the process that drives a run to stop it after a checkpoint."""
    write_atomically(folder / run_id / STOP_FILE, b"")


def is_locked(folder: Path) -> bool:
    """Returns whether a coordinator process is using an output folder."""
    with contextlib.suppress(FileNotFoundError), (folder / LOCK_FILE).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _the_one(
    entries: list[RunEntry], run_id: str | None, folder: Path, *, what: str, option: str, fix: str
) -> RunEntry:
    found = [one for one in entries if one.run_id.startswith(run_id or "")]
    if not found or (run_id is not None and len(found) > 1):
        problem = f"more than one {what} begins like this" if found else f"no {what}"
        raise ConfigurationError(problem, where=f"{folder}: {option} {run_id or '(latest)'}", fix=fix)
    return found[-1]


def _moment(text: str) -> str:
    """The text of a point in time; raises ValueError or TypeError for any other."""
    datetime.fromisoformat(text)
    return text


def _parse_entry(path: Path) -> RunEntry:
    try:
        content = json.loads(read_private(path))
        commits = tuple(
            Commit(
                Mark(int(one["step"]), bytes.fromhex(one["lineage"])),
                _moment(one["at"]),
                float(one["seconds"]),
                int(one["message_bytes"]),
            )
            for one in content["commits"]
        )
        return RunEntry(
            run_id=content["run_id"],
            state=content["state"],
            started=_moment(content["started"]),
            configuration=str(content["configuration"]).encode(),
            steps=int(content["steps"]),
            began=bool(content["began"]),
            commits=commits,
            continues=str(content.get("continues", "")),  # runs of earlier versions have no such key
        )
    except (ValueError, KeyError, TypeError):
        raise StorageError("journal entry is damaged", where=str(path)) from None
