"""Texts of several values: sets of vocabulary indices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from party.configuration.features import MultiHotFeature
from party.data.kinds.cells import Cells, Encoding
from party.data.kinds.parts import SeveralEncoder
from party.data.kinds.several_values import check_count, several_values_advice, split_pairs
from party.data.kinds.texts import UNKNOWN, index_by_text, utf8_sorted


class MultiHotEncoder(SeveralEncoder):
    """A row's indices ascend and are padded with 0; index 1 is unknown, once per row; then the texts.

    Spaces around a value do not count, nor do empty values or repeated ones. A missing cell has no
    active value. A value's weight is 1, or the number beside it, summed over its repetitions; the weights of
    unknown values add up. The training rows fix the width: a later cell with more values keeps the first
    known ones by index, and unknown only if there is room.

    Attributes:
        width: most values in any cell of the training rows, at least 1.
    """

    kind: Literal["multi_hot"] = "multi_hot"
    feature: MultiHotFeature
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
        weights = _weighted_values(feature, cells)
        rows: Counter[str] = Counter()
        for values, count in zip(weights, cells.counts.tolist(), strict=True):
            for value in values:
                rows[value] += count
        texts = utf8_sorted(value for value, count in rows.items() if count >= feature.minimum_count)
        return cls(feature=feature, texts=texts, width=max([1, *map(len, weights)]))

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        index_of = index_by_text(self.texts)
        indices = np.zeros((len(cells.texts), self.width), np.int32)
        values = np.zeros(indices.shape, np.float32)
        for row, weights in enumerate(_weighted_values(self.feature, cells)):
            active, by_value = _active(weights, index_of, self.width)
            indices[row, : len(active)], values[row, : len(active)] = active, by_value
        if self.feature.value_separator is None:
            return Encoding(indices, (indices > 0).astype(np.float32))
        return Encoding(indices, values)

    def advice(self, cells: Cells) -> str:
        """What to do where cells are lists, or values pairs, that are not read so; empty where nothing is known."""
        return several_values_advice(self.feature, cells)


def _weighted_values(feature: MultiHotFeature, cells: Cells) -> Sequence[dict[str, float]]:
    """The weight of each value of each distinct text."""
    weights = split_pairs(feature, cells)
    check_count(feature, cells, [len(values) for values in weights])
    return weights


def _active(weights: dict[str, float], index_of: Mapping[str, int], width: int) -> tuple[list[int], list[float]]:
    """The indices of a cell, ascending, and their weights; unknown values add up."""
    unknown = [weight for value, weight in weights.items() if value not in index_of]
    by_index = {index_of[value]: weight for value, weight in weights.items() if value in index_of}
    if unknown and len(by_index) < width:
        by_index[UNKNOWN] = math.fsum(unknown)
    indices = sorted(by_index)[:width]
    return indices, [by_index[index] for index in indices]
