"""`party data`: the columns of large files that a party has on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from party.configuration.party import load_party_configuration
from party.data.store.column_stores import COLUMNS_FOLDER, STORED_FROM_BYTES
from party.data.store.stored_columns import describe
from party.errors import DataError, StorageError, one_line
from party.output.quantities import bytes_text, count_text, day_text
from party.output.tables import PrintedTable, numbered, worded


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """What is stored of one file.

    Attributes:
        name: of the store.
        rows: number of rows; None where the store is unfinished or damaged.
        size_bytes: size on disk.
        last_used: when a start of the party used it last.
    """

    name: str
    rows: int | None
    size_bytes: int
    last_used: datetime


@dataclass(frozen=True)
class StoredData:
    """All columns of large files that a party has on disk.

    Attributes:
        stored: by name, ascending.
    """

    stored: tuple[StoredFile, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a table, or one line if nothing is stored."""
        if not self.stored:
            yield f"nothing is stored: files under {bytes_text(STORED_FROM_BYTES)} are read anew at each start"
            return
        titles = (*worded("name"), *numbered("rows", "size"), *worded("last used"))
        rows = tuple(
            (
                one.name,
                "unfinished or damaged" if one.rows is None else count_text(one.rows),
                bytes_text(one.size_bytes),
                day_text(one.last_used),
            )
            for one in self.stored
        )
        yield from PrintedTable(columns=titles, rows=rows).lines(columns)


@dataclass(frozen=True)
class RemovedData:
    """What was removed from disk.

    Attributes:
        removed: names of the stores.
    """

    removed: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a line for each, or one that nothing was removed."""
        for name in self.removed:
            yield f"{name} is removed; a start that needs it makes it anew"
        if not self.removed:
            yield "nothing was removed"


def stored_data(path: Path) -> StoredData:
    """Finds what is stored.

    Args:
        path: the party's YAML file.
    """
    return StoredData(
        tuple(
            StoredFile(
                name=folder.name,
                rows=_rows(folder),
                size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
                last_used=_last_use(folder),
            )
            for folder in _folders(path)
        )
    )


def remove_stored(path: Path, name: str) -> RemovedData:
    """Removes what is stored of one file.

    Args:
        path: the party's YAML file.
        name: as it is listed, possibly shortened.

    Returns:
        What was removed.

    Raises:
        DataError: nothing, or more than one, has this name.
    """
    found = [folder for folder in _folders(path) if folder.name.startswith(name)]
    if len(found) != 1:
        raise DataError(
            "no stored columns have this name" if not found else "several stored columns have this name",
            where=path.name,
            received=one_line(name[:80]),
            fix="list them by `party data`",
        )
    shutil.rmtree(found[0])
    return RemovedData((found[0].name,))


def remove_unused(path: Path, days: int, now: datetime) -> RemovedData:
    """Removes what no start of the party used for some days.

    Args:
        path: the party's YAML file.
        days: number of days.
        now: the present time.

    Returns:
        What was removed.
    """
    unused = [folder for folder in _folders(path) if now - _last_use(folder) > timedelta(days=days)]
    for folder in unused:
        shutil.rmtree(folder)
    return RemovedData(tuple(folder.name for folder in unused))


def _folders(path: Path) -> list[Path]:
    configuration = load_party_configuration(path)
    folder = configuration.path(configuration.state) / COLUMNS_FOLDER
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _rows(folder: Path) -> int | None:
    try:
        return describe(folder).rows
    except StorageError:
        return None


def _last_use(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
