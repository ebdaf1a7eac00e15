"""What one dataset is like, feature by feature, beside the one that a party trains on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from party.configuration.features import DataSection
from party.configuration.numeric_feature import NumericFeature
from party.data.encoders import AnyEncoder, Encoders, fit_encoders
from party.data.kinds.cells import Cells
from party.data.kinds.datetimes import DatetimeEncoder
from party.data.kinds.hash_buckets import HashEncoder
from party.data.kinds.integer_buckets import IntegerBucketsEncoder
from party.data.kinds.numeric import NumericEncoder
from party.data.kinds.parts import SeveralEncoder
from party.data.kinds.texts import FIRST, MISSING, UNKNOWN
from party.data.kinds.vocabulary import VocabularyEncoder
from party.data.statistics.numbers import NumberStatistics, number_statistics
from party.data.table import Table

Counts = NDArray[np.int64]
_NO_PARTS: Counts = np.zeros(0, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureProfile:
    """One feature of a dataset.

    Attributes:
        name: name of the feature.
        kind: kind of the feature.
        rows: number of rows, each of which has one cell.
        missing: number of cells that are missing.
        unknown: number of cells whose value the training rows do not have; of several values, none of which they have.
        distinct: number of distinct texts of the cells that are not missing.
        states: number of things that a model can tell apart, of which missing may be one.
        numbers: the numbers, without missing ones; None for a feature that reads none, and without any.
        parts: cells, or values of cells, by what the training rows know: a value of a vocabulary, a bucket, a tenth of
            their numbers; int64 (parts,), empty for dates.
    """

    name: str
    kind: str
    rows: int
    missing: int
    unknown: int
    distinct: int
    states: int
    numbers: NumberStatistics | None
    parts: Counts = field(repr=False)

    @property
    def given(self) -> int:
        """Number of cells that are not missing."""
        return self.rows - self.missing


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetProfile:
    """All features of a dataset.

    Attributes:
        dataset: name of the dataset or table.
        rows: number of rows.
        features: in the order of the configuration.
    """

    dataset: str
    rows: int
    features: tuple[FeatureProfile, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedProfile:
    """The dataset that others are compared with, and what encoders learned from it.

    Attributes:
        profile: the profile of the dataset itself.
        encoders: fitted on all of its rows.
        texts: of each hash feature the distinct texts of its cells, an Arrow array; None for other features.
    """

    profile: DatasetProfile
    encoders: Encoders = field(repr=False)
    texts: tuple[Any, ...] = field(repr=False)


def learn_profile(party: str, data: DataSection, table: Table) -> LearnedProfile:
    """Profiles a dataset, and learns what others are compared with.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        table: the dataset.

    Raises:
        DataError: a cell cannot be encoded.
    """
    encoders = fit_encoders(party, data.features, table.columns, table.path.name)
    features, texts = [], []
    for encoder, cells in zip(encoders.encoders, encoders.cells(table.columns, table.path.name), strict=True):
        features.append(_profile(encoder, cells, None))
        texts.append(_texts(cells) if isinstance(encoder, HashEncoder) else None)
    profile = DatasetProfile(dataset=table.dataset, rows=table.rows, features=tuple(features))
    return LearnedProfile(profile=profile, encoders=encoders, texts=tuple(texts))


def profile_beside(learned: LearnedProfile, table: Table) -> DatasetProfile:
    """Profiles a dataset by what was learned from another one.

    Args:
        learned: the dataset that it is compared with.
        table: the dataset.

    Raises:
        DataError: a cell cannot be encoded.
    """
    cells = learned.encoders.cells(table.columns, table.path.name)
    known = zip(learned.encoders.encoders, cells, learned.texts, learned.profile.features, strict=True)
    features = tuple(_profile(encoder, one, (texts, before.numbers)) for encoder, one, texts, before in known)
    return DatasetProfile(dataset=table.dataset, rows=table.rows, features=features)


def _profile(encoder: AnyEncoder, cells: Cells, before: tuple[Any, NumberStatistics | None] | None) -> FeatureProfile:
    """The profile of a feature; `before` has texts and numbers of the training rows, None where these are they."""
    missing = encoder.missing(cells)
    texts, learned = (None, None) if before is None else before
    numbers = encoder.numbers(cells)
    found = None if numbers is None else number_statistics(numbers, cells.counts)
    unknown, states, parts = 0, int((~missing).sum()) + int(missing.any()), _NO_PARTS
    match encoder:
        case NumericEncoder():
            states = _numeric_states(encoder.feature, found, missing)
            scale = found if before is None else learned
            if scale is not None and numbers is not None:
                parts = scale.rows_by_tenth(numbers, cells.counts)
        case HashEncoder() | IntegerBucketsEncoder():
            by_index = _by_index(encoder.encode(cells).indices, cells.counts, encoder.size)
            unknown, parts = _not_among(cells, texts, missing), by_index[MISSING + 1 :]
            states = states if isinstance(encoder, HashEncoder) else int(np.count_nonzero(by_index))
        case VocabularyEncoder() | SeveralEncoder():
            indices = encoder.encode(cells).indices
            by_index = _by_index(indices, cells.counts, encoder.size)
            without = (indices == UNKNOWN).any(axis=1) & ~(indices >= FIRST).any(axis=1)
            unknown, parts = cells.row_count(without), by_index[FIRST:]
            states = states if isinstance(encoder, SeveralEncoder) else int(np.count_nonzero(by_index))
        case DatetimeEncoder():
            pass
    return FeatureProfile(
        name=encoder.feature.key,
        kind=encoder.kind,
        rows=cells.rows,
        missing=cells.row_count(missing),
        unknown=unknown,
        distinct=int((~missing).sum()),
        states=states,
        numbers=found,
        parts=parts,
    )


def _numeric_states(feature: NumericFeature, found: NumberStatistics | None, missing: NDArray[np.bool_]) -> int:
    """A missing number becomes the middle of the others, which is the number itself where there is one only."""
    distinct = 0 if found is None else found.distinct
    is_apart = distinct != 1 or feature.scaling == "none"
    return distinct + int(missing.any() and is_apart)


def _by_index(indices: NDArray[np.int32], counts: Counts, size: int) -> Counts:
    """Cells, or values of cells, by embedding row; the padding of several values counts as missing."""
    rows = np.broadcast_to(counts[:, None], indices.shape)
    return np.bincount(indices.ravel(), weights=rows.ravel(), minlength=size).astype(np.int64)


def _texts(cells: Cells) -> Any:
    return cells.column.distinct.take(pa.array(cells.numbers))


def _not_among(cells: Cells, texts: Any, missing: NDArray[np.bool_]) -> int:
    """Number of cells that are not missing and whose text is none of some."""
    if texts is None:
        return 0
    known = pa.compute.is_in(_texts(cells), value_set=texts.cast(cells.column.distinct.type))
    return cells.row_count(~known.to_numpy(zero_copy_only=False) & ~missing)
