"""How well a score tells two classes of rows apart."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]

CHANCE = 0.5


def area(scores: Scores, positive: Flags) -> float:
    """Area under the ROC curve, ties counted half.

    Args:
        scores: float (rows,).
        positive: class of each row, bool (rows,); both classes occur.

    Returns:
        From 0 to 1; 0.5 is what guessing reaches.

    Reference:
        Hanley and McNeil 1982: the Mann-Whitney statistic over its maximum.
    """
    ones, zeros = np.sort(scores[positive]), np.sort(scores[~positive])
    below, not_above = (np.searchsorted(zeros, ones, side).sum(dtype=np.int64) for side in ("left", "right"))
    return float(below + not_above) / (2 * len(ones) * len(zeros))


def separation(scores: Scores, positive: Flags) -> float:
    """The area under the ROC curve in whichever direction it is larger: the sign of a score may be arbitrary.

    Args:
        scores: float (rows,).
        positive: class of each row, bool (rows,); both classes occur.

    Returns:
        From 0.5 to 1.
    """
    found = area(scores, positive)
    return max(found, 1 - found)


def chance_error(positive: Flags) -> float:
    """Standard error of the area that two halves of the rows reach from each other where there is nothing to learn.

    Both halves then score by one and the same number, the product of the differences of their class means, so that
    the second adds nothing: the variance is that of one half, twice the one of all rows.

    Args:
        positive: class of each row, bool (rows,); both classes occur.

    Reference:
        Mann and Whitney 1947, variance of the statistic under independence.
    """
    ones = int(positive.sum())
    zeros = len(positive) - ones
    return math.sqrt((ones + zeros + 1) / (6 * ones * zeros))
