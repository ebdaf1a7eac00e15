"""Texts of several values: sets of vocabulary indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from party.configuration.features import MultiHotFeature
from party.data.kinds.cells import Cells, Encoding, SingleEncoder
from party.data.kinds.texts import UNKNOWN, Texts, index_by_text, utf8_sorted, vocabulary_size
from party.errors import DataError


class MultiHotEncoder(SingleEncoder):
    """A row's indices ascend and are padded with 0; index 1 is unknown, once per row; then the texts.

    Spaces around a value do not count, nor do empty values or repeated ones. A missing cell has no
    active value. The training rows fix the width: a later cell with more values keeps the first
    known ones by index, and unknown only if there is room.

    Attributes:
        texts: the values that training rows hold, by their UTF-8 bytes.
        width: most values in any cell of the training rows, at least 1.
    """

    kind: Literal["multi_hot"] = "multi_hot"
    feature: MultiHotFeature
    texts: Texts
    width: int = Field(ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.width > self.feature.maximum_values:
            raise ValueError("width must be at most maximum_values")
        return self

    @classmethod
    def fit(cls, feature: MultiHotFeature, cells: Cells) -> Self:
        """Learns the values and the width of the training rows.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.

        Raises:
            DataError: a cell has too many values.
        """
        sets = _split(feature, cells)
        rows: Counter[str] = Counter()
        for values, count in zip(sets, cells.counts().tolist(), strict=True):
            for value in values:
                rows[value] += count
        texts = utf8_sorted(value for value, count in rows.items() if count >= feature.minimum_count)
        return cls(feature=feature, texts=texts, width=max([1, *map(len, sets)]))

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return vocabulary_size(self.texts)

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        index_of = index_by_text(self.texts)
        indices = np.zeros((len(cells.texts), self.width), np.int32)
        for row, values in zip(indices, _split(self.feature, cells), strict=True):
            active = sorted({index_of.get(value, UNKNOWN) for value in values})
            if len(active) > self.width:
                active = [index for index in active if index != UNKNOWN][: self.width]
            row[: len(active)] = active
        return Encoding(indices, (indices > 0).astype(np.float32))


def _split(feature: MultiHotFeature, cells: Cells) -> Sequence[set[str]]:
    """The set of values of each distinct text."""
    sets = [
        set() if missing else {part.strip() for part in text.split(feature.separator)} - {""}
        for text, missing in zip(cells.texts, cells.missing.tolist(), strict=True)
    ]
    too_many = np.fromiter((len(values) > feature.maximum_values for values in sets), dtype=np.bool_, count=len(sets))
    if too_many.any():
        raise DataError(
            "cells have too many values",
            where=cells.where,
            expected=f"at most {feature.maximum_values} (maximum_values)",
            received=f"{cells.row_count(too_many)} rows with more",
            fix="raise maximum_values or check the separator",
        )
    return sets
