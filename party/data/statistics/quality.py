"""The quality of a dataset in counts: how many features have which warning, and how many cells lack a known value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from party.configuration.features import DataSection
from party.data.statistics.feature_warnings import WarningKind, differing_warnings, own_warnings
from party.data.statistics.profiles import learn_profile, profile_beside
from party.data.table import Table


@dataclass(frozen=True, kw_only=True)
class DatasetQuality:
    """Counts of one dataset or table; nothing of it depends on a label or on the name of a feature.

    Attributes:
        dataset: its name.
        rows: number of rows.
        compared: the dataset that it is compared with; None if it is one that is trained on, or a table.
        compared_rows: number of rows of that one; 0 without one.
        warnings: number of features by kind of warning; kinds that none has are left out.
        cells: number of cells of all features.
        missing: number of them that are missing.
        unknown: number of them whose value the training rows do not have.
    """

    dataset: str
    rows: int
    compared: str | None
    compared_rows: int
    warnings: Mapping[WarningKind, int]
    cells: int
    missing: int
    unknown: int


def dataset_quality(party: str, data: DataSection, table: Table, *, compared: Table | None) -> DatasetQuality:
    """Counts warnings and cells of a dataset, without drawn rows: how many there are depends on labels.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: all rows of the dataset, or of the table.
        compared: the dataset to compare it with; None if it is trained on, or a table.

    Raises:
        DataError: a cell cannot be encoded.
    """
    table, compared = _in_file(table), None if compared is None else _in_file(compared)
    if compared is None:
        profile = learn_profile(party, data, table).profile
        warnings = own_warnings(profile, is_table=bool(data.tables))
    else:
        learned = learn_profile(party, data, compared)
        profile = profile_beside(learned, table)
        warnings = differing_warnings(learned.profile, profile)
    by_kind = Counter(one.kind for one in warnings)
    return DatasetQuality(
        dataset=table.dataset,
        rows=table.rows,
        compared=None if compared is None else compared.dataset,
        compared_rows=0 if compared is None else compared.rows,
        warnings={kind: by_kind[kind] for kind in WarningKind if by_kind[kind]},
        cells=sum(feature.rows for feature in profile.features),
        missing=sum(feature.missing for feature in profile.features),
        unknown=sum(feature.unknown for feature in profile.features),
    )


def _in_file(table: Table) -> Table:
    if table.negatives is None:
        return table
    return replace(table, columns=table.columns.take(np.arange(table.negatives.file_rows)))
