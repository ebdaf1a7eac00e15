"""Stops or deletes a run from outside the process that drives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.journal import RUNNING, Journal, find_run, is_locked, request_stop
from party.errors import SessionError
from party.output.quantities import count_text

POLL_SECONDS = 0.2
SHORT_RUN_ID = 8


@dataclass(frozen=True, kw_only=True)
class StoppedRun:
    """A run that was asked to stop, once it has ended.

    Attributes:
        run_id: in hexadecimal.
        state: that it ended in, such as `stopped`.
        step: number of training steps in the latest checkpoint of all parties.
        steps: number of steps of the whole run.
    """

    run_id: str
    state: str
    step: int
    steps: int

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the line that `coordinator stop` prints."""
        step = f"step {count_text(self.step)} of {count_text(self.steps)}"
        yield f"run {self.run_id[:SHORT_RUN_ID]} is {self.state}; {step} is checkpointed at every party"


@dataclass(frozen=True, kw_only=True)
class RemovedRun:
    """A run that was deleted.

    Attributes:
        run_id: in hexadecimal.
        folder: of the run, which is gone.
    """

    run_id: str
    folder: Path

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the line that `coordinator remove` prints."""
        short = self.run_id[:SHORT_RUN_ID]
        yield f"run {short} was deleted here; run `party remove` at each party to free its disk space"


def stop_run(path: Path, run_id: str) -> StoppedRun:
    """Asks the process that drives a run to stop it after a checkpoint, and waits until it has.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.

    Returns:
        The run as it ended.

    Raises:
        ConfigurationError: no run, or more than one, has this run_id.
        SessionError: no process drives it.
    """
    configuration = load_coordinator_configuration(path)
    folder = configuration.path(configuration.output)
    entry = find_run(folder, run_id)
    if entry.state != RUNNING or not is_locked(folder):
        raise SessionError(
            "no process drives this run", where=f"run {entry.run_id[:SHORT_RUN_ID]}", fix="see `coordinator status`"
        )
    request_stop(folder, entry.run_id)
    while entry.state == RUNNING and is_locked(folder):
        time.sleep(POLL_SECONDS)
        entry = find_run(folder, entry.run_id)
    return StoppedRun(run_id=entry.run_id, state=entry.state, step=entry.step, steps=entry.steps)


def remove_run(path: Path, run_id: str) -> RemovedRun:
    """Deletes a run from the output folder.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.

    Returns:
        What was deleted.

    Raises:
        ConfigurationError: no run, or more than one, has this run_id.
        SessionError: a coordinator process is using the folder.
    """
    configuration = load_coordinator_configuration(path)
    journal = Journal(configuration.path(configuration.output))
    try:
        entry = find_run(journal.folder, run_id)
        journal.remove(bytes.fromhex(entry.run_id))
    finally:
        journal.close()
    return RemovedRun(run_id=entry.run_id, folder=journal.folder / entry.run_id)
