"""`coordinator status`: parties and runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import PartyConnection, close_connections, open_connections
from coordinator.journal import TRAINED, RunEntry, list_runs
from party.errors import SplitError
from party.pb.handshake_pb2 import Role


def print_status(path: Path, write: Callable[[str], object]) -> None:
    """Asks every party for its state; lists the runs of the output folder.

    Args:
        path: the run's YAML file.
        write: takes a line.

    Raises:
        SplitError: the configuration cannot be used; a party that cannot be reached is only shown.
    """
    configuration = load_coordinator_configuration(path)
    connections = open_connections(configuration)
    try:
        for connection in connections.values():
            write(_party_line(connection))
    finally:
        close_connections(connections)
    folder = configuration.path(configuration.output)
    runs = list_runs(folder) if folder.exists() else []
    write(f"{len(runs)} runs in {folder}")
    for entry in runs:
        write(f"  {entry.run_id}  {entry.state:<8} {_progress(entry):<28} started {entry.started}{_last_commit(entry)}")


def _progress(entry: RunEntry) -> str:
    if not entry.began:
        return "never began"
    if entry.state == TRAINED:
        return f"{entry.steps:,} steps"
    return f"safe: step {entry.step:,} of {entry.steps:,}"


def _last_commit(entry: RunEntry) -> str:
    return f", last commit {entry.commits[-1].at}" if entry.commits else ""


def _party_line(connection: PartyConnection) -> str:
    try:
        described = connection.reach(0.0)
    except SplitError as error:
        return f"{connection.name:<12} {error}"
    role = "label party" if described.role == Role.ROLE_LABEL else "feature party"
    datasets = ", ".join(f"{one.dataset} {one.rows:,} rows" for one in described.datasets)
    state = described.state
    if described.run_id:
        state = f"run {described.run_id.hex()[:8]} {state}, step {described.step:,}"
    return f"{connection.name:<12} {role:<14} version {described.code_version:<8} {state:<28} {datasets}"
