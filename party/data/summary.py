"""What a party's data amounts to, for its owner's eyes: counts and sizes, no values."""

from __future__ import annotations

from dataclasses import dataclass

from party.configuration.features import DataSection
from party.data.encoders import fit_encoders
from party.data.table import Table


@dataclass(frozen=True)
class ColumnSummary:
    """One feature as a table's rows would have it.

    Attributes:
        name: of the feature.
        kind: of the feature.
        size: embedding rows that it needs.
        width: values that a row has room for, as of a sequence.
        missing: rows in which it is missing.
    """

    name: str
    kind: str
    size: int
    width: int
    missing: int


def summarise(party: str, data: DataSection, table: Table) -> tuple[ColumnSummary, ...]:
    """Fits and applies the encoders to all rows of a table, which finds whatever training would stumble over.

    Args:
        party: own name, for errors.
        data: the party's data section.
        table: one dataset, with the features' columns.

    Returns:
        One summary per feature, in the order of the configuration.

    Raises:
        DataError: a cell is malformed, too far from the others or has too many values.
    """
    source = table.path.name
    encoders = fit_encoders(party, data.features, table.columns, source)
    missing = encoders.missing_rows(table.columns, source)
    return tuple(
        ColumnSummary(feature.name, feature.kind, feature.size, feature.indices.shape[1], count)
        for feature, count in zip(encoders.encode(table.columns, source), missing, strict=True)
    )
