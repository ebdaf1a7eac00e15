"""Whole numbers put into buckets."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from party.configuration.features import IntegerBucketsFeature
from party.data.kinds.advice import number_advice
from party.data.kinds.cells import Cells, Encoding, SingleEncoder, malformed_cells, one_index

# Zeros after the point are still a whole number: many tools write 3.0 once a column has had an empty cell.
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)(?:\.0*)?\s*", re.ASCII)
# The canonical text of a whole number of more than 21 digits.
_LARGE = re.compile(r"-?[0-9](?:\.[0-9]+)?e\+[0-9]{2}", re.ASCII)
# Beyond this a text is no quantity, and Python itself refuses to convert very long ones.
_MAXIMUM_CHARACTERS = 100


class IntegerBucketsEncoder(SingleEncoder):
    """Index 0 is missing, 1 is below the first boundary, 2 from the first boundary on, and so on."""

    kind: Literal["integer_buckets"] = "integer_buckets"
    feature: IntegerBucketsFeature

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return len(self.feature.boundaries) + 2

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        indices = self._indices(cells)
        malformed = (indices == 0) & ~cells.missing
        if self.feature.malformed == "error" and malformed.any():
            advice = number_advice(cells, malformed, kind=self.kind)
            raise malformed_cells(cells, malformed, expected="whole numbers", advice=advice)
        return one_index(indices)

    def missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether the feature treats a text as missing, bool, shape (distinct texts,)."""
        return np.equal(self._indices(cells), 0)

    def numbers(self, cells: Cells) -> NDArray[np.float64]:
        """The number of each distinct text, float64 (distinct texts,), NaN where it is missing."""
        whole = (
            None if missing else _whole_number(text) for text, missing in zip(cells.texts, cells.missing, strict=True)
        )
        return np.fromiter((math.nan if one is None else one for one in whole), np.float64, count=len(cells.texts))

    def advice(self, cells: Cells) -> str:
        """What malformed cells that count as missing look like; empty if nothing known."""
        return number_advice(cells, self.missing(cells) & ~cells.missing, kind=self.kind)

    def _indices(self, cells: Cells) -> NDArray[np.int32]:
        """Index of each distinct text; 0 for missing and malformed ones."""
        indices = np.fromiter((self._index(text) for text in cells.texts), dtype=np.int32, count=len(cells.texts))
        indices[cells.missing] = 0
        return indices

    def _index(self, text: str) -> int:
        number = _whole_number(text)
        return 0 if number is None else 1 + bisect_right(self.feature.boundaries, number)


def _whole_number(text: str) -> int | None:
    if len(text) > _MAXIMUM_CHARACTERS:
        return None
    match = _INTEGER.fullmatch(text)
    if match is not None:
        return int(match[1])
    number = Decimal(text if _LARGE.fullmatch(text) is not None else "NaN")
    return int(number) if number == number.to_integral_value() else None
