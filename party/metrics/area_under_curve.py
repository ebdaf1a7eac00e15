"""The area under the ROC curve of one pass."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

_BLOCK_ROWS = 1 << 20  # looked up together, so that memory does not grow with the rows
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


def area_under_curve(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]) -> float:
    """Area under the ROC curve, ties counted half.

    Args:
        scores: float (rows,), any monotone function of the probability.
        labels: float (rows,), 0 or 1.

    Returns:
        The area; NaN where one class is absent.

    Reference:
        Hanley and McNeil 1982: the Mann-Whitney statistic over its maximum.
    """
    is_positive = labels > 0
    positives, negatives = np.sort(scores[is_positive]), np.sort(scores[~is_positive])
    if not len(positives) or not len(negatives):
        return float("nan")
    twice_below = 0  # negatives below each positive, ties counted half: an exact number, twice
    for start in range(0, len(positives), _BLOCK_ROWS):
        block = positives[start : start + _BLOCK_ROWS]
        for side in _SIDES:
            twice_below += int(np.searchsorted(negatives, block, side).sum())
    return twice_below / 2 / (len(positives) * len(negatives))
