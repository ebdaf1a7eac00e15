"""The exact quality of a party's datasets, as its latest sessions counted it: a file of its own state folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from party.configuration.strict import StrictModel
from party.data.statistics.quality import DatasetQuality
from party.errors import StorageError
from party.policy.quality_rules import ReleasedQuality
from party.security.files import read_private, write_atomically

QUALITY_FILE = "data_quality.json"
Count = Annotated[int, Field(ge=0)]

logger = logging.getLogger(__name__)


class CountedQuality(StrictModel):
    """Counts of one dataset or table, over all of its rows; no cell, and no name of a column.

    Attributes:
        at: when a session counted, ISO 8601.
        coordinator: certificate name of the coordinator of the session.
        rows: number of rows.
        compared: the dataset that it was compared with; None if it is one that is trained on, or a table.
        warnings: number of features by kind of warning.
        cells: number of cells of all features.
        missing: number of them that are missing.
        unknown: number of them whose value the training rows do not have.
        released: what the coordinator learned: `nothing`, `warnings`, or `shares` of cells too.
    """

    at: str
    coordinator: str
    rows: Count
    compared: str | None
    warnings: dict[str, Count]
    cells: Count
    missing: Count
    unknown: Count
    released: str


class _Counted(StrictModel):
    datasets: dict[str, CountedQuality]


def keep_counted(
    state: Path, counted: Sequence[tuple[DatasetQuality, ReleasedQuality | None]], coordinator: str, now: datetime
) -> None:
    """Notes what a session counted. A file that cannot be written ends no session.

    Args:
        state: the party's state folder.
        counted: the counts, and what of them was released.
        coordinator: certificate name of the coordinator of the session.
        now: the current time, with a time zone.
    """
    if not counted:
        return
    made = {one.dataset: _counted(one, released, coordinator, now) for one, released in counted}
    try:
        content = {"datasets": {name: one.model_dump() for name, one in {**read_counted(state), **made}.items()}}
        write_atomically(state / QUALITY_FILE, json.dumps(content, indent=2).encode())
    except StorageError as error:
        logger.warning("the quality of the data is not stored: %s", error)


def read_counted(state: Path) -> Mapping[str, CountedQuality]:
    """Reads what was counted last, by dataset or table.

    Args:
        state: the party's state folder.

    Raises:
        StorageError: the file is damaged.
    """
    path = state / QUALITY_FILE
    if not path.exists():
        return {}
    try:
        return _Counted.model_validate_json(read_private(path)).datasets
    except ValidationError:
        raise StorageError("the stored quality of the data is damaged", where=path, fix="delete the file") from None


def _counted(
    quality: DatasetQuality, released: ReleasedQuality | None, coordinator: str, now: datetime
) -> CountedQuality:
    level = "nothing" if released is None else "warnings" if released.missing_percent is None else "shares"
    return CountedQuality(
        at=now.isoformat(timespec="seconds"),
        coordinator=coordinator,
        rows=quality.rows,
        compared=quality.compared,
        warnings={kind.value: features for kind, features in quality.warnings.items()},
        cells=quality.cells,
        missing=quality.missing,
        unknown=quality.unknown,
        released=level,
    )
