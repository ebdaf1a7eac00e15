"""Texts looked up in a vocabulary."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from party.configuration.canonical_text import canonical_text
from party.configuration.features import VocabularyFeature
from party.data.kinds.cells import Cells, Encoding, SingleEncoder, one_index
from party.data.kinds.texts import MISSING, UNKNOWN, Texts, index_by_text, utf8_sorted, vocabulary_size
from party.errors import DataError


class VocabularyEncoder(SingleEncoder):
    """Index 0 is missing, 1 is unknown, then the texts in their order.

    Attributes:
        texts: the vocabulary: learned texts by their UTF-8 bytes, given ones as given.
    """

    kind: Literal["vocabulary"] = "vocabulary"
    feature: VocabularyFeature
    texts: Texts

    @classmethod
    def fit(cls, feature: VocabularyFeature, cells: Cells) -> Self:
        """Learns the vocabulary of the training rows, unless the configuration gives one.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.

        Raises:
            DataError: the configuration gives a value twice.
        """
        if feature.values is None:
            return cls(feature=feature, texts=_learn(feature, cells))
        values = feature.values if feature.exact else tuple(map(canonical_text, feature.values))
        if len(set(values)) != len(values):
            fix = "give each of them once" + ("" if feature.exact else ", in one notation")
            raise DataError("values of the vocabulary are given twice", where=cells.where, fix=fix)
        return cls(feature=feature, texts=values)

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return vocabulary_size(self.texts)

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        index_of = index_by_text(self.texts)
        found = (index_of.get(text, UNKNOWN) for text in cells.texts)
        indices = np.fromiter(found, dtype=np.int32, count=len(cells.texts))
        indices[cells.missing] = MISSING
        return one_index(indices)


def _learn(feature: VocabularyFeature, cells: Cells) -> tuple[str, ...]:
    """The texts that are frequent enough; among equally frequent ones the first by UTF-8 bytes win."""
    counted = zip(cells.texts, cells.counts.tolist(), cells.missing.tolist(), strict=True)
    frequent = [(text, count) for text, count, missing in counted if not missing and count >= feature.minimum_count]
    if feature.maximum_size is not None:
        frequent.sort(key=lambda pair: (-pair[1], pair[0].encode()))
        frequent = frequent[: feature.maximum_size]
    return utf8_sorted(text for text, _ in frequent)
