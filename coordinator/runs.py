"""Stops or deletes a run from outside the process that drives it."""

from __future__ import annotations

import time
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.journal import RUNNING, Journal, find_run, is_locked, request_stop
from party.errors import SessionError

POLL_SECONDS = 0.2


def stop_run(path: Path, run_id: str) -> str:
    """Asks the process that drives a run to stop it after a checkpoint, and waits until it has.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.

    Returns:
        The result as a line to print.

    Raises:
        ConfigurationError: no run, or more than one, has this run_id.
        SessionError: no process drives it.
    """
    configuration = load_coordinator_configuration(path)
    folder = configuration.path(configuration.output)
    entry = find_run(folder, run_id)
    if entry.state != RUNNING or not is_locked(folder):
        raise SessionError(
            "no process drives this run", where=f"run {entry.run_id[:8]}", fix="see `coordinator status`"
        )
    request_stop(folder, entry.run_id)
    while entry.state == RUNNING and is_locked(folder):
        time.sleep(POLL_SECONDS)
        entry = find_run(folder, entry.run_id)
    step = f"step {entry.step:,} of {entry.steps:,}"
    return f"run {entry.run_id[:8]} is {entry.state}; {step} is checkpointed at every party"


def remove_run(path: Path, run_id: str) -> str:
    """Deletes a run from the output folder.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.

    Returns:
        The result as a line to print.

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
    return f"run {entry.run_id[:8]} was deleted here; run `party remove` at each party to free its disk space"
