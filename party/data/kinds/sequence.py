"""Texts of several values in order: the latest ones as vocabulary indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from party.configuration.features import SequenceFeature
from party.data.kinds.cells import Cells, Encoding
from party.data.kinds.parts import SeveralEncoder, split_cells
from party.data.kinds.several_values import several_values_advice
from party.data.kinds.texts import UNKNOWN, index_by_text, utf8_sorted


class SequenceEncoder(SeveralEncoder):
    """A row's latest values in order, the most recent in the last slot; index 0 with value 0 pads in front.

    Spaces around a value do not count, nor do empty values. A missing cell is all padding. Index 1 is
    unknown; then come the texts of the vocabulary, which may be the target's.
    """

    kind: Literal["sequence"] = "sequence"
    feature: SequenceFeature

    @classmethod
    def fit(cls, feature: SequenceFeature, cells: Cells) -> Self:
        """Learns the values of the training rows, the latest `maximum_length` of each cell.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.
        """
        rows: Counter[str] = Counter()
        for values, count in zip(_latest(feature, cells), cells.counts.tolist(), strict=True):
            for value in set(values):
                rows[value] += count
        return cls(feature=feature, texts=utf8_sorted(text for text, n in rows.items() if n >= feature.minimum_count))

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        index_of = index_by_text(self.texts)
        length = self.feature.maximum_length
        indices = np.zeros((len(cells.texts), length), np.int32)
        for row, values in zip(indices, _latest(self.feature, cells), strict=True):
            if values:
                row[length - len(values) :] = [index_of.get(value, UNKNOWN) for value in values]
        return Encoding(indices, (indices > 0).astype(np.float32))

    def advice(self, cells: Cells) -> str:
        """What to do where cells are lists that are not read so; empty where nothing is known."""
        return several_values_advice(self.feature, cells)


def _latest(feature: SequenceFeature, cells: Cells) -> Sequence[Sequence[str]]:
    """The latest values of each distinct text, the most recent last."""
    return [values[-feature.maximum_length :] for values in split_cells(feature, cells)]
