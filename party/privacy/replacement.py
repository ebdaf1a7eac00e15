"""How likely the symbol mechanism replaces a value."""

from __future__ import annotations

import math


def replacement_probability(epsilon: float, symbols: int) -> float:
    """The probability w with which a uniform symbol replaces the true one.

    Every symbol, the true one included, is then drawn with probability w / K, and the true one with 1 − w more; the
    ratio of the two is exactly e^ε.

    Args:
        epsilon: privacy loss ε of one value, above 0.
        symbols: number K of possible values, at least 2.

    Returns:
        w = K / (e^ε + K − 1), between 0 and 1.

    Raises:
        ValueError: an argument is out of range.

    Reference:
        Kairouz, Oh and Viswanath, "Extremal Mechanisms for Local Differential Privacy", JMLR 2016
        (k-ary randomised response).
    """
    _require(epsilon, symbols)
    return symbols / (math.exp(epsilon) + symbols - 1)


def change_probability(epsilon: float, symbols: int) -> float:
    """The probability that the drawn symbol differs from the true one, w (K − 1) / K.

    Args:
        epsilon: privacy loss ε of one value, above 0.
        symbols: number K of possible values, at least 2.
    """
    return replacement_probability(epsilon, symbols) * (symbols - 1) / symbols


def event_horizon(epsilon: float, symbols: int) -> float:
    """The time t = −ln(1 − w) within which a Poisson process of rate 1 has an event with probability w.

    Args:
        epsilon: privacy loss ε of one value, above 0.
        symbols: number K of possible values, at least 2.
    """
    _require(epsilon, symbols)
    # 1 − w = (e^ε − 1) / (e^ε + K − 1), without the rounding of 1 − w.
    return math.log((math.exp(epsilon) + symbols - 1) / math.expm1(epsilon))


def _require(epsilon: float, symbols: int) -> None:
    if not 0 < epsilon < math.inf or symbols <= 1:
        raise ValueError("needs an epsilon above 0 and at least two symbols")
