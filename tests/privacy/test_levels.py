"""Numbers as levels: no bias, bounds, and the variance that the design expects."""

from __future__ import annotations

import math

import numpy as np
import pytest

from party.privacy.levels import Levels
from party.privacy.symbol_draws import SymbolDraws

SECRET = bytes(range(32))
ROWS = 100_000
IDS = [str(number) for number in range(ROWS)]


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize("value", [1.0, 2.3, 5.0])
def test_targets_have_no_bias(epsilon: float, value: float) -> None:
    levels, draws = Levels(1.0, 5.0, epsilon), SymbolDraws(SECRET, 1, "rating")
    symbols = levels.to_symbols(np.full(ROWS, value), draws.uniforms(IDS))
    targets = levels.debiased(draws.draw(IDS, symbols, levels.count, epsilon))
    assert abs(targets.mean() - value) < 4.5 * targets.std() / math.sqrt(ROWS)


@pytest.mark.parametrize(
    ("epsilon", "count"), [(0.99, 2), (1.0, 3), (2.9, 3), (3.0, 4), (4.0, 6), (6.0, 12), (9.0, 16)]
)
def test_number_of_levels_follows_epsilon(epsilon: float, count: int) -> None:
    assert Levels(0.0, 1.0, epsilon).count == count


def test_numbers_beyond_the_bounds_count_as_the_bounds() -> None:
    levels = Levels(0.0, 10.0, 1.0)
    uniforms = np.full(4, 0.5)
    assert levels.to_symbols(np.array([-5.0, 0.0, 10.0, 1e9]), uniforms).tolist() == [0, 0, 2, 2]


def test_half_of_the_variance_of_laplace_or_less() -> None:
    for epsilon in (0.5, 1.0, 2.0, 4.0):
        levels = Levels(0.0, 1.0, epsilon)
        worst = max(_variance(levels, value) for value in np.linspace(0, 1, 101))
        assert worst < 0.62 * 2 / epsilon**2


def _variance(levels: Levels, value: float) -> float:
    """Of a target, by the definition of the mechanism."""
    chances = np.full(levels.count, levels.replacement / levels.count)
    place = value * (levels.count - 1)
    below = min(int(place), levels.count - 2)
    chances[below] += (1 - levels.replacement) * (1 - (place - below))
    chances[below + 1] += (1 - levels.replacement) * (place - below)
    targets = levels.debiased(np.arange(levels.count))
    return float(chances @ targets**2 - (chances @ targets) ** 2)
