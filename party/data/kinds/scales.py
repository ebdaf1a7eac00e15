"""Where numbers lie and how far they spread, as functions of the set of rows: their order changes no bit."""

from __future__ import annotations

import math
from itertools import chain, repeat
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from party.configuration.numeric_feature import Scaling
from party.configuration.strict import StrictModel

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
QUARTILES = (0.25, 0.5, 0.75)


class Scale(StrictModel):
    """Moves and scales numbers.

    Attributes:
        centre: the number that becomes 0; 0 where there were no numbers.
        spread: the difference that becomes 1; 1 where the numbers did not vary.
    """

    centre: float = Field(allow_inf_nan=False, repr=False)
    spread: float = Field(gt=0.0, allow_inf_nan=False, repr=False)

    @classmethod
    def fit(cls, numbers: Numbers, counts: Counts, scaling: Scaling) -> Self | None:
        """Finds the centre and the spread of numbers.

        Args:
            numbers: finite, float64 (numbers,).
            counts: how many rows have each, int64 (numbers,), at least 1.
            scaling: mean and deviation of the population; or median and interquartile range, in place of which comes
                the deviation where half of the numbers are equal; or 0 and 1.

        Returns:
            The scale; None if the numbers lie too far apart for one.
        """
        if scaling == "none":
            return cls(centre=0.0, spread=1.0)
        centre, spread = moments(numbers, counts) if scaling == "standard" else _middle(numbers, counts)
        if not (math.isfinite(centre) and math.isfinite(spread)):
            return None
        return cls(centre=centre, spread=spread)

    def apply(self, numbers: Numbers) -> NDArray[np.float32] | None:
        """Scales numbers.

        Args:
            numbers: float64 (numbers,); NaN where there is none.

        Returns:
            float32 (numbers,), 0 where there is none; None if a number lies too far from the others to be represented.
        """
        with np.errstate(over="ignore"):
            scaled = ((numbers - self.centre) / self.spread).astype(np.float32)
        return None if np.isinf(scaled).any() else np.nan_to_num(scaled, nan=0.0)


def moments(numbers: Numbers, counts: Counts) -> tuple[float, float]:
    """Mean and deviation from exactly rounded sums: the same bits for any order of rows, on any machine.

    Args:
        numbers: finite, float64 (numbers,).
        counts: how many rows have each, int64 (numbers,), at least 1.

    Returns:
        Mean, and deviation of the population: 0 and 1 without numbers, 1 for a deviation of 0, infinite ones for
        numbers that lie too far apart.
    """
    if numbers.size == 0:
        return 0.0, 1.0
    if numbers.min() == numbers.max():
        # The rounded mean of equal numbers may differ from them, which would pass for a deviation.
        return float(numbers[0]), 1.0
    try:
        with np.errstate(over="ignore"):
            rows = int(counts.sum())
            mean = _sum(numbers, counts) / rows
            deviation = math.sqrt(_sum(np.square(numbers - mean), counts) / rows)
    except OverflowError:
        return math.inf, math.inf
    return mean, deviation or 1.0


def _sum(numbers: Numbers, counts: Counts) -> float:
    """The exactly rounded sum over all rows, none of which is in memory."""
    return math.fsum(chain.from_iterable(map(repeat, numbers.tolist(), counts.tolist())))


def quantiles(numbers: Numbers, counts: Counts, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles with linear interpolation between neighbours, as NumPy and pandas have them.

    Args:
        numbers: finite, float64 (numbers,), at least one.
        counts: how many rows have each, int64 (numbers,), at least 1.
        shares: from 0 to 1.

    Returns:
        One number for each share; infinite where neighbours lie too far apart.
    """
    order = np.argsort(numbers)
    last = np.cumsum(counts[order])  # of the rows of each number
    places = np.array(shares) * (last[-1] - 1)
    below = np.floor(places)
    # No number is repeated for its rows: between two neighbours NumPy has the very same quantile.
    neighbours = [numbers[order[np.searchsorted(last, end, side="right")]] for end in (below, np.ceil(places))]
    with np.errstate(over="ignore", invalid="ignore"):
        found = [np.quantile(pair, part) for pair, part in zip(np.transpose(neighbours), places - below, strict=True)]
    return tuple(np.nan_to_num(found, nan=np.inf).tolist())


def _middle(numbers: Numbers, counts: Counts) -> tuple[float, float]:
    """Median and interquartile range; the deviation in its place where half of the numbers are equal."""
    if not numbers.size:
        return 0.0, 1.0
    lower, centre, upper = quantiles(numbers, counts, QUARTILES)
    return centre, upper - lower or moments(numbers, counts)[1]
