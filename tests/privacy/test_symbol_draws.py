"""The symbol mechanism: its distribution, one answer per id, and several epsilons together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from party.privacy.replacement import change_probability, event_horizon, replacement_probability
from party.privacy.symbol_draws import SymbolDraws

SECRET = bytes(range(32))
ROWS = 200_000
IDS = [f"u{number}" for number in range(ROWS)]
STANDARD_ERRORS = 4.5  # with fixed seeds: far enough out for every test here, near enough to notice 3 percent


def _changed(draws: SymbolDraws, alphabet: int, epsilon: float) -> float:
    truth = np.arange(ROWS) % alphabet
    return float((draws.draw(IDS, truth, alphabet, epsilon) != truth).mean())


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("alphabet", [2, 3, 10, 500])
def test_changes_a_symbol_as_often_as_epsilon_says(epsilon: float, alphabet: int) -> None:
    expected = (alphabet - 1) / (math.exp(epsilon) + alphabet - 1)
    error = math.sqrt(expected * (1 - expected) / ROWS)
    measured = _changed(SymbolDraws(SECRET, 1, "y"), alphabet, epsilon)
    assert abs(measured - expected) < STANDARD_ERRORS * error


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_would_notice_a_constant_that_is_wrong_by_three_percent(factor: float) -> None:
    draws = SymbolDraws(SECRET, 1, "y")
    expected = change_probability(1.0 * factor, 2)
    error = math.sqrt(expected * (1 - expected) / ROWS)
    assert abs(_changed(draws, 2, 1.0) - expected) > STANDARD_ERRORS * error


def test_replacements_are_uniform_over_all_other_symbols() -> None:
    alphabet, epsilon = 7, 0.5
    drawn = SymbolDraws(SECRET, 1, "y").draw(IDS, np.full(ROWS, 3), alphabet, epsilon)
    counts = np.bincount(drawn, minlength=alphabet)
    others = np.delete(counts, 3)
    expected = ROWS * replacement_probability(epsilon, alphabet) / alphabet
    chi_square = float(((others - expected) ** 2 / expected).sum())
    assert chi_square < 24.1  # 6 degrees of freedom: one in 2,000 exceeds it
    ratio = counts[3] / others.mean()
    assert ratio == pytest.approx(math.exp(epsilon), rel=0.02)


def test_many_rows_are_drawn_as_few_are() -> None:
    draws, few = SymbolDraws(SECRET, 1, "y"), slice(65_530, 65_545)  # across what is drawn together
    truth = np.arange(70_000) % 3
    assert (draws.draw(iter(IDS[:70_000]), truth, 3, 0.7)[few] == draws.draw(IDS[few], truth[few], 3, 0.7)).all()
    assert (draws.uniforms(IDS[:70_000])[few] == draws.uniforms(IDS[few])).all()
    with pytest.raises(ValueError, match="every symbol needs an id"):
        draws.draw(IDS[:5], truth[:6], 3, 0.7)


def test_one_answer_for_one_id_whatever_the_order_and_the_other_rows() -> None:
    truth = np.arange(1000) % 3
    whole = SymbolDraws(SECRET, 1, "y").draw(IDS[:1000], truth, 3, 0.7)
    some = np.random.default_rng(1).permutation(1000)[:300]
    again = SymbolDraws(SECRET, 1, "y").draw([IDS[row] for row in some], truth[some], 3, 0.7)
    assert (whole[some] == again).all()


@pytest.mark.parametrize(
    "other", [SymbolDraws(bytes(32), 1, "y"), SymbolDraws(SECRET, 2, "y"), SymbolDraws(SECRET, 1, "z")]
)
def test_another_secret_generation_or_name_draws_independently(other: SymbolDraws) -> None:
    zeros = np.zeros(ROWS, np.int64)
    first, second = SymbolDraws(SECRET, 1, "y").draw(IDS, zeros, 2, 0.5), other.draw(IDS, zeros, 2, 0.5)
    share = change_probability(0.5, 2)
    both = float((first & second).mean())
    error = math.sqrt(share**2 * (1 - share**2) / ROWS)
    assert abs(both - share**2) < STANDARD_ERRORS * error


def test_several_epsilons_together_cost_the_largest() -> None:
    epsilons = (0.5, 1.0, 2.0)
    cells = []
    for truth in (0, 1):
        draws = SymbolDraws(SECRET, 1, f"of {truth}")  # independent samples, so that the ratio has its full variance
        answers = [draws.draw(IDS, np.full(ROWS, truth), 2, epsilon) for epsilon in epsilons]
        cells.append(np.bincount(answers[0] * 4 + answers[1] * 2 + answers[2], minlength=8))
    losses = np.log(cells[0] / cells[1])
    errors = np.sqrt(1 / cells[0] + 1 / cells[1])
    # Each outcome's loss is that of the answer with the largest epsilon alone.
    expected = np.where(np.arange(8) % 2 == 0, 2.0, -2.0)
    assert (np.abs(losses - expected) < STANDARD_ERRORS * errors).all()


def test_the_horizon_belongs_to_the_replacement_probability() -> None:
    for epsilon in (0.01, 0.5, 1.0, 8.0):
        for alphabet in (2, 5, 10_000):
            kept = math.exp(-event_horizon(epsilon, alphabet))
            assert 1 - kept == pytest.approx(replacement_probability(epsilon, alphabet), rel=1e-12)


def test_refuses_a_symbol_outside_of_the_alphabet() -> None:
    with pytest.raises(ValueError, match="not in the alphabet"):
        SymbolDraws(SECRET, 1, "y").draw(["a"], np.array([2]), 2, 1.0)
