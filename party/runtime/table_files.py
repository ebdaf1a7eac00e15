"""The files of the large tables of a run's checkpoints: whole, or the rows that changed since a whole one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from party.cut.large_table import Matrix, StoredTable
from party.cut.touched_rows import TouchedRows
from party.errors import CheckpointError, StorageError
from party.protocol.checkpoints import Mark
from party.runtime.table_copies import TableCopy, TablesCopy
from party.runtime.table_format import (
    PIECE_BYTES,
    ROW_NUMBER,
    TablesHeader,
    TableSpec,
    TablesReader,
    TablesReference,
    pieces_of,
    write_tables,
)
from party.security.files import PARTIAL, open_private, private_folder

SUFFIX = ".tables"
FILE_PATTERN = re.compile(r"(?P<step>\d{12})-(?P<lineage>[0-9a-f]{64})\.tables")


class TableFiles:
    """The files of tables in the folder of a run's checkpoints.

    Args:
        folder: the folder; need not exist before something is written.
        party: name of this party, for errors.
    """

    def __init__(self, folder: Path, party: str) -> None:
        self._folder = folder
        self._party = party

    def write(self, mark: Mark, copy: TablesCopy) -> TablesReference:
        """Writes tables durably.

        Rows that are not in the copy are read from the base where the new file shall hold all of them: so a snapshot in
        memory need not have them.

        Args:
            mark: the point of the copy.
            copy: the tables.

        Returns:
            Names the file.

        Raises:
            CheckpointError: the base is missing, damaged or another one.
            StorageError: the disk is full, or the folder cannot be written.
        """
        private_folder(self._folder)
        specs = tuple(one.spec(name, whole=copy.becomes_base) for name, one in copy.tables.items())
        if copy.base is None or not copy.becomes_base:
            pieces = (piece for one, spec in zip(copy.tables.values(), specs, strict=True) for piece in _all(one, spec))
            return TablesReference(mark, write_tables(self._path(mark), TablesHeader(specs, copy.base), pieces))
        with self._opened(copy.base) as base:
            merged = self._merged(copy, base, copy.base)
            return TablesReference(mark, write_tables(self._path(mark), TablesHeader(specs, None), merged))

    def read(self, reference: TablesReference) -> dict[str, StoredTable]:
        """Reads the tables of a checkpoint.

        Args:
            reference: names the file.

        Returns:
            Whole tables by name; what they touched are the rows that differ from the base of the file.

        Raises:
            CheckpointError: the file, or the one that it builds on, is missing, damaged or another one.
        """
        with self._opened(reference) as reader:
            base, specs = reader.header.base, reader.header.tables
            with self._reading(reference):
                held = [_held(one, reader) for one in specs]
            self._require_same(reader, reference)
        whole = {} if base is None else self._whole(base, specs)
        tables = {}
        for spec, one in zip(specs, held, strict=True):
            values, touched = whole.get(spec.name, one.values), TouchedRows(spec.rows)
            if one.rows is not None:
                values[one.rows] = one.values
                touched.touch(one.rows)
            tables[spec.name] = StoredTable(values, touched)
        return tables

    def base_of(self, mark: Mark) -> TablesReference | None:
        """The file of whole tables that a checkpoint depends on, which may be its own; None if it has no tables.

        Args:
            mark: the point of the checkpoint.

        Raises:
            CheckpointError: its file cannot be read.
        """
        if not self._path(mark).exists():
            return None
        with self._opened(TablesReference(mark, b"")) as reader:
            return reader.header.base or TablesReference(mark, reader.stated_digest)

    def held(self) -> list[Mark]:
        """The points that have a file, readable or not."""
        matches = [FILE_PATTERN.fullmatch(path.name) for path in self._folder.glob(f"*{SUFFIX}")]
        return [Mark(int(one["step"]), bytes.fromhex(one["lineage"])) for one in matches if one is not None]

    def drop_unneeded(self, marks: Sequence[Mark]) -> None:
        """Removes all files that no checkpoint needs; keeps everything if one of them cannot be read.

        Args:
            marks: the points of the checkpoints that exist.
        """
        try:
            bases = [self.base_of(mark) for mark in marks]
        except CheckpointError:
            return
        needed = {*marks, *(base.mark for base in bases if base is not None)}
        for mark in set(self.held()) - needed:
            with contextlib.suppress(OSError):
                self._path(mark).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes files that a killed process left half written; no other process may be writing."""
        for path in self._folder.glob(f".*{SUFFIX}{PARTIAL}"):
            with contextlib.suppress(OSError):
                path.unlink()

    def _whole(self, base: TablesReference, specs: tuple[TableSpec, ...]) -> dict[str, Matrix]:
        """The tables of a file that holds all rows, if they are those that others build on."""
        with self._opened(base) as reader:
            self._require_fit(reader, base, specs)
            with self._reading(base):
                values = {one.name: _held(one, reader).values for one in reader.header.tables}
            self._require_same(reader, base)
        return values

    def _merged(self, copy: TablesCopy, base: TablesReader, reference: TablesReference) -> Iterator[memoryview]:
        """The bytes of all rows: those of the base, but for the rows that the copy has."""
        self._require_fit(base, reference, [one.spec(name, whole=True) for name, one in copy.tables.items()])
        for spec in base.header.tables:
            one = copy.tables[spec.name]
            rows = np.arange(spec.rows) if one.rows is None else one.rows
            length = max(1, PIECE_BYTES // max(1, spec.row_bytes))
            for start in range(0, spec.rows, length):
                piece = np.empty((min(length, spec.rows - start), spec.columns), spec.dtype)
                with self._reading(reference):
                    base.fill(piece)
                first, last = np.searchsorted(rows, [start, start + len(piece)])
                piece[rows[first:last] - start] = one.values[first:last]
                yield from pieces_of(piece)
        self._require_same(base, reference)

    def _require_fit(self, base: TablesReader, reference: TablesReference, specs: Sequence[TableSpec]) -> None:
        """Refuses a base that holds other tables than those that build on it, or rows alone."""
        expected, received = (
            [(one.name, one.dtype, one.rows, one.columns) for one in tables] for tables in (specs, base.header.tables)
        )
        if base.header.base is not None or expected != received:
            self._refuse(reference, "are of another form than those that build on them")

    def _require_same(self, reader: TablesReader, reference: TablesReference) -> None:
        """Refuses a file whose content, now that all was read, is not the one that a reference names."""
        with self._reading(reference):
            digest = reader.finish()
        if digest != reference.digest:
            self._refuse(reference, "are not those that the checkpoint was written with")

    @contextlib.contextmanager
    def _opened(self, reference: TablesReference) -> Iterator[TablesReader]:
        """Opens the file that a reference names."""
        path = self._path(reference.mark)
        if not path.exists():
            self._refuse(reference, "are missing")
        with contextlib.ExitStack() as stack:
            with self._reading(reference):
                reader = TablesReader(stack.enter_context(open_private(path)))
            yield reader

    @contextlib.contextmanager
    def _reading(self, reference: TablesReference) -> Iterator[None]:
        """Makes every defect of a file an error of the checkpoint; what is written meanwhile has errors of its own."""
        try:
            yield
        except ValueError as error:
            self._refuse(reference, f"are damaged: {error}")
        except (StorageError, OSError) as error:
            reason = error.public_message if isinstance(error, StorageError) else error.strerror
            self._refuse(reference, f"cannot be read: {error}", f"cannot be read: {reason}")

    def _refuse(self, reference: TablesReference, what: str, public_what: str | None = None) -> NoReturn:
        place, fix = f"tables of step {reference.mark.step}", "the coordinator goes back to an earlier checkpoint"
        raise CheckpointError(
            what,
            where=f"{self._party}: {place}",
            fix=fix,
            public_message=f"{place}: {what if public_what is None else public_what}; {fix}",
        ) from None

    def _path(self, mark: Mark) -> Path:
        return self._folder / f"{mark.step:012d}-{mark.lineage.hex()}{SUFFIX}"


def _all(copy: TableCopy, spec: TableSpec) -> Iterator[memoryview]:
    """The bytes of all that a copy has."""
    if copy.rows is not None:
        yield from pieces_of(copy.rows.astype(ROW_NUMBER, copy=False))
    yield from pieces_of(copy.values.astype(spec.dtype, copy=False))


def _held(spec: TableSpec, reader: TablesReader) -> TableCopy:
    """Reads what a file has of a table."""
    rows = None
    if reader.header.base is not None:
        rows = np.empty(spec.held, ROW_NUMBER)
        reader.fill(rows)
    values = np.empty((spec.held, spec.columns), spec.dtype)
    reader.fill(values)
    return TableCopy(spec.rows, rows, values)
