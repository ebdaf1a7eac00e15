"""A summary of a party's data for its owner: counts and sizes, no values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from party.configuration.features import AnyFeature, DataSection, IntegerBucketsFeature, SequenceFeature
from party.configuration.numeric_feature import NumericFeature
from party.data.encoders import CellCounts, fit_encoders
from party.data.table import Table
from party.errors import DataError, SplitError


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One feature, fitted on all rows of a table.

    Attributes:
        name: name of the encoded feature.
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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The features of a party, fitted on all rows of a table.

    Attributes:
        columns: one per encoded feature, in the order of the configuration.
        remarks: sentences on columns that can be read, and probably not as meant.
    """

    columns: tuple[ColumnSummary, ...]
    remarks: tuple[str, ...]


def encoding_problems(
    party: str, data: DataSection, table: Table, *, warn: Callable[[str], None] = lambda remark: None
) -> list[SplitError]:
    """Finds the features of a table that cannot be encoded.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: one dataset, with the features' columns.
        warn: called with sentences on columns that can be read, and probably not as meant.

    Returns:
        An error for each such feature, in the order of the configuration.
    """
    try:
        for remark in summarise(party, data, table).remarks:
            warn(remark)
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


def summarise(party: str, data: DataSection, table: Table) -> Summary:
    """Fits and applies the encoders to all rows of a table, and so finds every cell that training would refuse.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: one dataset, with the features' columns.

    Returns:
        The summary.

    Raises:
        DataError: a cell is malformed, too far from the others or has too many values.
    """
    source = table.path.name
    remarks: list[str] = []
    encoders = fit_encoders(party, data.features, table.columns, source, warn=remarks.append)
    counts = dict(zip(data.features, encoders.counts(table.columns, source), strict=True))
    sections = {name: feature for feature in data.features for name in feature.encoded_names}
    columns = tuple(
        ColumnSummary(
            name=feature.name,
            kind=feature.kind,
            size=feature.size,
            width=feature.width,
            missing=counts[sections[feature.name]].missing,
            merged=_merged(sections[feature.name], table, counts[sections[feature.name]]),
        )
        for feature in encoders.encode(table.columns, source)
    )
    return Summary(columns=columns, remarks=tuple(remarks))


def _merged(section: AnyFeature, table: Table, counts: CellCounts) -> int:
    """To a number it makes no difference how it is written."""
    if isinstance(section, NumericFeature | IntegerBucketsFeature):
        return 0
    if section.has_several:
        return counts.merged
    return sum(table.merged.get(column, 0) for column in section.source_columns)
