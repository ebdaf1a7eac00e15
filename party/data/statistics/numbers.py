"""Range, mean, deviation and outliers of numbers, from distinct numbers and how many rows have each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from party.data.statistics.thresholds import OUTLIER_RANGES

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
_QUARTILES = (0.25, 0.75)
_TENTHS = tuple(number / 10 for number in range(1, 10))


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberStatistics:
    """The numbers of a feature.

    Attributes:
        rows: number of rows with a number, at least 1.
        distinct: number of distinct numbers.
        least: the least number.
        greatest: the greatest number.
        mean: mean over rows.
        deviation: deviation of the population.
        outliers: number of rows more than `OUTLIER_RANGES` interquartile ranges outside of the quartiles; 0 where the
            quartiles are equal.
        whole: whether all numbers are whole.
        tenths: numbers that divide the rows into ten parts, each number once, ascending, float64 (at most 9,).
    """

    rows: int
    distinct: int
    least: float
    greatest: float
    mean: float
    deviation: float
    outliers: int
    whole: bool
    tenths: Numbers = field(repr=False)

    def rows_by_tenth(self, numbers: Numbers, counts: Counts) -> Counts:
        """Number of rows in each part that `tenths` makes, int64 (parts,); a bound belongs to the part below it.

        Args:
            numbers: of any dataset, float64 (numbers,), NaN where there is none.
            counts: number of rows of each, int64 (numbers,).
        """
        given = ~np.isnan(numbers)
        parts = np.searchsorted(self.tenths, numbers[given], side="left")
        return _sums(parts, counts[given], len(self.tenths) + 1)


def number_statistics(numbers: Numbers, counts: Counts) -> NumberStatistics | None:
    """Computes the statistics of numbers; their order does not matter.

    Args:
        numbers: float64 (numbers,), NaN where there is none; a number may be repeated.
        counts: number of rows of each, int64 (numbers,).

    Returns:
        The statistics; None without any number.
    """
    given = ~np.isnan(numbers) & (counts > 0)
    if not given.any():
        return None
    distinct, places = np.unique(numbers[given], return_inverse=True)
    rows = _sums(places, counts[given], len(distinct))
    total = int(rows.sum())
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.dot(distinct, rows / total))
        deviation = float(np.sqrt(np.dot(np.square(distinct - mean), rows / total)))
        lower, upper = _quantiles(distinct, rows, _QUARTILES)
        reach = OUTLIER_RANGES * (upper - lower)
        outside = (distinct < lower - reach) | (distinct > upper + reach)
    return NumberStatistics(
        rows=total,
        distinct=len(distinct),
        least=float(distinct[0]),
        greatest=float(distinct[-1]),
        mean=mean,
        deviation=deviation if len(distinct) > 1 else 0.0,
        outliers=int(rows[outside].sum()) if upper > lower else 0,
        whole=bool((distinct == np.floor(distinct)).all()),
        tenths=np.unique(_quantiles(distinct, rows, _TENTHS)),
    )


def _quantiles(distinct: Numbers, rows: Counts, shares: tuple[float, ...]) -> Numbers:
    """Quantiles of all rows with linear interpolation between neighbours, as NumPy and pandas have them."""
    last = np.cumsum(rows)
    places = np.array(shares) * (last[-1] - 1)
    below, above = np.floor(places), np.ceil(places)
    low, high = (distinct[np.searchsorted(last, place, side="right")] for place in (below, above))
    part = places - below
    # A difference of large numbers would overflow; equal neighbours must not be rounded apart.
    found: Numbers = np.where(low == high, low, low * (1 - part) + high * part)
    return found


def _sums(places: NDArray[np.int64], counts: Counts, parts: int) -> Counts:
    # As float64, sums of counts are exact below 2^53.
    return np.bincount(places, weights=counts, minlength=parts).astype(np.int64)
