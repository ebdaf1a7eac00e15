"""What parties released of the quality of their data: a file of the output folder, as it was last released."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from coordinator.alignment import DatasetAlignment
from coordinator.data_quality import DataQuality
from party.configuration.strict import StrictModel
from party.errors import StorageError
from party.security.clock import utc_now
from party.security.files import read_private, write_atomically
from party.security.printable import printable

QUALITY_FILE = "data_quality.json"
MOST_STORED = 1000  # of a coordinator; the ones that were released longest ago go first
PERCENT = 100
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=PERCENT)] | None


class StoredQuality(StrictModel):
    """What one party released of one dataset or table.

    Attributes:
        at: when, ISO 8601.
        party: name of the party.
        dataset: name of the dataset, or of the party's table.
        warnings: number of features by kind of warning.
        missing_percent: missing cells among those of all features; None if that was not released.
        unknown_percent: cells whose value the training rows do not have; None if that was not released.
    """

    at: str
    party: str
    dataset: str
    warnings: dict[str, Count]
    missing_percent: Percent
    unknown_percent: Percent


class _Stored(StrictModel):
    quality: tuple[StoredQuality, ...] = Field(strict=False)


def store_aligned(folder: Path, results: Sequence[DatasetAlignment]) -> None:
    """Notes what was released at the end of an alignment.

    Args:
        folder: output folder of the coordinator.
        results: one for each dataset.

    Raises:
        StorageError: the file is damaged, or cannot be written.
    """
    store_quality(folder, [pair for result in results for pair in result.quality.items()])


def store_quality(folder: Path, released: Sequence[tuple[str, DataQuality]]) -> None:
    """Notes what parties released, in place of what they released before of the same datasets.

    Args:
        folder: output folder of the coordinator.
        released: name of a party and what it released.

    Raises:
        StorageError: the file is damaged, or cannot be written.
    """
    if not released:
        return
    at = utc_now().isoformat(timespec="seconds")
    known = {(one.party, one.dataset): one for one in read_quality(folder)}
    for party, one in released:
        made = _stored(at, party, one)
        known.pop((party, made.dataset), None)
        known[party, made.dataset] = made
    content = {"quality": [one.model_dump(mode="json") for one in list(known.values())[-MOST_STORED:]]}
    write_atomically(folder / QUALITY_FILE, json.dumps(content, indent=2).encode())


def read_quality(folder: Path) -> tuple[StoredQuality, ...]:
    """Reads what parties released, the latest last.

    Args:
        folder: output folder of the coordinator.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / QUALITY_FILE
    if not path.exists():
        return ()
    try:
        return _Stored.model_validate_json(read_private(path)).quality
    except ValidationError:
        raise StorageError(
            "what parties released of their data is damaged", where=path, fix="delete the file"
        ) from None


def _stored(at: str, party: str, released: DataQuality) -> StoredQuality:
    shares = {name: _percent(getattr(released, name)) for name in ("missing_percent", "unknown_percent")}
    return StoredQuality(
        at=at, party=party, dataset=printable(released.dataset), warnings=dict(released.warnings), **shares
    )


def _percent(stated: int | None) -> int | None:
    """What a party stated, unless it is no share: the file could not be read again."""
    return stated if stated is None or stated <= PERCENT else None
