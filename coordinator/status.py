"""The command `coordinator status`, which shows parties and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
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
        SplitError: the configuration is unusable; or, once all is printed, a party does not answer as it should.
    """
    configuration = load_coordinator_configuration(path)
    clients = open_clients(configuration)
    failed: dict[str, SplitError] = {}
    try:
        for client in clients.values():
            try:
                write(_party_line(client))
            except SplitError as error:
                failed[client.name] = error
                write(f"{client.name:<12} {error}")
    finally:
        close_clients(clients)
    _print_runs(configuration, write)
    if failed:
        raise _summary(failed, len(clients))


def _print_runs(configuration: CoordinatorConfiguration, write: Callable[[str], object]) -> None:
    folder = configuration.path(configuration.output)
    runs = list_runs(folder) if folder.exists() else []
    write(f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} in {folder}")
    for entry in runs:
        line = f"{entry.run_id}  {entry.state:<8} {_progress(entry):<38} started {entry.started}{_last_commit(entry)}"
        write(f"  {one_line(line)}")


def _summary(failed: Mapping[str, SplitError], parties: int) -> SplitError:
    """The error of a status in which parties failed: of the class of the first."""
    kind = type(next(iter(failed.values())))
    names = ", ".join(failed)
    return kind(f"{len(failed)} of {parties} parties do not answer as they should: {names}", fix="see the lines above")


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
    described = client.reach(0.0)
    role = "label party" if described.role == Role.ROLE_LABEL else "feature party"
    datasets = ", ".join(f"{printable(one.dataset)} {one.rows:,} rows" for one in described.datasets)
    state, version = printable(described.state), printable(described.code_version)
    if described.run_id:
        state = f"run {described.run_id.hex()[:8]} {state}, step {described.step:,}"
    return f"{client.name:<12} {role:<14} version {version:<8} {state:<28} {datasets}"
