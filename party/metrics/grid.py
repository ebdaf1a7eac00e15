"""The grid that released figures lie on."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_ROWS_OF_A_STEP = 8.0
STANDARD_ERRORS = 1 / 8  # of a figure with a bound of 4 / n, in rows: √n / 8 of them are a deviation of ½ / √n
FEW_PASSES = 10
SIGNIFICANT_DIGITS = 3
MANTISSAS = (1, 2, 5)
WIDEST_STEP = 1 / 4  # of a figure's span: with a wider one, a good model and a useless one may get the same number
TOLERANCE = 1e-9  # of a step that a bound is compared with: 0.0004 times 12.5 is a little more than 0.005


@dataclass(frozen=True)
class GridStep:
    """A mantissa of MANTISSAS times a power of ten.

    Attributes:
        mantissa: 1, 2 or 5.
        exponent: exponent of ten.
    """

    mantissa: int
    exponent: int

    @property
    def size(self) -> float:
        """The step as a number."""
        return float(f"{self.mantissa}e{self.exponent}")

    def multiple(self, count: int) -> float:
        """The number nearest to `count` steps, rounded to SIGNIFICANT_DIGITS."""
        whole: int = count * self.mantissa
        excess = len(str(abs(whole))) - SIGNIFICANT_DIGITS
        if excess > 0:
            power: int = 10**excess
            whole = (whole + power // 2) // power * power
        return float(f"{whole}e{self.exponent}")


def step_above(size: float) -> GridStep:
    """Finds the least step that is not smaller than a size.

    Args:
        size: the size, above 0.

    Returns:
        The step.
    """
    exponent = math.floor(math.log10(size)) - 1  # one lower: logarithms are rounded
    while True:
        for mantissa in MANTISSAS:
            step = GridStep(mantissa, exponent)
            if step.size * (1 + TOLERANCE) >= size:
                return step
        exponent += 1


def grid_step(bound: float, rows: int, passes: int = 1) -> GridStep:
    """Chooses the step of a figure's grid.

    Args:
        bound: most by which one row changes the figure, above 0.
        rows: number of rows that the figure is computed over.
        passes: number of passes over the same rows that may be released.

    Returns:
        The step, at least LEAST_ROWS_OF_A_STEP bounds wide.
    """
    worth_rows = max(LEAST_ROWS_OF_A_STEP, math.sqrt(rows) * STANDARD_ERRORS)
    return step_above(bound * worth_rows * math.sqrt(max(1.0, passes / FEW_PASSES)))


def is_too_wide(step: GridStep, span: float) -> bool:
    """Whether the multiples of a step tell nothing of a figure.

    Args:
        step: of the figure's grid.
        span: width of the interval in which the figure tells one model from another.
    """
    return step.size > WIDEST_STEP * span * (1 + TOLERANCE)
