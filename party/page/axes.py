"""The scale of an axis: where its marks stand, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MANTISSAS = (1.0, 2.0, 2.5, 5.0, 10.0)
FLAT_SHARE = 0.1  # of a value: what an axis shows around values that are all equal
SLACK = 1e-9


@dataclass(frozen=True)
class AxisScale:
    """A linear scale.

    Attributes:
        low: value at its beginning.
        high: value at its end, above `low`.
        step: between two marks.
    """

    low: float
    high: float
    step: float

    @property
    def marks(self) -> tuple[float, ...]:
        """Values of the marks, ascending."""
        first, last = math.ceil(self.low / self.step - SLACK), math.floor(self.high / self.step + SLACK)
        return tuple(number * self.step for number in range(first, last + 1))

    def share(self, value: float) -> float:
        """The place of a value, 0 at the beginning and 1 at the end."""
        return (value - self.low) / (self.high - self.low)

    def text(self, mark: float) -> str:
        """A mark with the digits that the step has."""
        digits = max(0, -math.floor(math.log10(self.step) + SLACK))
        shown = f"{mark:,.{digits}f}"
        # A step of 0.25 has a digit more than its size tells.
        return shown if math.isclose(float(shown.replace(",", "")), mark, abs_tol=SLACK) else f"{mark:,.{digits + 1}f}"


def scale_of(values: Sequence[float], marks: int) -> AxisScale:
    """A scale that holds all values between two marks.

    Args:
        values: finite, at least one.
        marks: about how many marks there should be, at least 2.
    """
    low, high = min(values), max(values)
    if math.isclose(low, high):
        room = abs(low) * FLAT_SHARE or 1.0
        low, high = low - room, high + room
    rough = (high - low) / (marks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(mantissa * power for mantissa in MANTISSAS if mantissa * power >= rough * (1 - SLACK))
    return AxisScale(math.floor(low / step + SLACK) * step, math.ceil(high / step - SLACK) * step, step)


def whole_scale(last: int, marks: int) -> AxisScale:
    """A scale of whole numbers from 1.

    Args:
        last: the largest number, at least 1.
        marks: about how many marks there should be.
    """
    step = max(1.0, math.ceil(scale_of((0.0, float(max(last, 2))), marks).step))
    return AxisScale(1.0, float(max(last, 2)), step)
