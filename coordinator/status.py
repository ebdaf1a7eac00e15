"""The command `coordinator status`, which shows parties and runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import close_clients, open_clients
from coordinator.journal import TRAINED, RunEntry, list_runs
from coordinator.party_client import PartyClient
from party.errors import SplitError, one_line
from party.pb.handshake_pb2 import Role
from party.security.printable import printable


def print_status(path: Path, write: Callable[[str], object]) -> None:
    """Prints the state of every party, and the runs in the output folder.

    Args:
        path: the run's YAML file.
        write: called with each line.

    Raises:
        SplitError: the configuration is unusable. An unreachable party is shown as such, without an error.
    """
    configuration = load_coordinator_configuration(path)
    clients = open_clients(configuration)
    try:
        for client in clients.values():
            write(_party_line(client))
    finally:
        close_clients(clients)
    folder = configuration.path(configuration.output)
    runs = list_runs(folder) if folder.exists() else []
    write(f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} in {folder}")
    for entry in runs:
        line = f"{entry.run_id}  {entry.state:<8} {_progress(entry):<38} started {entry.started}{_last_commit(entry)}"
        write(f"  {one_line(line)}")


def _progress(entry: RunEntry) -> str:
    continues = f", continues {entry.continues[:8]}" if entry.continues else ""
    if not entry.began:
        return f"not started{continues}"
    if entry.state == TRAINED:
        return f"{entry.steps:,} steps{continues}"
    return f"last checkpoint: step {entry.step:,} of {entry.steps:,}{continues}"


def _last_commit(entry: RunEntry) -> str:
    return f", last commit {entry.commits[-1].at}" if entry.commits else ""


def _party_line(client: PartyClient) -> str:
    try:
        described = client.reach(0.0)
    except SplitError as error:
        return f"{client.name:<12} {error}"
    role = "label party" if described.role == Role.ROLE_LABEL else "feature party"
    datasets = ", ".join(f"{printable(one.dataset)} {one.rows:,} rows" for one in described.datasets)
    state, version = printable(described.state), printable(described.code_version)
    if described.run_id:
        state = f"run {described.run_id.hex()[:8]} {state}, step {described.step:,}"
    return f"{client.name:<12} {role:<14} version {version:<8} {state:<28} {datasets}"
