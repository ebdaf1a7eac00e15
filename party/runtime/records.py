"""What a party keeps of every run: its agreement, its secret, its model."""

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
    """One run as a party remembers it.

    Attributes:
        run_id: hexadecimal.
        configuration_sha256: digest of the run configuration that the run is bound to, hexadecimal.
        parties: names of all parties, ascending.
        secret: 32 bytes, hexadecimal, that weights and dropout derive from; never leaves the party.
        state: `started`, or `trained` once the model is saved.
        lineage: hexadecimal digest of what the saved weights came from.
        fingerprint: what the run depends on here besides the run configuration.
        restores: how many times the run went on from a checkpoint, or began anew.
        base: layout of the base model, where there is one.
        fuse: layout of the fuse model, at the label party.
    """

    run_id: str
    configuration_sha256: str
    parties: tuple[str, ...] = Field(strict=False)
    secret: str = Field(repr=False)
    state: Literal["started", "trained"]
    lineage: str = ""
    fingerprint: dict[str, str] = Field(default={})
    restores: int = Field(default=0, ge=0)
    base: BaseLayout | None = None
    fuse: FuseLayout | None = None


class RunRecords:
    """The folder with one folder per run.

    Args:
        folder: created where absent.
        party: own name, for errors.

    Raises:
        StorageError: the folder cannot be used.
    """

    def __init__(self, folder: Path, party: str) -> None:
        self._folder = private_folder(folder)
        self._party = party

    def folder(self, run_id: bytes) -> Path:
        """The folder of a run, whether it exists or not."""
        return self._folder / run_id.hex()

    def find(self, run_id: bytes, configuration_sha256: bytes, parties: tuple[str, ...]) -> RunRecord | None:
        """The record of a run that began earlier, which must be the one that is asked for.

        Args:
            run_id: 16 bytes.
            configuration_sha256: of the run configuration that came with the call.
            parties: of the session.

        Returns:
            The record; None where the run is new.

        Raises:
            SessionError: a run of this name was another agreement.
            StorageError: the record is damaged.
        """
        path = self.folder(run_id) / RECORD_FILE
        if not path.exists():
            return None
        record = self._read(path)
        if record.configuration_sha256 != configuration_sha256.hex() or record.parties != parties:
            raise SessionError(
                "the run was made with another configuration or other parties",
                where=f"{self._party}: run {run_id.hex()[:8]}",
                fix="resume it with the configuration that it began with, or begin a new run",
            )
        return record

    def save(self, record: RunRecord) -> None:
        """Writes a record over its former state, if there is one."""
        private_folder(self._folder / record.run_id)
        content = json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True)
        write_atomically(self._folder / record.run_id / RECORD_FILE, content.encode())

    def all(self) -> list[RunRecord]:
        """Every run that something is kept of, the one that changed last at the end."""
        paths = sorted(self._folder.glob(f"*/{RECORD_FILE}"), key=lambda path: path.stat().st_mtime_ns)
        return [self._read(path) for path in paths]

    def find_trained(self, run_id: str | None) -> RunRecord:
        """A finished run by the beginning of its run_id, or the one that finished last.

        Args:
            run_id: hexadecimal, possibly shortened; None for the latest.

        Returns:
            The record.

        Raises:
            SessionError: no finished run, or more than one, has that run_id.
        """
        found = [one for one in self.all() if one.state == "trained" and one.run_id.startswith(run_id or "")]
        if not found or (run_id is not None and len(found) > 1):
            raise SessionError(
                "no finished run has this run_id" if not found else "more than one finished run begins like this",
                where=f"{self._party}: run {run_id or '(latest)'}",
                fix="see the output of `coordinator train`",
            )
        return found[-1]

    def trained(self, run_id: bytes, configuration_sha256: bytes, parties: tuple[str, ...]) -> RunRecord:
        """The record of a finished training run, which must be the one that is asked for.

        Args:
            run_id: 16 bytes.
            configuration_sha256: of the run configuration that came with the call.
            parties: of the session.

        Returns:
            The record.

        Raises:
            SessionError: there is no such run here, it did not finish, or it was another agreement.
            StorageError: the record is damaged.
        """
        record = self.find(run_id, configuration_sha256, parties)
        where = f"{self._party}: run {run_id.hex()[:8]}"
        if record is None:
            raise SessionError("no such run here", where=where, fix="train first, or name another --run")
        if record.state != "trained":
            raise SessionError("the run did not finish training", where=where, fix="resume it, or train again")
        return record

    def _read(self, path: Path) -> RunRecord:
        try:
            return RunRecord.model_validate_json(read_private(path))
        except ValidationError:
            raise StorageError("run record is damaged", where=str(path)) from None
