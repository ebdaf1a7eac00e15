"""Whether two datasets differ by more than chance explains, and by enough to matter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from party.data.statistics.numbers import NumberStatistics
from party.data.statistics.thresholds import CHANCE, STANDARD_ERRORS

Counts = NDArray[np.int64]


def shares_differ(first: tuple[int, int], second: tuple[int, int], least: float) -> bool:
    """Whether two shares differ by more than `least`, and by more than `STANDARD_ERRORS`.

    Args:
        first: number of rows with a property, and number of all rows, at least 1.
        second: the same of another dataset.
        least: difference that matters.
    """
    (some, rows), (others, other_rows) = first, second
    difference = abs(some / rows - others / other_rows)
    pooled = (some + others) / (rows + other_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / other_rows))
    return difference > least and difference > STANDARD_ERRORS * error


def mean_shift(learned: NumberStatistics, found: NumberStatistics) -> float:
    """How far a mean moved, in deviations of the training rows.

    Args:
        learned: numbers of the training rows.
        found: numbers of another dataset.

    Returns:
        The distance; 0 where it is within `STANDARD_ERRORS`, or where the training rows do not vary.
    """
    error = math.hypot(learned.deviation / math.sqrt(learned.rows), found.deviation / math.sqrt(found.rows))
    difference = abs(found.mean - learned.mean)
    if not math.isfinite(difference) or not learned.deviation or difference <= STANDARD_ERRORS * error:
        return 0.0
    return difference / learned.deviation


def variation_distance(first: Counts, second: Counts, *, rows: tuple[int, int]) -> float:
    """Total variation distance between two distributions.

    Two samples of one distribution with parts r_k lie on average at most 1/2 sum sqrt(r_k (1 - r_k) (1/n + 1/m)) apart,
    by Jensen's inequality. One row moves the distance by at most 1/n or 1/m, so that by McDiarmid's inequality it
    exceeds its mean by sqrt(ln(1/p) / 2 (1/n + 1/m)) with a probability of at most p. What lies within both counts as
    chance.

    Args:
        first: cells, or values of cells, in each part, int64 (parts,).
        second: the same of another dataset.
        rows: number of rows that each of both comes from: of them, those that hold several values are one sample each.

    Returns:
        From 0 to 1; 0 where chance explains it, or one of them is empty.

    Reference:
        McDiarmid, "On the method of bounded differences", Surveys in Combinatorics, 1989.
    """
    if not first.sum() or not second.sum() or not all(rows):
        return 0.0
    distance = 0.5 * float(np.abs(first / first.sum() - second / second.sum()).sum())
    pooled = (first + second) / (first.sum() + second.sum())
    variance = 1 / rows[0] + 1 / rows[1]
    mean = 0.5 * float(np.sqrt(pooled * (1 - pooled) * variance).sum())
    chance = mean + math.sqrt(math.log(1 / CHANCE) / 2 * variance)
    return distance if distance > chance else 0.0
