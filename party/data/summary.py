"""A summary of a party's data for its owner: counts and sizes, no values."""

from __future__ import annotations

from dataclasses import dataclass

from party.configuration.features import AnyFeature, DataSection, IntegerBucketsFeature, NumericFeature, SequenceFeature
from party.data.encoders import CellCounts, fit_encoders
from party.data.table import Table
from party.errors import DataError, SplitError


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One feature, fitted on all rows of a table.

    Attributes:
        name: name of the feature.
        kind: kind of the feature.
        size: number of embedding rows that it needs.
        width: number of values of a row, as of a sequence.
        missing: number of rows in which it is missing.
        merged: number of distinct texts that are written differently but are the same value, and that the feature could
            tell apart.
    """

    name: str
    kind: str
    size: int
    width: int
    missing: int
    merged: int


def encoding_problems(party: str, data: DataSection, table: Table) -> list[SplitError]:
    """Finds the features of a table that cannot be encoded.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: one dataset, with the features' columns.

    Returns:
        An error for each such feature, in the order of the configuration.
    """
    try:
        summarise(party, data, table)
    except DataError as error:
        found = [_problem(party, data, feature, table) for feature in data.features]
        return [one for one in found if one is not None] or [error]
    return []


def _problem(party: str, data: DataSection, feature: AnyFeature, table: Table) -> DataError | None:
    """What keeps one feature from being encoded; a sequence is encoded beside its target."""
    target = feature.target if isinstance(feature, SequenceFeature) else None
    together = [one for one in data.features if one is feature or one.key == target]
    try:
        fit_encoders(party, together, table.columns, table.path.name).encode(table.columns, table.path.name)
    except DataError as error:
        return error
    return None


def summarise(party: str, data: DataSection, table: Table) -> tuple[ColumnSummary, ...]:
    """Fits and applies the encoders to all rows of a table, and so finds every cell that training would refuse.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: one dataset, with the features' columns.

    Returns:
        One summary per feature, in the order of the configuration.

    Raises:
        DataError: a cell is malformed, too far from the others or has too many values.
    """
    source = table.path.name
    encoders = fit_encoders(party, data.features, table.columns, source)
    counts = encoders.counts(table.columns, source)
    return tuple(
        ColumnSummary(
            name=feature.name,
            kind=feature.kind,
            size=feature.size,
            width=feature.width,
            missing=count.missing,
            merged=_merged(section, table, count),
        )
        for section, feature, count in zip(data.features, encoders.encode(table.columns, source), counts, strict=True)
    )


def _merged(section: AnyFeature, table: Table, counts: CellCounts) -> int:
    """To a number it makes no difference how it is written."""
    if isinstance(section, NumericFeature | IntegerBucketsFeature):
        return 0
    return counts.merged if section.has_several else table.merged.get(section.column, 0)
