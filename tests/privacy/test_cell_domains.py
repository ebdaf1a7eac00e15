"""Cells as symbols: what belongs to a domain, how often a cell stays, and that one entity has one answer."""

import math
from collections import Counter

import numpy as np
import pytest

from party.data.kinds.cells import parse_number
from party.privacy.cell_domains import NumberCells, TextCells, drawn_cells
from party.privacy.symbol_draws import SymbolDraws

SECRET = bytes(range(32))
ENTITIES = [f"user-{number}" for number in range(60_000)]


def draws(name="column city", generation=1):
    return SymbolDraws(SECRET, generation, name)


def numbers(epsilon=2.0, **options):
    return NumberCells(0.0, 90.0, epsilon, parse_number, **options)


def answers(domain, cells, epsilon):
    return drawn_cells(domain, draws(), ENTITIES[: len(cells)], cells, epsilon=epsilon)


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_every_text_is_drawn_as_often_as_the_mechanism_says(epsilon):
    domain = TextCells(["Ulm", "Köln", "Bonn", ""])
    kept = math.exp(epsilon) / (math.exp(epsilon) + 3)
    for true in ("Ulm", ""):
        counts = Counter(answers(domain, [true] * len(ENTITIES), epsilon))
        error = math.sqrt(kept * (1 - kept) / len(ENTITIES))
        assert abs(counts[true] / len(ENTITIES) - kept) < 4 * error
        others = [counts[text] / len(ENTITIES) for text in ("Ulm", "Köln", "Bonn", "") if text != true]
        assert max(abs(one - (1 - kept) / 3) for one in others) < 4 * error


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_numbers_are_drawn_as_levels_with_the_right_mean(epsilon):
    domain = numbers(epsilon)
    drawn = np.array([float(text) for text in answers(domain, ["30.0"] * len(ENTITIES), epsilon)])
    levels = np.linspace(0.0, 90.0, domain.alphabet)
    assert set(drawn) <= set(levels)
    replaced = domain.alphabet / (math.exp(epsilon) + domain.alphabet - 1)
    expected = (1 - replaced) * 30.0 + replaced * 45.0
    assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / math.sqrt(len(drawn)))


def test_a_missing_number_is_a_symbol_of_its_own():
    domain = numbers(missing=["", "n/a"])
    assert domain.alphabet == numbers().alphabet + 1
    assert domain.canonical("n/a") == domain.canonical("") == ""
    drawn = Counter(answers(domain, [""] * 10_000, 2.0))
    kept = math.exp(2.0) / (math.exp(2.0) + domain.alphabet - 1)
    assert drawn[""] / 10_000 == pytest.approx(kept, abs=0.02)
    assert len(drawn) == domain.alphabet


def test_what_lies_outside_is_told_or_declared():
    assert TextCells(["a", "b"]).canonical("c") is None
    assert TextCells(["a", "b"], other="else").canonical("c") == "else"
    assert TextCells(["a", "b"], other="else").alphabet == 3
    for text in ("90.5", "-1", "old", "", "nan", "inf"):
        assert numbers().canonical(text) is None
    assert numbers(clips=True).canonical("1e9") == "90.0"
    assert numbers(clips=True).canonical("old") is None
    assert numbers().canonical("90") == "90.0"
    assert numbers().canonical("-0") == numbers().canonical("0") == "0.0"
    # Bounds that the levels meet only up to rounding.
    odd = NumberCells(0.1, 0.7, 8.0, parse_number)
    assert odd.canonical("0.7") == "0.7"
    assert odd.canonical("0.1") == "0.1"


def test_whole_numbers_stay_whole():
    domain = NumberCells(17.0, 90.0, 2.0, parse_number, whole=True)
    assert {domain.text(symbol) for symbol in range(domain.alphabet)} == {"17", "54", "90"}


def test_the_order_of_values_does_not_matter_and_domains_draw_apart():
    one, other = TextCells(["a", "b", "c"]), TextCells(["c", "b"], other="a")
    cells = ["a", "b", "c"] * 300
    assert one.scheme == other.scheme
    assert answers(one, cells, 1.0) == answers(other, cells, 1.0)
    schemes = [one.scheme, TextCells(["a", "b"]).scheme, numbers(0.5).scheme, numbers(2.0).scheme]
    schemes += [numbers(2.0, missing=[""]).scheme, NumberCells(0.0, 91.0, 2.0, parse_number).scheme]
    assert len(set(schemes)) == len(schemes)
