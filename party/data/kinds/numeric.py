"""Numbers, standardised."""

from __future__ import annotations

import math
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from party.configuration.features import NumericFeature
from party.data.kinds.cells import Cells, Encoder, Encoding, parse_number, refuse_malformed
from party.errors import DataError


class NumericEncoder(Encoder):
    """Index 0 with the value (number - mean) / deviation; a missing cell has the value 0, the mean.

    Attributes:
        mean: mean of the training rows' numbers; 0 where there are none.
        deviation: deviation of the training rows' numbers, of the population; 1 where they do not vary.
    """

    kind: Literal["numeric"] = "numeric"
    feature: NumericFeature
    mean: float = Field(allow_inf_nan=False, repr=False)
    deviation: float = Field(gt=0.0, allow_inf_nan=False, repr=False)

    @classmethod
    def fit(cls, feature: NumericFeature, cells: Cells) -> Self:
        """Learns mean and standard deviation of the training rows, without the missing ones.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.

        Raises:
            DataError: a cell is malformed, or the numbers are too far apart.
        """
        numbers = _numbers(feature, cells)[cells.codes]
        mean, deviation = _moments(numbers[~np.isnan(numbers)])
        if not (math.isfinite(mean) and math.isfinite(deviation)):
            raise _too_far_apart(cells)
        return cls(feature=feature, mean=mean, deviation=deviation)

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return 1

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        numbers = _numbers(self.feature, cells)
        with np.errstate(over="ignore"):
            standardised = ((numbers - self.mean) / self.deviation).astype(np.float32)
        if np.isinf(standardised).any():
            raise _too_far_apart(cells)
        values = np.nan_to_num(standardised, nan=0.0).reshape(-1, 1)
        return Encoding(np.zeros(values.shape, np.int32), values)

    def missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether the feature treats a text as missing, bool, shape (distinct texts,)."""
        return np.isnan(_numbers(self.feature, cells))


def _numbers(feature: NumericFeature, cells: Cells) -> NDArray[np.float64]:
    """The number of each distinct text, NaN where it is missing, or malformed and counted as missing."""
    numbers = np.fromiter((parse_number(text) for text in cells.texts), dtype=np.float64, count=len(cells.texts))
    refuse_malformed(cells, np.isnan(numbers) & ~cells.missing, feature.malformed, expected="finite numbers")
    numbers[cells.missing] = math.nan
    return numbers + 0.0  # -0.0 becomes 0.0: equal numbers must have equal bits, whichever row comes first


def _moments(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and deviation from exactly rounded sums: the same bits for any order of rows, on any machine."""
    if numbers.size == 0:
        return 0.0, 1.0
    if numbers.min() == numbers.max():
        # The rounded mean of equal numbers may differ from them, which would pass for a deviation.
        return float(numbers[0]), 1.0
    try:
        with np.errstate(over="ignore"):
            mean = math.fsum(numbers.tolist()) / numbers.size
            deviation = math.sqrt(math.fsum(np.square(numbers - mean).tolist()) / numbers.size)
    except OverflowError:
        return math.inf, math.inf
    return mean, deviation or 1.0


def _too_far_apart(cells: Cells) -> DataError:
    return DataError("numbers lie too far apart to standardise", where=cells.where, fix="correct the file")
