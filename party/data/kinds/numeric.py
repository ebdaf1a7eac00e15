"""Numbers, bounded and scaled."""

from __future__ import annotations

import math
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from party.configuration.numeric_feature import NumericFeature
from party.data.kinds.advice import number_advice
from party.data.kinds.cells import Cells, Encoding, SingleEncoder, malformed_cells
from party.data.kinds.notations import number_parser
from party.data.kinds.scales import Scale, quantiles
from party.errors import DataError

Numbers = NDArray[np.float64]
Bound = float | None


class NumericEncoder(SingleEncoder):
    """Index 0 with the value (number - centre) / spread; a missing cell has the value 0.

    Numbers are bounded first, and then log(1 + number) takes their place if the feature says so.

    Attributes:
        low: least number of the training rows, as the feature's `clip_quantiles` bounds them; None without them.
        high: the greatest one.
        scale: centre and spread of the training rows' numbers.
    """

    kind: Literal["numeric"] = "numeric"
    feature: NumericFeature
    low: Bound = Field(default=None, allow_inf_nan=False, repr=False)
    high: Bound = Field(default=None, allow_inf_nan=False, repr=False)
    scale: Scale = Field(repr=False)

    @classmethod
    def fit(cls, feature: NumericFeature, cells: Cells) -> Self:
        """Learns bounds, centre and spread of the training rows, without the missing ones.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.

        Raises:
            DataError: a cell is malformed, or the numbers are too far apart.
        """
        numbers = _numbers(feature, cells)
        present = ~np.isnan(numbers)
        numbers, counts = numbers[present], cells.counts[present]
        low, high = None, None
        if feature.clip_quantiles is not None and numbers.size:
            low, high = quantiles(numbers, counts, feature.clip_quantiles)
            if not math.isfinite(high - low):
                raise _too_far_apart(cells)
        scale = Scale.fit(_bounded(feature, numbers, low, high), counts, feature.scaling)
        if scale is None:
            raise _too_far_apart(cells)
        return cls(feature=feature, low=low, high=high, scale=scale)

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return 1

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        numbers = _bounded(self.feature, _numbers(self.feature, cells), self.low, self.high)
        values = self.scale.apply(numbers)
        if values is None:
            raise _too_far_apart(cells)
        return Encoding(np.zeros((len(values), 1), np.int32), values.reshape(-1, 1))

    def missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether the feature treats a text as missing, bool, shape (distinct texts,)."""
        return np.isnan(_numbers(self.feature, cells))

    def numbers(self, cells: Cells) -> Numbers:
        """The number of each distinct text, float64 (distinct texts,), NaN where it is missing."""
        return _numbers(self.feature, cells)

    def advice(self, cells: Cells) -> str:
        """What malformed cells that count as missing look like; empty if nothing known."""
        return number_advice(cells, np.isnan(_numbers(self.feature, cells)) & ~cells.missing)


def _numbers(feature: NumericFeature, cells: Cells) -> Numbers:
    """The number of each distinct text, NaN where it is missing, or malformed and counted as missing."""
    parse = number_parser(feature.notation)
    numbers = np.fromiter((parse(text) for text in cells.texts), dtype=np.float64, count=len(cells.texts))
    if feature.clip is not None:
        numbers = np.clip(numbers, *feature.clip)
    negative = (numbers < 0) & ~cells.missing if feature.log else np.zeros(len(numbers), np.bool_)
    numbers[negative] = math.nan
    malformed = np.isnan(numbers) & ~cells.missing
    if feature.malformed == "error" and malformed.any():
        expected = "finite numbers of at least 0, of which there is a logarithm" if feature.log else "finite numbers"
        advice = _negative_advice(cells, negative) or number_advice(cells, malformed)
        raise malformed_cells(cells, malformed, expected=expected, advice=advice)
    numbers[cells.missing] = math.nan
    return numbers + 0.0  # -0.0 becomes 0.0: equal numbers must have equal bits, whichever row comes first


def _negative_advice(cells: Cells, negative: NDArray[np.bool_]) -> str:
    rows, refused = cells.row_count(~cells.missing), cells.row_count(negative)
    return f"{refused} of {rows} rows are negative: leave out log, or bound them by clip" if 2 * refused > rows else ""


def _bounded(feature: NumericFeature, numbers: Numbers, low: Bound, high: Bound) -> Numbers:
    """Numbers between the bounds of the training rows, and their logarithms if the feature has them."""
    if low is not None or high is not None:
        numbers = np.clip(numbers, low, high)
    return np.log1p(numbers) if feature.log else numbers


def _too_far_apart(cells: Cells) -> DataError:
    return DataError(
        "numbers lie too far apart to scale",
        where=cells.where,
        fix="correct the file, or bound them by clip or clip_quantiles",
    )
