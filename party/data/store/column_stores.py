"""The stores of a party's large files: made when a file is first read, and used by every later start and run."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pyarrow as pa

from party.data.files.source import Source
from party.data.reading import NeededColumns, ReadColumns, batches_of, meaning_of, read_columns, written_texts
from party.data.store.column_writer import ColumnWriter
from party.data.store.stored_columns import StoredColumns, damaged, open_columns
from party.data.values.keys import canonical_keys
from party.errors import StorageError

COLUMNS_FOLDER = "columns"  # in the state folder
STORED_FROM_BYTES = 64 << 20  # smaller files are read anew at each start, in less time than people notice
_KEY, _CELL = "key ", "cell "
_NAME_DIGITS = 32

logger = logging.getLogger(__name__)
OpenFiles = Callable[[], AbstractContextManager[Source]]


class ColumnStores:
    """Finds the stored columns of files by their digest, and makes them where there are none.

    Args:
        folder: of all stores, which may not exist yet.
        from_bytes: size of a dataset's files from which their columns are stored.
    """

    def __init__(self, folder: Path, *, from_bytes: int = STORED_FROM_BYTES) -> None:
        self._folder = folder
        self._from_bytes = from_bytes
        self._writing = threading.Lock()  # two sessions, or a session and a question for rows, may need a new file

    def read(self, opened: OpenFiles, columns: NeededColumns) -> ReadColumns:
        """Reads the columns of a dataset.

        Args:
            opened: opens its files, once for each call.
            columns: what is needed of them.

        Raises:
            DataError: a file cannot be read, or a cell of it cannot be used.
            StorageError: the columns cannot be stored.
        """
        with opened() as source:
            if source.stored_bytes() < self._from_bytes:
                return read_columns(source, columns)
            sha256 = source.digest()
        with self._writing:
            known = self._known(sha256, columns)
            if known is not None:
                return known
            with opened() as source:
                return self._stored(source, columns)

    def _place(self, sha256: str, columns: NeededColumns) -> Path:
        return self._folder / f"{sha256[:_NAME_DIGITS]}-{columns.digest()[:_NAME_DIGITS]}"

    def _known(self, sha256: str, columns: NeededColumns) -> ReadColumns | None:
        """The columns of a store; None where there is none, and where it is damaged, which removes it."""
        folder = self._place(sha256, columns)
        if not folder.exists():
            return None
        try:
            found = _read(open_columns(folder), columns)
            if found.sha256 != sha256:  # the folder's name has a part of the digest
                raise damaged(folder)
            folder.touch()  # the time of its latest use, for `party data`
            return found
        except (StorageError, KeyError):
            logger.warning("the stored columns of a file were damaged, and are made anew: %s", folder.name)
            shutil.rmtree(folder)
            return None

    def _stored(self, source: Source, columns: NeededColumns) -> ReadColumns:
        meanings = {f"{_CELL}{name}": partial(meaning_of, name=name, columns=columns) for name in columns.cells}
        names = [*(f"{_KEY}{name}" for name in columns.keys), *meanings]
        temporary = self._folder / f"new-{columns.digest()[:_NAME_DIGITS]}"
        writer = ColumnWriter(temporary, names, [f"{_KEY}{name}" for name in columns.ids])
        try:
            for batch in batches_of(source, columns):
                writer.append(_texts(batch, columns))
            target = self._place(source.sha256(), columns)
            writer.finish(target, meanings=meanings, sha256=source.sha256(), notes=source.notes)
        except BaseException:
            writer.abandon()
            raise
        pa.default_memory_pool().release_unused()  # Arrow keeps what parsing took, and nothing here needs it again
        return _read(open_columns(target), columns)


def _texts(batch: Mapping[str, pa.Array], columns: NeededColumns) -> dict[str, pa.ChunkedArray]:
    """The texts of keys; of cells those that the files hold, whose meaning is found once for each distinct one."""
    keys = {f"{_KEY}{name}": canonical_keys(batch[name], where=columns.place(name)) for name in columns.keys}
    cells = {f"{_CELL}{name}": written_texts(batch[name], name, columns) for name in columns.cells}
    return {**keys, **cells}


def _read(stored: StoredColumns, columns: NeededColumns) -> ReadColumns:
    return ReadColumns(
        rows=stored.rows,
        ids={name: stored.plain[f"{_KEY}{name}"] for name in columns.ids},
        keys={name: stored.repeating[f"{_KEY}{name}"] for name in columns.keys if name not in columns.ids},
        cells=stored.repeating.renamed({f"{_CELL}{name}": name for name in columns.cells}),
        merged={name.removeprefix(_CELL): count for name, count in stored.merged.items()},
        sha256=stored.sha256,
        notes=tuple(stored.notes),
    )
