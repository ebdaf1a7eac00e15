"""Texts looked up in a vocabulary."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from party.configuration.features import VocabularyFeature
from party.data.kinds.cells import Cells, Encoder, Encoding, one_index, utf8_sorted
from party.errors import DataError

MISSING = 0
UNKNOWN = 1
FIRST = 2


class VocabularyEncoder(Encoder):
    """Index 0 is missing, 1 is unknown, then the texts in their order.

    Attributes:
        texts: the vocabulary: learned texts by their UTF-8 bytes, given ones as given.
    """

    kind: Literal["vocabulary"] = "vocabulary"
    feature: VocabularyFeature
    texts: tuple[str, ...] = Field(repr=False)

    @model_validator(mode="after")
    def _texts_differ(self) -> Self:
        if len(set(self.texts)) != len(self.texts):
            raise ValueError("texts must differ")
        return self

    @classmethod
    def fit(cls, feature: VocabularyFeature, cells: Cells) -> Self:
        """Learns the vocabulary of the training rows; one that the configuration gives is taken as it is."""
        if feature.values is None:
            return cls(feature=feature, texts=_learn(feature, cells))
        if len(set(feature.values)) != len(feature.values):
            raise DataError("values of the vocabulary are given twice", where=cells.where, fix="give each of them once")
        return cls(feature=feature, texts=feature.values)

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return FIRST + len(self.texts)

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        index_of = {text: FIRST + position for position, text in enumerate(self.texts)}
        found = (index_of.get(text, UNKNOWN) for text in cells.texts)
        indices = np.fromiter(found, dtype=np.int32, count=len(cells.texts))
        indices[cells.missing] = MISSING
        return one_index(indices)


def _learn(feature: VocabularyFeature, cells: Cells) -> tuple[str, ...]:
    """The texts that are frequent enough; among equally frequent ones the first by UTF-8 bytes win."""
    counted = zip(cells.texts, cells.counts().tolist(), cells.missing.tolist(), strict=True)
    frequent = [(text, count) for text, count, missing in counted if not missing and count >= feature.minimum_count]
    if feature.maximum_size is not None:
        frequent.sort(key=lambda pair: (-pair[1], pair[0].encode()))
        frequent = frequent[: feature.maximum_size]
    return utf8_sorted(text for text, _ in frequent)
