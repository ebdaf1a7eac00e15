"""`party runs` and `party remove`: the files that a party has of its runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from party.audit.recording import FOLDER as RECEIVED_FOLDER
from party.audit.recording import SENT_FOLDER
from party.configuration.party import load_party_configuration
from party.errors import SessionError
from party.ledger.file import RUNS_FOLDER
from party.output.quantities import bytes_text, count_text
from party.output.tables import PrintedTable, numbered, worded
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.records import RunRecords

NO_CHECKPOINTS = "none"
RECORDINGS = (RECEIVED_FOLDER, SENT_FOLDER)


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """A run that a party has files of.

    Attributes:
        run_id: hexadecimal.
        state: `started`, or `trained` once the model is saved.
        coordinator: name of the coordinator that began it.
        size_bytes: size of all of its files.
        checkpoint_steps: steps of its checkpoints, ascending.
        is_recorded: whether messages are recorded for an audit.
    """

    run_id: str
    state: str
    coordinator: str
    size_bytes: int
    checkpoint_steps: tuple[int, ...]
    is_recorded: bool


@dataclass(frozen=True)
class SavedRuns:
    """The runs that a party has files of.

    Attributes:
        party: name of the party.
        runs: the one that changed last at the end.
    """

    party: str
    runs: tuple[SavedRun, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a table, or one line if there is no run."""
        if not self.runs:
            yield f"party {self.party} has no runs"
            return
        titles = (
            *worded("run", "state", "coordinator"),
            *numbered("size"),
            *worded("checkpoints at step", "recorded"),
        )
        rows = tuple(
            (
                one.run_id,
                one.state,
                one.coordinator,
                bytes_text(one.size_bytes),
                ", ".join(map(count_text, one.checkpoint_steps)) or NO_CHECKPOINTS,
                "yes" if one.is_recorded else "no",
            )
            for one in self.runs
        )
        yield from PrintedTable(columns=titles, rows=rows).lines(columns)


@dataclass(frozen=True, kw_only=True)
class RemovedFromParty:
    """What was removed of a run.

    Attributes:
        run_id: hexadecimal.
        removed: all that the party kept, or what was recorded for an audit.
    """

    run_id: str
    removed: Literal["run", "recording"]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields one line."""
        if self.removed == "run":
            yield f"run {self.run_id} is removed: it can neither go on nor predict any more"
        else:
            yield f"the recording of run {self.run_id} is removed: its model stays, and no audit can be made any more"


def saved_runs(path: Path) -> SavedRuns:
    """Finds the runs, with the size of their files and their checkpoints.

    Args:
        path: the party's YAML file.
    """
    party, records = _records(path)
    found = []
    for record in records.all():
        folder = records.folder(bytes.fromhex(record.run_id))
        found.append(
            SavedRun(
                run_id=record.run_id,
                state=record.state,
                coordinator=record.coordinator,
                size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
                checkpoint_steps=tuple(mark.step for mark in CheckpointFiles(folder, party).prepared()),
                is_recorded=any((folder / name).exists() for name in RECORDINGS),
            )
        )
    return SavedRuns(party, tuple(found))


def remove_run(path: Path, run_id: str) -> RemovedFromParty:
    """Removes the folder of a run.

    Args:
        path: the party's YAML file.
        run_id: hexadecimal, possibly shortened.

    Returns:
        What was removed.

    Raises:
        SessionError: no run, or more than one, has this run_id.
    """
    _, records = _records(path)
    record = records.find_begun(run_id)
    shutil.rmtree(records.folder(bytes.fromhex(record.run_id)))
    return RemovedFromParty(run_id=record.run_id, removed="run")


def remove_recording(path: Path, run_id: str) -> RemovedFromParty:
    """Removes what was recorded of a finished run; its model stays.

    Args:
        path: the party's YAML file.
        run_id: hexadecimal, possibly shortened.

    Returns:
        What was removed.

    Raises:
        SessionError: no run, or more than one, has this run_id; or it did not finish, or nothing was recorded of it.
    """
    party, records = _records(path)
    record = records.find_begun(run_id)
    where, folder = f"{party}: run {record.run_id[:8]}", records.folder(bytes.fromhex(record.run_id))
    if record.state != "trained":
        fix = "resume it first, or remove the whole run"
        raise SessionError("the run did not finish: what it would record next is no use alone", where=where, fix=fix)
    recorded = [folder / name for name in RECORDINGS if (folder / name).exists()]
    if not recorded:
        raise SessionError("nothing was recorded of the run", where=where)
    for one in recorded:
        shutil.rmtree(one)
    return RemovedFromParty(run_id=record.run_id, removed="recording")


def _records(path: Path) -> tuple[str, RunRecords]:
    configuration = load_party_configuration(path)
    return configuration.party, RunRecords(configuration.path(configuration.state) / RUNS_FOLDER, configuration.party)
