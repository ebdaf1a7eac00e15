"""The checkpoint files of one run: each is whole or absent, and verified by a digest."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np

from party.cut.state import State
from party.errors import CheckpointError, StorageError
from party.protocol.checkpoints import Mark
from party.runtime.table_copies import TablesCopy
from party.runtime.table_files import TableFiles
from party.runtime.table_format import TablesReference
from party.security.files import PARTIAL, private_folder, read_private, write_atomically

FOLDER = "checkpoints"
COMMITTED_FILE = "committed.json"
SUFFIX = ".checkpoint"
FILE_PATTERN = re.compile(r"(?P<step>\d{12})-(?P<lineage>[0-9a-f]{64})\.checkpoint")
HEADER = b"vsl/1 checkpoint\0"
DIGEST_BYTES = hashlib.sha256().digest_size
VALUES = "values"
TABLES = "tables"  # names no other value: those of parts of the state contain a slash


class CheckpointFiles:
    """The folder of a run's checkpoints.

    Args:
        run_folder: the run's folder; need not exist before something is written.
        party: name of this party, for errors.
    """

    def __init__(self, run_folder: Path, party: str) -> None:
        self._folder = run_folder / FOLDER
        self._party = party
        self._tables = TableFiles(self._folder, party)

    def prepared(self) -> list[Mark]:
        """The points that have a file, readable or not."""
        matches = [FILE_PATTERN.fullmatch(path.name) for path in self._folder.glob(f"*{SUFFIX}")]
        return sorted(Mark(int(one["step"]), bytes.fromhex(one["lineage"])) for one in matches if one is not None)

    def committed(self) -> list[Mark]:
        """The points that all parties committed, the oldest first; empty if the list cannot be read."""
        path = self._folder / COMMITTED_FILE
        if not path.exists():
            return []
        try:
            return [Mark(int(step), bytes.fromhex(lineage)) for step, lineage in json.loads(read_private(path))]
        except (ValueError, TypeError, StorageError):
            # The list only decides what may be dropped: without it, everything is retained.
            return []

    def write(self, mark: Mark, state: State) -> int:
        """Writes a state durably.

        Args:
            mark: the point of the state.
            state: the state.

        Returns:
            Size of the file in bytes.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        private_folder(self._folder)
        content = pack_state(state)
        write_atomically(self._path(mark), content)
        return len(content)

    def write_tables(self, mark: Mark, state: State, copy: TablesCopy) -> tuple[State, TablesReference]:
        """Writes the large tables of a state durably, before the state itself.

        Args:
            mark: the point of the state.
            state: the state without its tables.
            copy: its tables.

        Returns:
            The state that names the file, for `write`, and the name of the file.

        Raises:
            CheckpointError: the file that the copy builds on is missing, damaged or another one.
            StorageError: the disk is full, or the folder cannot be written.
        """
        reference = self._tables.write(mark, copy)
        return State({**state.values, TABLES: reference.digest.hex()}, state.arrays), reference

    def base_of(self, mark: Mark) -> TablesReference | None:
        """The file of whole tables that a checkpoint depends on; None if it has no large tables.

        Raises:
            CheckpointError: its file of tables cannot be read.
        """
        return self._tables.base_of(mark)

    def read(self, mark: Mark) -> State:
        """Reads the state of a point, with its large tables as a whole.

        Raises:
            CheckpointError: one of its files is missing, damaged or another one.
        """
        state = self._read(mark)
        if TABLES not in state.values:
            return state
        values = dict(state.values)
        reference = TablesReference(mark, bytes.fromhex(values.pop(TABLES)))
        return State(values, state.arrays, self._tables.read(reference))

    def _read(self, mark: Mark) -> State:
        path = self._path(mark)
        place = f"checkpoint of step {mark.step}"
        where = f"{self._party}: {place}"
        fix = "the coordinator goes back to the one before it"
        if not path.exists():
            raise CheckpointError("is missing", where=where, fix=fix)
        try:
            return unpack_state(read_private(path))
        except ValueError as error:
            raise CheckpointError(f"is damaged: {error}", where=where, fix=fix) from None
        except StorageError as error:
            public_message = f"{place}: cannot be read: {error.public_message}; {fix}"
            raise CheckpointError(
                f"cannot be read: {error}", where=where, fix=fix, public_message=public_message
            ) from error

    def note_committed(self, marks: list[Mark]) -> None:
        """Writes the list of points that all parties committed.

        Args:
            marks: the points, the oldest first.
        """
        content = json.dumps([[mark.step, mark.lineage.hex()] for mark in marks])
        write_atomically(self._folder / COMMITTED_FILE, content.encode())

    def drop(self, marks: tuple[Mark, ...]) -> None:
        """Removes checkpoints, and the tables that none needs any more; what cannot be removed only takes up space."""
        for mark in marks:
            with contextlib.suppress(OSError):
                self._path(mark).unlink(missing_ok=True)
        self._drop_unneeded_tables()

    def sweep(self) -> None:
        """Removes what a killed process left half written; no other process may be writing."""
        for path in self._folder.glob(f".*{SUFFIX}{PARTIAL}"):
            with contextlib.suppress(OSError):
                path.unlink()
        self._tables.sweep()
        self._drop_unneeded_tables()

    def _drop_unneeded_tables(self) -> None:
        if self._tables.held():
            self._tables.drop_unneeded(self.prepared())

    def _path(self, mark: Mark) -> Path:
        return self._folder / f"{mark.step:012d}-{mark.lineage.hex()}{SUFFIX}"


def pack_state(state: State) -> bytes:
    """Encodes a state: a header, a SHA-256 digest of the rest, and an .npz archive without pickles."""
    values = np.frombuffer(json.dumps(dict(state.values)).encode(), np.uint8)
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **{VALUES: values}, **{f"/{name}": one for name, one in state.arrays.items()})
    content = archive.getbuffer()
    return b"".join([HEADER, hashlib.sha256(content).digest(), content])


def unpack_state(content: bytes) -> State:
    """Decodes a state that `pack_state` encoded.

    Raises:
        ValueError: the bytes are not a valid state; the message holds no value of it.
    """
    start = len(HEADER) + DIGEST_BYTES
    if not content.startswith(HEADER) or len(content) < start:
        raise ValueError("it is no checkpoint, or cut short")
    if hashlib.sha256(memoryview(content)[start:]).digest() != content[len(HEADER) : start]:
        raise ValueError("its digest is another one")
    try:
        with np.load(io.BytesIO(content[start:]), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        values = json.loads(arrays.pop(VALUES).tobytes())
    except (KeyError, OSError, EOFError, zipfile.BadZipFile):
        raise ValueError("its archive cannot be read") from None
    return State(values, {name.removeprefix("/"): array for name, array in arrays.items()})
