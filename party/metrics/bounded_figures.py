"""Figures over many rows, with a bound on how far one row can move them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from party.metrics.grid import MANTISSAS


@dataclass(frozen=True)
class BoundedFigure:
    """A figure over the rows of a pass.

    Attributes:
        value: the exact figure.
        bound: most by which it changes when one row, with its label and its outputs, is replaced by another.
        root: whether its square root is released in its place.
        units: number of units behind it where these are not rows but groups of rows, or events with the negatives that
            were sampled for them, rounded down; None for rows.
        span: width of the interval in which the figure tells one model from another; 1 of a share or an area. It
            follows from nothing but what the step of the grid shows too.
    """

    value: float
    bound: float
    root: bool = False
    _: KW_ONLY
    units: int | None = None
    span: float = 1.0


def bounded_mean(values: npt.NDArray[np.floating], limit: float) -> BoundedFigure:
    """Averages over rows, each value clipped to between 0 and a limit.

    Args:
        values: float, shape (rows,), at least one row. NaN counts as the limit: a NaN in the mean would give its row
            away.
        limit: largest value, above 0.

    Returns:
        The mean in float64, with its bound; its span is the limit.
    """
    finite = np.nan_to_num(values.astype(np.float64), nan=limit, posinf=limit)
    return BoundedFigure(float(np.clip(finite, 0.0, limit).mean()), limit / len(values), span=limit)


def area_bound(positives: int, negatives: int, sampled: int = 1) -> float:
    """Bounds how far one row, or an event with its sampled negatives, can change the area under the ROC curve.

    The area is the mean, over the positive rows, of the share of negative rows that each is scored above; and the same
    with the classes exchanged. A new score changes it by at most 1 / P for a positive row and 1 / N for a negative one.
    A row whose label flips leaves a mean of P shares, which changes by at most 1 / P, and joins one of N + 1 shares: at
    most 1 / P + 1 / N together. The counts are rounded down to 1, 2 or 5 times a power of ten first, because the step
    of the grid would reveal them.

    An event has one positive row and k sampled negatives: new scores of all of them change it by 1 / P + k / N at most.

    Args:
        positives: number of rows of one class, at least 1.
        negatives: number of rows of the other class, at least 1.
        sampled: number of negatives of an event, at least 1; 1 also bounds the change by a single row.

    Returns:
        At least 1 / positives + sampled / negatives.
    """
    return 1 / count_below(positives) + sampled / count_below(negatives)


def count_below(count: int) -> int:
    """The largest of 1, 2 or 5 times a power of ten that does not exceed a count of at least 1."""
    power: int = 10 ** (len(str(count)) - 1)
    return max(mantissa * power for mantissa in MANTISSAS if mantissa * power <= count)
