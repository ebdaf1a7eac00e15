"""The records of runs at a party: their agreement, secret and models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from party.configuration.layout import BaseLayout, FuseLayout
from party.configuration.strict import StrictModel
from party.errors import SessionError, StorageError
from party.security.files import private_folder, read_private, write_atomically

RECORD_FILE = "record.json"
ENCODERS_FILE = "encoders.json"


class RunRecord(StrictModel):
    """The record of one run at a party.

    Attributes:
        run_id: id of the run, hexadecimal.
        coordinator: certificate name of the coordinator that began the run and that owns it.
        configuration_sha256: digest of the run configuration that the run is bound to, hexadecimal.
        parties: names of all parties, ascending.
        secret: 32 bytes, hexadecimal, from which weights and dropout derive; never leaves the party.
        row_key: 32 bytes, hexadecimal, from which the order of rows derives; the same at every party.
        state: `started`, or `trained` once the model is saved.
        lineage: digest of the history that led to the saved weights, hexadecimal.
        steps: number of training steps that led to the saved weights.
        fingerprint: what the run depends on here besides the run configuration.
        continues: id of the finished run whose weights it began with, hexadecimal; empty without one.
        draws: identifies the draws of private labels that the run learns from, hexadecimal; empty without any.
        base: layout of the base model, if there is one.
        fuse: layout of the fuse model, at the label party.
        absent_trained: feature parties, ascending, that training had absent or dropped rows of, so that their learned
            vectors stand for them; at the label party.
    """

    run_id: str
    coordinator: str
    configuration_sha256: str
    parties: tuple[str, ...] = Field(strict=False)
    secret: str = Field(repr=False)
    row_key: str = Field(repr=False)
    state: Literal["started", "trained"]
    lineage: str = ""
    steps: int = Field(default=0, ge=0)
    fingerprint: dict[str, str] = Field(default={})
    continues: str = ""
    draws: str = ""
    base: BaseLayout | None = None
    fuse: FuseLayout | None = None
    absent_trained: tuple[str, ...] = Field(default=(), strict=False)


class RunRecords:
    """The folder that holds one folder per run.

    Args:
        folder: path of the folder; created if absent.
        party: name of this party, for errors.

    Raises:
        StorageError: the folder cannot be used.
    """

    def __init__(self, folder: Path, party: str) -> None:
        self._folder = private_folder(folder)
        self._party = party

    def folder(self, run_id: bytes) -> Path:
        """Path of a run's folder, whether it exists or not."""
        return self._folder / run_id.hex()

    def find(self, run_id: bytes) -> RunRecord | None:
        """Finds the record of a run that began earlier.

        Args:
            run_id: id of the run, 16 bytes.

        Returns:
            The record; None if the run is new.

        Raises:
            StorageError: the record is damaged.
        """
        path = self.folder(run_id) / RECORD_FILE
        return self._read(path) if path.exists() else None

    def require_agreement(self, record: RunRecord, configuration_sha256: bytes, parties: tuple[str, ...]) -> None:
        """Refuses a run whose configuration or parties differ from those that it was made with.

        Args:
            record: record of the run.
            configuration_sha256: SHA-256 of the run configuration that came with the call.
            parties: parties of the run.

        Raises:
            SessionError: the configuration or the parties differ.
        """
        if record.configuration_sha256 != configuration_sha256.hex() or record.parties != parties:
            raise SessionError(
                "the run was made with another configuration or other parties",
                where=f"{self._party}: run {record.run_id[:8]}",
                fix="resume it with the configuration that it began with, or begin a new run",
            )

    def save(self, record: RunRecord) -> None:
        """Writes a record, replacing its former version if there is one."""
        private_folder(self._folder / record.run_id)
        # Not sorted: the order of labels is that of the outputs of the model.
        content = json.dumps(record.model_dump(mode="json"), indent=2)
        write_atomically(self._folder / record.run_id / RECORD_FILE, content.encode())

    def all(self) -> list[RunRecord]:
        """The records of all runs, the one that changed last at the end."""
        paths = sorted(self._folder.glob(f"*/{RECORD_FILE}"), key=lambda path: path.stat().st_mtime_ns)
        return [self._read(path) for path in paths]

    def find_trained(self, run_id: str | None) -> RunRecord:
        """Finds a finished run by the beginning of its run_id, or the one that finished last.

        Args:
            run_id: id of the run, hexadecimal, possibly shortened; None for the latest run.

        Returns:
            The record.

        Raises:
            SessionError: no finished run, or more than one, has this run_id.
        """
        found = [one for one in self.all() if one.state == "trained" and one.run_id.startswith(run_id or "")]
        if not found or (run_id is not None and len(found) > 1):
            raise SessionError(
                "no finished run has this run_id" if not found else "more than one finished run begins like this",
                where=f"{self._party}: run {run_id or '(latest)'}",
                fix="see `party runs`",
            )
        return found[-1]

    def find_begun(self, run_id: str) -> RunRecord:
        """Finds a run, finished or not, by the beginning of its run_id.

        Args:
            run_id: id of the run, hexadecimal, possibly shortened.

        Returns:
            The record.

        Raises:
            SessionError: no run, or more than one, has this run_id.
        """
        found = [one for one in self.all() if one.run_id.startswith(run_id)]
        if len(found) != 1:
            what = "more than one run begins like this" if found else "no run has this run_id"
            raise SessionError(what, where=f"{self._party}: run {run_id}", fix="see `party runs`")
        return found[0]

    def _read(self, path: Path) -> RunRecord:
        try:
            return RunRecord.model_validate_json(read_private(path))
        except ValidationError:
            raise StorageError(
                "run record is damaged", where=path, public_message="the record of the run is damaged"
            ) from None
