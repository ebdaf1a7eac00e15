"""`party data`: the columns of large files that a party has on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from party.configuration.party import load_party_configuration
from party.data.store.column_stores import COLUMNS_FOLDER, STORED_FROM_BYTES
from party.data.store.stored_columns import describe
from party.errors import DataError, StorageError, one_line

MEGABYTE = 1_000_000


def stored_lines(path: Path) -> Iterator[str]:
    """Lists what is stored, with rows, size and the day of its latest use.

    Args:
        path: the party's YAML file.

    Yields:
        A line for each file whose columns are stored; or one that says that there is none.
    """
    folders = _folders(path)
    if not folders:
        yield f"nothing is stored: files under {STORED_FROM_BYTES >> 20} MiB are read anew at each start"
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.iterdir())
        yield one_line(
            f"{folder.name}  {_rows(folder)}  {size / MEGABYTE:,.1f} MB  last used {_last_use(folder):%Y-%m-%d}"
        )


def remove_stored(path: Path, name: str) -> str:
    """Removes what is stored of one file.

    Args:
        path: the party's YAML file.
        name: as it is listed, possibly shortened.

    Returns:
        A line for a person.

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
    return f"{found[0].name} is removed; a start that needs it makes it anew"


def remove_unused(path: Path, days: int, now: datetime) -> Iterator[str]:
    """Removes what no start of the party used for some days.

    Args:
        path: the party's YAML file.
        days: number of days.
        now: the present time.

    Yields:
        A line for each that was removed.
    """
    for folder in _folders(path):
        if now - _last_use(folder) > timedelta(days=days):
            shutil.rmtree(folder)
            yield f"{folder.name} is removed"


def _folders(path: Path) -> list[Path]:
    configuration = load_party_configuration(path)
    folder = configuration.path(configuration.state) / COLUMNS_FOLDER
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _rows(folder: Path) -> str:
    try:
        return f"{describe(folder).rows:,} rows"
    except StorageError:
        return "unfinished or damaged"


def _last_use(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
