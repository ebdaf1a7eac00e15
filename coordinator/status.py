"""The state of every party, and the runs of a coordinator, as `coordinator status` tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
from coordinator.connection import close_clients, open_clients
from coordinator.journal import TRAINED, RunEntry, list_runs
from coordinator.party_client import PartyClient
from party.errors import SplitError, one_line
from party.output.quantities import count_text, counted, day_text
from party.output.tables import PrintedTable, worded
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Role
from party.security.printable import printable

SHORT_RUN_ID = 8
NOTHING = "-"
FAILED = "does not answer as it should"
_PARTY_COLUMNS = worded("party", "role", "version", "state", "rows")
_RUN_COLUMNS = worded("run", "state", "progress", "started, last commit (UTC)")


@dataclass(frozen=True)
class HeldDataset:
    """A dataset of a party.

    Attributes:
        dataset: its name.
        rows: number of rows.
    """

    dataset: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class PartyState:
    """What a party says of itself, or why it is not known.

    Attributes:
        party: its name.
        address: host and port that the coordinator calls.
        role: `label_party` or `feature_party`; None if it does not answer as it should.
        version: of its software; None likewise.
        state: of its session, such as `idle`; None likewise.
        run_id: of the run whose session is open, in hexadecimal; None without one.
        step: number of training steps of that run that are done; None without one.
        datasets: with their rows.
        problem: why it does not answer as it should; None if it does.
        exit_code: of that problem; 0 without one.
    """

    party: str
    address: str
    role: str | None = None
    version: str | None = None
    state: str | None = None
    run_id: str | None = None
    step: int | None = None
    datasets: tuple[HeldDataset, ...] = ()
    problem: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run in the output folder.

    Attributes:
        run_id: in hexadecimal.
        state: `running`, `trained`, `stopped` or `failed`.
        began: whether every party has agreed to it.
        step: number of training steps in the latest checkpoint of all parties.
        steps: number of steps of the whole run; 0 while unknown.
        started: time of the start, ISO 8601.
        last_commit: time of the latest checkpoint, ISO 8601; None without one.
        continues: run_id of the finished run whose weights it began with; None without one.
        is_resumable: whether it can be resumed.
    """

    run_id: str
    state: str
    began: bool
    step: int
    steps: int
    started: str
    last_commit: str | None
    continues: str | None
    is_resumable: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """What `coordinator status` tells.

    Attributes:
        coordinator: its name.
        parties: in the order of the file.
        folder: the output folder.
        runs: in that folder, oldest first.
    """

    coordinator: str
    parties: tuple[PartyState, ...]
    folder: Path
    runs: tuple[RunState, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a table of the parties, what is wrong with them, and a table of the runs.

        Args:
            columns: of the terminal; None for a pipe.
        """
        yield from PrintedTable(columns=_PARTY_COLUMNS, rows=tuple(map(_party_row, self.parties))).lines(columns)
        for one in self.parties:
            if one.problem is not None:
                yield one.problem if one.party in one.problem else f"{one.party}: {one.problem}"
        yield ""
        yield f"{counted(len(self.runs), 'run')} in {one_line(str(self.folder))}"
        if self.runs:
            yield from PrintedTable(columns=_RUN_COLUMNS, rows=tuple(map(_run_row, self.runs))).lines(columns)


def read_status(path: Path) -> tuple[Status, SplitError | None]:
    """Asks every party, and reads the output folder.

    Args:
        path: the run's YAML file.

    Returns:
        The status; and the error of parties that do not answer as they should, None without one.

    Raises:
        SplitError: the configuration or the folder is unusable.
    """
    configuration = load_coordinator_configuration(path)
    clients = open_clients(configuration)
    failed: dict[str, SplitError] = {}
    parties = []
    try:
        for client in clients.values():
            try:
                parties.append(_described(client, client.reach(0.0)))
            except SplitError as error:
                failed[client.name] = error
                parties.append(
                    PartyState(party=client.name, address=client.address, problem=str(error), exit_code=error.exit_code)
                )
    finally:
        close_clients(clients)
    folder = configuration.path(configuration.output)
    status = Status(
        coordinator=configuration.coordinator, parties=tuple(parties), folder=folder, runs=_runs(configuration)
    )
    return status, _summary(failed, len(clients))


def _runs(configuration: CoordinatorConfiguration) -> tuple[RunState, ...]:
    folder = configuration.path(configuration.output)
    return tuple(map(_run_state, list_runs(folder))) if folder.exists() else ()


def _run_state(entry: RunEntry) -> RunState:
    return RunState(
        run_id=entry.run_id,
        state=entry.state,
        began=entry.began,
        step=entry.step,
        steps=entry.steps,
        started=entry.started,
        last_commit=entry.commits[-1].at if entry.commits else None,
        continues=entry.continues or None,
        is_resumable=entry.resumable,
    )


def _described(client: PartyClient, described: pb.DescribeReply) -> PartyState:
    runs = bool(described.run_id)
    return PartyState(
        party=client.name,
        address=client.address,
        role="label_party" if described.role == Role.ROLE_LABEL else "feature_party",
        version=printable(described.code_version),
        state=printable(described.state),
        run_id=described.run_id.hex() if runs else None,
        step=described.step if runs else None,
        datasets=tuple(HeldDataset(printable(one.dataset), one.rows) for one in described.datasets),
    )


def _summary(failed: dict[str, SplitError], parties: int) -> SplitError | None:
    """The error of a status in which parties failed: of the class of the first."""
    if not failed:
        return None
    kind = type(next(iter(failed.values())))
    names = ", ".join(failed)
    return kind(f"{len(failed)} of {parties} parties do not answer as they should: {names}", fix="see the lines above")


def _party_row(one: PartyState) -> tuple[str, ...]:
    if one.problem is not None:
        return (one.party, NOTHING, NOTHING, FAILED, NOTHING)
    state = str(one.state)
    if one.run_id is not None:
        state = f"run {one.run_id[:SHORT_RUN_ID]} {state}, step {count_text(one.step or 0)}"
    rows = ", ".join(f"{held.dataset} {count_text(held.rows)}" for held in one.datasets)
    return (one.party, str(one.role).replace("_", " "), str(one.version), state, rows)


def _run_row(run: RunState) -> tuple[str, ...]:
    return (run.run_id, run.state, _progress(run), _times(run))


def _progress(run: RunState) -> str:
    if not run.began:
        progress = "not started"
    elif run.state == TRAINED:
        progress = counted(run.steps, "step")
    else:
        progress = f"step {count_text(run.step)} of {count_text(run.steps)}"
    return f"{progress}, continues {run.continues[:SHORT_RUN_ID]}" if run.continues else progress


def _times(run: RunState) -> str:
    """Start and latest checkpoint; the day stands once if it is the same."""
    started = datetime.fromisoformat(run.started).astimezone(UTC)
    text = f"{day_text(started)} {started:%H:%M}"
    if run.last_commit is None:
        return text
    committed = datetime.fromisoformat(run.last_commit).astimezone(UTC)
    day = "" if day_text(committed) == day_text(started) else f"{day_text(committed)} "
    return f"{text}, {day}{committed:%H:%M}"
