"""Encodes columns of text as index and value arrays, once, when the data is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from party.configuration.canonical_text import VALUE_SEPARATOR, canonical_text
from party.configuration.datetime_feature import DatetimeFeature
from party.configuration.feature_section import columns_as_written
from party.configuration.features import (
    AnyFeature,
    HashFeature,
    IntegerBucketsFeature,
    MultiHotFeature,
    SequenceFeature,
    VocabularyFeature,
)
from party.configuration.numeric_feature import NumericFeature
from party.configuration.strict import StrictModel
from party.data.kinds.cells import Cells, Encoding, NamedEncoding, pairs, read_cells
from party.data.kinds.datetimes import DatetimeEncoder
from party.data.kinds.hash_buckets import HashEncoder
from party.data.kinds.integer_buckets import IntegerBucketsEncoder
from party.data.kinds.multi_hot import MultiHotEncoder
from party.data.kinds.numeric import NumericEncoder
from party.data.kinds.remarks import encoder_remarks
from party.data.kinds.sequence import SequenceEncoder
from party.data.kinds.vocabulary import VocabularyEncoder
from party.data.text_columns import TextColumn, TextColumns, canonical_column_of
from party.errors import StorageError

AnyEncoder = Annotated[
    HashEncoder
    | VocabularyEncoder
    | IntegerBucketsEncoder
    | NumericEncoder
    | DatetimeEncoder
    | MultiHotEncoder
    | SequenceEncoder,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedFeature:
    """One feature of every row, ready for an embedding lookup weighted by values.

    Attributes:
        name: name of the encoded feature.
        kind: kind of the feature, as in the configuration; `numeric` for every number, such as an age.
        column: the column that it was encoded from; of two columns, their pairs.
        encoding: the encoded form of each of the column's distinct texts; values are 0 where the index is padding.
        size: number of embedding rows that the feature needs; every index is below it.
        table: the feature that owns these embedding rows: this one, or the target that it shares them with.
        target: the feature that a sequence is scored against, if any.
    """

    name: str
    kind: str
    column: TextColumn = field(repr=False)
    encoding: Encoding = field(repr=False)
    size: int
    table: str
    target: str | None = None

    @property
    def width(self) -> int:
        """Number of embedding rows that each row refers to."""
        return int(self.encoding.indices.shape[1])

    @property
    def indices(self) -> NDArray[np.int32]:
        """Embedding rows of every row, int32, shape (rows, width)."""
        return self.encoding.indices[self.column.codes]

    @property
    def values(self) -> NDArray[np.float32]:
        """Their weights, float32, shape (rows, width)."""
        return self.encoding.values[self.column.codes]

    def with_rows(self, rows: NDArray[np.int64]) -> EncodedFeature:
        """The feature with rows chosen and ordered.

        Args:
            rows: row numbers, int64 (chosen rows,).
        """
        return replace(self, column=self.column.take(rows))


class CellCounts(NamedTuple):
    """Counts of the cells of one feature.

    Attributes:
        missing: rows in which the feature is missing, cells that its configuration treats so included.
        merged: distinct values in cells of several ones that are written differently but are the same value.
    """

    missing: int
    merged: int


class Encoders(StrictModel):
    """The encoders of a party's features, in the order of the configuration, fitted on its training rows.

    Attributes:
        version: version of the stored form, and of what the texts in it mean; 1 had texts as files print them.
        party: name of this party, for errors.
        encoders: one per feature.
    """

    version: Literal[2] = 2
    party: str
    encoders: tuple[AnyEncoder, ...]

    @property
    def _features(self) -> tuple[AnyFeature, ...]:
        return tuple(encoder.feature for encoder in self.encoders)

    def encode(self, columns: TextColumns, source: str) -> tuple[EncodedFeature, ...]:
        """Encodes rows; each depends on its own cells alone.

        Args:
            columns: columns, among them the features'.
            source: name of their file, for errors.

        Returns:
            The encoded features, in the order of the configuration.

        Raises:
            DataError: a cell is malformed, too far from the others or has too many values.
        """
        read = zip(self.encoders, self.cells(columns, source), strict=True)
        return tuple(one for encoder, cells in read for one in _expand(encoder, cells))

    def cells(self, columns: TextColumns, source: str) -> Iterator[Cells]:
        """The cells of each feature, in the order of the configuration.

        Args:
            columns: columns, among them the features'.
            source: name of their file, for errors.
        """
        return _columns(self._features, columns, f"{self.party}: {source}")

    def counts(self, columns: TextColumns, source: str) -> tuple[CellCounts, ...]:
        """Counts the cells of each feature that its owner should know of.

        Args:
            columns: columns, among them the features'.
            source: name of their file, for errors.

        Returns:
            The counts of each feature, in the order of the configuration.

        Raises:
            DataError: a cell of a feature that reads numbers or dates is malformed.
        """
        found = zip(self.encoders, self.cells(columns, source), strict=True)
        return tuple(CellCounts(cells.row_count(one.missing(cells)), one.merged(cells)) for one, cells in found)

    def to_json(self) -> str:
        """Everything that was fitted, for `encoders_from_json`; it holds values of data and must stay at the party."""
        return self.model_dump_json()


def fit_encoders(
    party: str,
    features: Sequence[AnyFeature],
    training: TextColumns,
    source: str,
    *,
    warn: Callable[[str], None] | None = None,
) -> Encoders:
    """Fits one encoder per feature on the training rows; their order does not matter.

    Args:
        party: name of this party, for errors.
        features: as the configuration lists them.
        training: columns of the training rows, among them the features'.
        source: name of their file, for errors.
        warn: called with sentences on columns that can be read, and probably not as meant; they show no cell.

    Returns:
        The fitted encoders.

    Raises:
        DataError: a cell is malformed, too far from the others or has too many values.
    """
    columns = dict(zip((one.key for one in features), _columns(features, training, f"{party}: {source}"), strict=True))
    fitted = {feature.key: _fit(feature, columns[feature.key]) for feature in features}
    if warn is not None:
        for feature in features:
            for remark in encoder_remarks(fitted[feature.key], columns[feature.key]):
                warn(remark)
    for feature in features:
        if isinstance(feature, SequenceFeature) and feature.shares:
            vocabulary = fitted[str(feature.target)]
            if isinstance(vocabulary, VocabularyEncoder):
                fitted[feature.key] = SequenceEncoder(feature=feature, texts=vocabulary.texts)
    return Encoders(party=party, encoders=tuple(fitted.values()))


def encoders_from_json(text: str, features: Sequence[AnyFeature]) -> Encoders:
    """Restores fitted encoders.

    Args:
        text: what `Encoders.to_json` returned.
        features: as the configuration lists them now.

    Returns:
        Encoders that encode exactly like the stored ones.

    Raises:
        StorageError: the text is damaged, or was fitted for features that differ from the configuration's.
    """
    where = "fitted encoders"
    _check_version(text, where)
    try:
        encoders = Encoders.model_validate_json(text)
    except ValidationError as error:
        received = f"{error.error_count()} problems"
        public_message = "the fitted encoders of the run cannot be read"
        raise StorageError(
            "cannot be read", where=where, received=received, fix="fit them again", public_message=public_message
        ) from None
    stored = [encoder.feature for encoder in encoders.encoders]
    differing = [mine.key for mine, theirs in zip(features, stored, strict=False) if mine != theirs]
    if len(stored) != len(features) or differing:
        raise StorageError(
            "do not fit data.features",
            where=where,
            expected=f"{len(features)} features as configured",
            received=f"{len(stored)} features, differing in {', '.join(differing) or 'number'}",
            fix="restore the configuration or train anew",
            public_message="data.features differ from those that the run was trained with",
        )
    return encoders


def _check_version(text: str, where: str) -> None:
    """Refuses what an earlier version fitted, to which cells had other texts; a damaged form is told later."""
    try:
        fields = json.loads(text)
    except ValueError:
        return
    version = fields.get("version") if isinstance(fields, dict) else None
    known = Encoders.model_fields["version"].default
    if isinstance(version, int) and version != known:
        what = "were fitted by another version, to which the same cells mean other values"
        raise StorageError(
            what,
            where=where,
            expected=f"form {known}",
            received=f"form {version}",
            fix="train anew",
            public_message=f"the fitted encoders of the run {what}; train anew",
        )


def _columns(features: Sequence[AnyFeature], columns: TextColumns, where: str) -> Iterator[Cells]:
    """The cells of each feature."""
    as_written = columns_as_written(features)
    for feature in features:
        names = feature.source_columns
        place = f"{where}: column{'s' if len(names) > 1 else ''} {' and '.join(names)}"
        yield _cells(feature, _column(feature, columns, as_written), place)


def _column(feature: AnyFeature, columns: TextColumns, as_written: Collection[str]) -> TextColumn:
    """What a feature reads; where another one reads whole cells as they are written, they are made values here."""
    first, *others = (
        canonical_column_of(columns[name]) if name in as_written and not feature.keeps_notation else columns[name]
        for name in feature.source_columns
    )
    return pairs(first, *others) if others else first


def _cells(feature: AnyFeature, column: TextColumn, where: str) -> Cells:
    is_as_written = feature.exact or feature.reads_exact_text
    missing = feature.missing if is_as_written else tuple(map(canonical_text, feature.missing))
    if not feature.has_several or not missing:
        return read_cells(column, missing, where)
    # The list of one value is missing where this value is.
    cells = read_cells(column, (), where)
    wholes = [text.removesuffix(VALUE_SEPARATOR) for text in cells.texts]
    values = wholes if feature.exact else map(canonical_text, wholes)
    return replace(cells, missing=np.fromiter((one in ("", *missing) for one in values), np.bool_, len(wholes)))


def _fit(feature: AnyFeature, cells: Cells) -> AnyEncoder:
    encoder: AnyEncoder
    match feature:
        case HashFeature():
            encoder = HashEncoder(feature=feature)
        case VocabularyFeature():
            encoder = VocabularyEncoder.fit(feature, cells)
        case IntegerBucketsFeature():
            encoder = IntegerBucketsEncoder(feature=feature)
        case NumericFeature():
            encoder = NumericEncoder.fit(feature, cells)
        case DatetimeFeature():
            encoder = DatetimeEncoder.fit(feature, cells)
        case MultiHotFeature():
            encoder = MultiHotEncoder.fit(feature, cells)
        case SequenceFeature():
            encoder = SequenceEncoder.fit(feature, cells)
    return encoder


def _expand(encoder: AnyEncoder, cells: Cells) -> tuple[EncodedFeature, ...]:
    return tuple(_by_text(encoder.feature, encoding, cells) for encoding in encoder.encodings(cells))


def _by_text(feature: AnyFeature, of_texts: NamedEncoding, cells: Cells) -> EncodedFeature:
    target = feature.target if isinstance(feature, SequenceFeature) else None
    shared = isinstance(feature, SequenceFeature) and feature.shares
    return EncodedFeature(
        name=of_texts.name,
        kind=of_texts.kind,
        column=cells.column,
        encoding=_of_all_texts(of_texts.encoding, cells),
        size=of_texts.size,
        table=str(target) if shared else of_texts.name,
        target=target,
    )


def _of_all_texts(encoding: Encoding, cells: Cells) -> Encoding:
    """The encoded form of all texts of a column, zeros for those that no row of these cells holds."""
    count = len(cells.column.distinct)
    if count == len(cells.numbers):
        return encoding
    indices = np.zeros((count, encoding.indices.shape[1]), np.int32)
    values = np.zeros(indices.shape, np.float32)
    indices[cells.numbers], values[cells.numbers] = encoding.indices, encoding.values
    return Encoding(indices, values)
