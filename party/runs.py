"""`party runs` and `party remove`: the files that a party has of its runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from party.audit.recording import FOLDER as RECEIVED_FOLDER
from party.audit.recording import SENT_FOLDER
from party.configuration.party import load_party_configuration
from party.errors import SessionError, one_line
from party.ledger.file import RUNS_FOLDER
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.records import RunRecords

MEGABYTE = 1_000_000


def run_lines(path: Path) -> Iterator[str]:
    """Lists the runs, with their state, the size of their files and their checkpoints.

    Args:
        path: the party's YAML file.

    Yields:
        A line for each run.
    """
    party, records = _records(path)
    for record in records.all():
        folder = records.folder(bytes.fromhex(record.run_id))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        steps = [str(mark.step) for mark in CheckpointFiles(folder, party).prepared()]
        checkpoints = f"checkpoints of steps {', '.join(steps)}" if steps else "no checkpoints"
        yield one_line(f"{record.run_id}  {record.state:<8} {size / MEGABYTE:,.1f} MB  {checkpoints}")


def remove_run(path: Path, run_id: str) -> str:
    """Removes the folder of a run.

    Args:
        path: the party's YAML file.
        run_id: hexadecimal, possibly shortened.

    Returns:
        A line for a person.

    Raises:
        SessionError: no run, or more than one, has this run_id.
    """
    _, records = _records(path)
    record = records.find_begun(run_id)
    shutil.rmtree(records.folder(bytes.fromhex(record.run_id)))
    return f"run {record.run_id} is removed: it can neither go on nor predict any more"


def remove_recording(path: Path, run_id: str) -> str:
    """Removes what was recorded of a finished run; its model stays.

    Args:
        path: the party's YAML file.
        run_id: hexadecimal, possibly shortened.

    Returns:
        A line for a person.

    Raises:
        SessionError: no run, or more than one, has this run_id; or it did not finish, or nothing was recorded of it.
    """
    party, records = _records(path)
    record = records.find_begun(run_id)
    where, folder = f"{party}: run {record.run_id[:8]}", records.folder(bytes.fromhex(record.run_id))
    if record.state != "trained":
        fix = "resume it first, or remove the whole run"
        raise SessionError("the run did not finish: what it would record next is no use alone", where=where, fix=fix)
    recorded = [folder / name for name in (RECEIVED_FOLDER, SENT_FOLDER) if (folder / name).exists()]
    if not recorded:
        raise SessionError("nothing was recorded of the run", where=where)
    for one in recorded:
        shutil.rmtree(one)
    return f"the recording of run {record.run_id} is removed: its model stays, and no audit can be made any more"


def _records(path: Path) -> tuple[str, RunRecords]:
    configuration = load_party_configuration(path)
    return configuration.party, RunRecords(configuration.path(configuration.state) / RUNS_FOLDER, configuration.party)
