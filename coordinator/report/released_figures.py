"""Figures with the digits that a label party released, and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from coordinator.figures import figure_text

DIGITS = 6  # significant digits of exact figures; rounded ones have fewer
ROUNDED_DIGITS = 3  # significant digits of figures that were rounded for a coordinator
SAME = 1e-12  # relative difference of one number in two notations


def value_text(value: float) -> str:
    """A figure with the digits that were released."""
    return figure_text(value, DIGITS)


def optional_text(value: float | None) -> str:
    """A figure with the digits that were released, if it is defined."""
    return "undefined" if value is None else value_text(value)


def last_digit(values: Sequence[float]) -> str:
    """The place of the last digit of any value, such as 0.001: nothing finer was released.

    Args:
        values: at least one.
    """
    exponents = [Decimal(value_text(value)).normalize().as_tuple().exponent for value in values]
    return f"{Decimal(1).scaleb(min([0, *(one for one in exponents if isinstance(one, int))])):f}"


def is_rounded(values: Sequence[float]) -> bool:
    """Whether no value has more digits than rounded figures have.

    Args:
        values: as released.
    """
    return all(math.isclose(float(f"{value:.{ROUNDED_DIGITS}g}"), value, rel_tol=SAME) for value in values)
