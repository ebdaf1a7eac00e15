"""Bounds on how far one row can move figures of positive rows.

They follow from the number of positive rows, which whoever chooses outputs cannot change. It is rounded down to 1, 2 or
5 times a power of ten first, because the step of the grid would reveal it. With P positive rows in all, at least P − 1
are left when one row is taken away, and at least as many with any other row in its place.
"""

from __future__ import annotations

import numpy as np

from party.metrics.bounded_figures import BoundedFigure, count_below

RATIO_LIMIT = 2.0  # a larger ratio of expected to actual positive rows is released as this one


def f1_bound(positives: int) -> float:
    """Bounds how far one row can change F1 = 2 T / D, with T rows found and D rows positive or predicted to be.

    Of the other rows let T be found and D be positive or predicted, 2 T ≤ D. The row adds (0, 0), (0, 1) or (1, 2) to
    these, so that two values of F1 differ by at most 2 (D − T + 1) / ((D + 1) (D + 2)) ≤ 2 / (D + 2), or 1 / (D + 1).

    Args:
        positives: number of positive rows, at least 1.

    Returns:
        At least 2 / positives.
    """
    return 2.0 / count_below(positives)


def precision_bound(positives: int) -> float:
    """Bounds how far one row can change the average precision.

    Beside P other positive rows, one row changes the precision at the i-th of them by at most 1 / (i + 1), as at least
    i rows are scored as high: a negative row lowers the mean of P precisions by at most (H − 1) / P, with H the sum of
    1 / i up to P + 1. A positive one raises it by at most H / (P + 1), with a precision of its own. Together that is
    below (2 H − 1) / P.

    Args:
        positives: number of positive rows, at least 2.

    Returns:
        At least (2 H − 1) / (positives − 1).
    """
    count = count_below(positives)
    return float((2.0 * (1.0 / np.arange(1, count + 1)).sum() - 1.0) / (count - 1))


def bounded_ratio(expected: float, positives: int) -> BoundedFigure:
    """Bounds the ratio of expected to actual positive rows, clipped to RATIO_LIMIT.

    One probability changes the ratio by at most 1 / P, one label a ratio below the limit by at most RATIO_LIMIT / P.

    Args:
        expected: sum of the probabilities.
        positives: number of positive rows, at least 2.

    Returns:
        The figure.
    """
    bound = (1.0 + RATIO_LIMIT) / (count_below(positives) - 1)
    return BoundedFigure(min(RATIO_LIMIT, expected / positives), bound, span=RATIO_LIMIT)
