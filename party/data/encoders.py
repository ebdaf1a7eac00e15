"""Encodes columns of text as index and value arrays, once, when the data is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from party.configuration.features import (
    AnyFeature,
    HashFeature,
    IntegerBucketsFeature,
    MultiHotFeature,
    NumericFeature,
    SequenceFeature,
    VocabularyFeature,
)
from party.configuration.strict import StrictModel
from party.data.kinds.cells import Cells, Encoding, read_cells
from party.data.kinds.hash_buckets import HashEncoder
from party.data.kinds.integer_buckets import IntegerBucketsEncoder
from party.data.kinds.multi_hot import MultiHotEncoder
from party.data.kinds.numeric import NumericEncoder
from party.data.kinds.sequence import SequenceEncoder
from party.data.kinds.vocabulary import VocabularyEncoder
from party.data.text_columns import TextColumn, TextColumns
from party.errors import StorageError

AnyEncoder = Annotated[
    HashEncoder | VocabularyEncoder | IntegerBucketsEncoder | NumericEncoder | MultiHotEncoder | SequenceEncoder,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedFeature:
    """One feature of every row, ready for an embedding lookup weighted by values.

    Attributes:
        name: name of the feature.
        kind: kind of the feature, as in the configuration.
        column: the column that it was encoded from.
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


class Encoders(StrictModel):
    """The encoders of a party's features, in the order of the configuration, fitted on its training rows.

    Attributes:
        version: version of the stored form.
        party: name of this party, for errors.
        encoders: one per feature.
    """

    version: Literal[1] = 1
    party: str
    encoders: tuple[AnyEncoder, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Embedding rows of each feature."""
        return tuple(encoder.size for encoder in self.encoders)

    def encode(self, columns: TextColumns, source: str) -> tuple[EncodedFeature, ...]:
        """Encodes rows; each depends on its own cells alone.

        Args:
            columns: columns, among them the features'.
            source: name of their file, for errors.

        Returns:
            One encoded feature per feature, in the order of the configuration.

        Raises:
            DataError: a cell is malformed, too far from the others or has too many values.
        """
        return tuple(
            _expand(encoder, _cells(encoder.feature, columns, self.party, source)) for encoder in self.encoders
        )

    def missing_rows(self, columns: TextColumns, source: str) -> tuple[int, ...]:
        """Counts the rows in which each feature is missing, cells that its configuration treats so included.

        Args:
            columns: columns, among them the features'.
            source: name of their file, for errors.

        Returns:
            One count per feature, in the order of the configuration.

        Raises:
            DataError: a cell of a numeric feature is malformed.
        """
        read = [(one, _cells(one.feature, columns, self.party, source)) for one in self.encoders]
        return tuple(cells.row_count(encoder.missing(cells)) for encoder, cells in read)

    def to_json(self) -> str:
        """Everything that was fitted, for `encoders_from_json`; it holds values of data and must stay at the party."""
        return self.model_dump_json()


def fit_encoders(party: str, features: Sequence[AnyFeature], training: TextColumns, source: str) -> Encoders:
    """Fits one encoder per feature on the training rows; their order does not matter.

    Args:
        party: name of this party, for errors.
        features: as the configuration lists them.
        training: columns of the training rows, among them the features'.
        source: name of their file, for errors.

    Returns:
        The fitted encoders.

    Raises:
        DataError: a cell is malformed, too far from the others or has too many values.
    """
    columns = {feature.key: _cells(feature, training, party, source) for feature in features}
    fitted = {feature.key: _fit(feature, columns[feature.key]) for feature in features}
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


def _cells(feature: AnyFeature, columns: TextColumns, party: str, source: str) -> Cells:
    return read_cells(columns[feature.column], feature.missing, f"{party}: {source}: column {feature.column}")


def _fit(feature: AnyFeature, cells: Cells) -> AnyEncoder:
    match feature:
        case HashFeature():
            return HashEncoder(feature=feature)
        case VocabularyFeature():
            return VocabularyEncoder.fit(feature, cells)
        case IntegerBucketsFeature():
            return IntegerBucketsEncoder(feature=feature)
        case NumericFeature():
            return NumericEncoder.fit(feature, cells)
        case MultiHotFeature():
            return MultiHotEncoder.fit(feature, cells)
        case SequenceFeature():
            return SequenceEncoder.fit(feature, cells)


def _expand(encoder: AnyEncoder, cells: Cells) -> EncodedFeature:
    feature = encoder.feature
    target = feature.target if isinstance(feature, SequenceFeature) else None
    shared = isinstance(feature, SequenceFeature) and feature.shares
    return EncodedFeature(
        name=feature.key,
        kind=encoder.kind,
        column=cells.column,
        encoding=_of_all_texts(encoder.encode(cells), cells),
        size=encoder.size,
        table=str(target) if shared else feature.key,
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
