"""Which values of a metric are better."""

from __future__ import annotations

from enum import Enum


class Direction(Enum):
    """Which values of a metric are better.

    Attributes:
        SMALLER: smaller ones, as of a loss.
        LARGER: larger ones, as of an area under a curve.
        ONE: those near to 1, as of a ratio.
        UNKNOWN: neither is better in itself, as of a count of rows that are predicted to be positive.
    """

    SMALLER = "min"
    LARGER = "max"
    ONE = "one"
    UNKNOWN = "unknown"
