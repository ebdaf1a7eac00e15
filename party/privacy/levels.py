"""Numbers as a few even levels between public bounds, so that the symbol mechanism can draw them."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from party.privacy.replacement import replacement_probability

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]

# From each ε on, this number of levels has the smallest variance of the targets, or nearly so.
_FROM_EPSILON = (1.0, 3.0, 4.0, 6.0, 8.0)
_LEVELS = (2, 3, 4, 6, 12, 16)


class Levels:
    """Even levels between two public bounds; a number goes to one of the two around it, at random.

    Args:
        minimum: public lower bound; smaller numbers count as this one.
        maximum: public upper bound; larger numbers count as this one.
        epsilon: privacy loss of one number.

    Raises:
        ValueError: the bounds do not differ, or an argument is not finite.
    """

    def __init__(self, minimum: float, maximum: float, epsilon: float) -> None:
        if not (math.isfinite(minimum) and math.isfinite(maximum) and minimum < maximum):
            raise ValueError("the bounds must be finite and differ")
        self._minimum = minimum
        self._maximum = maximum
        self.count = _LEVELS[bisect_right(_FROM_EPSILON, epsilon)]
        self.replacement = replacement_probability(epsilon, self.count)

    def to_symbols(self, values: DoubleArray, uniforms: DoubleArray) -> IntArray:
        """Rounds numbers to levels; the expected level is the number.

        Args:
            values: float64 (rows,).
            uniforms: a number in (0, 1) for each, float64 (rows,).

        Returns:
            Levels from 0 to `count` − 1, int64 (rows,).
        """
        clipped = np.clip(np.asarray(values, np.float64), self._minimum, self._maximum)
        places = (clipped - self._minimum) / (self._maximum - self._minimum) * (self.count - 1)
        below = np.floor(places)
        levels = below + (uniforms < places - below)
        return np.minimum(levels.astype(np.int64), self.count - 1)

    def values(self, symbols: IntArray) -> DoubleArray:
        """The numbers of levels, float64 (rows,)."""
        steps: DoubleArray = np.asarray(symbols, np.float64)
        return self._minimum + steps * ((self._maximum - self._minimum) / (self.count - 1))

    def debiased(self, symbols: IntArray) -> DoubleArray:
        """Targets whose expectation is the true number: (v − w · middle) / (1 − w).

        Args:
            symbols: drawn levels, int64 (rows,).

        Returns:
            float64 (rows,); may lie outside of the bounds.
        """
        middle = 0.5 * (self._minimum + self._maximum)
        return (self.values(symbols) - self.replacement * middle) / (1.0 - self.replacement)
