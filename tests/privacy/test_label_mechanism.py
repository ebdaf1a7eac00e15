"""The labels of a row drawn together or apart: the joint distribution, the choice, and what the form tells apart."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from party.configuration.features import DataSection
from party.configuration.labels import Labels
from party.configuration.strict import validate
from party.privacy.label_mechanism import LabelMechanism, draws_together

SECRET = bytes(range(32))
ROWS = 100_000
IDS = [f"u{number}" for number in range(ROWS)]
STANDARD_ERRORS = 5.0


def _labels(**sections: Any) -> Labels:
    content = {"id": "ID", "datasets": {"train": "train.csv"}, "labels": sections}
    return validate(DataSection, content, "bank.yaml").labels


def _binary(epsilon: float, rule: str = "a > 1") -> dict[str, Any]:
    return {"rule": rule, "privacy": {"epsilon": epsilon}}


def _classes(epsilon: float, count: int) -> dict[str, Any]:
    names = [f"c{number}" for number in range(count)]
    return {"kind": "multi_class", "column": "c", "classes": names, "privacy": {"epsilon": epsilon}}


def _number(epsilon: float, minimum: float = 1.0, maximum: float = 5.0) -> dict[str, Any]:
    privacy = {"epsilon": epsilon, "minimum": minimum, "maximum": maximum}
    return {"kind": "regression", "column": "n", "privacy": privacy}


def _drawn(labels: Labels, values: list[float], generation: int = 1) -> np.ndarray:
    rows = np.tile(np.array(values, np.float32), (ROWS, 1))
    return LabelMechanism(labels).draw(rows, IDS, secret=SECRET, generation=generation)


@pytest.mark.parametrize("truth", list(itertools.product(range(2), range(3))))
def test_joint_draws_are_one_symbol_at_the_sum_of_epsilons(truth: tuple[int, int]) -> None:
    assert (_cell_errors(truth, epsilon=1.9) < STANDARD_ERRORS).all()


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_would_notice_a_joint_epsilon_that_is_wrong_by_three_percent(factor: float) -> None:
    assert _cell_errors((1, 2), epsilon=1.9 * factor).max() > STANDARD_ERRORS


def _cell_errors(truth: tuple[int, int], epsilon: float) -> np.ndarray:
    """How far the number of each of six symbols is from what is expected at an epsilon, in standard errors."""
    labels = _labels(liked=_binary(1.0), genre=_classes(0.9, 3))
    drawn = _drawn(labels, [float(one) for one in truth]).astype(int)
    counts = np.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=6)
    expected = np.ones(6)
    expected[truth[0] * 3 + truth[1]] = math.exp(epsilon)  # as likely as so many other ones
    expected /= expected.sum()
    return np.asarray(np.abs(counts - ROWS * expected) / np.sqrt(ROWS * expected * (1 - expected)))


def test_labels_that_are_drawn_apart_are_independent() -> None:
    labels = _labels(liked=_binary(2.0), bought=_binary(0.1, "b > 1"))
    drawn = _drawn(labels, [1.0, 1.0]).astype(int)
    flips = [1 / (1 + math.exp(epsilon)) for epsilon in (2.0, 0.1)]
    for first, second in itertools.product(range(2), range(2)):
        expected = abs(first - flips[0]) * abs(second - flips[1])
        share = float(((drawn[:, 0] == first) & (drawn[:, 1] == second)).mean())
        assert abs(share - expected) < STANDARD_ERRORS * math.sqrt(expected * (1 - expected) / ROWS)


def test_a_number_is_drawn_apart_and_without_bias() -> None:
    labels = _labels(liked=_binary(1.0), bought=_binary(1.0, "b > 1"), rating=_number(1.0))
    mechanism = LabelMechanism(labels)
    drawn = _drawn(labels, [1.0, 0.0, 2.2])
    joint, number = mechanism.replacements["liked"], mechanism.replacements["rating"]
    assert joint == mechanism.replacements["bought"] == (pytest.approx(4 / (math.exp(2.0) + 3)), 2)
    assert number == (pytest.approx(3 / (math.e + 2)), 3)
    target = drawn[:, 2].astype(np.float64)
    assert abs(target.mean() - 2.2) < STANDARD_ERRORS * target.std() / math.sqrt(ROWS)
    assert abs(float(np.corrcoef(drawn[:, 0], target)[0, 1])) < STANDARD_ERRORS / math.sqrt(ROWS)
    assert mechanism.epsilon == 3.0


@pytest.mark.parametrize(("count", "together_from"), [(2, 0.0), (3, 0.8), (4, 1.6), (8, 4.6)])
def test_equal_binaries_are_drawn_together_where_that_flips_less(count: int, together_from: float) -> None:
    for total in np.arange(0.1, 12.0, 0.1):
        if abs(total - together_from) > 0.05:
            assert draws_together([float(total) / count] * count, [2] * count) == (total > together_from)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (3, 5), (2, 2, 2), (2, 10)])
def test_the_choice_changes_no_label_more_often_by_brute_force(sizes: tuple[int, ...]) -> None:
    for epsilons in itertools.product((0.2, 1.0, 2.5), repeat=len(sizes)):
        joint = _change_by_enumeration(sum(epsilons), sizes)
        apart = [_change_by_enumeration(epsilon, (size,))[0] for epsilon, size in zip(epsilons, sizes, strict=True)]
        expected = all(one <= other + 1e-12 for one, other in zip(joint, apart, strict=True))
        assert draws_together(epsilons, sizes) == expected


def _change_by_enumeration(epsilon: float, sizes: tuple[int, ...]) -> list[float]:
    """How often each label changes if e^ε times as much weight lies on the true symbol as on each other one."""
    weights = dict.fromkeys(itertools.product(*map(range, sizes)), 1.0)
    weights[(0,) * len(sizes)] = math.exp(epsilon)
    total = sum(weights.values())
    return [
        sum(weight for symbol, weight in weights.items() if symbol[place] != 0) / total for place in range(len(sizes))
    ]


def test_too_many_joint_symbols_are_drawn_apart() -> None:
    assert not draws_together([16.0] * 3, [10_000] * 3)
    assert draws_together([16.0] * 2, [10_000] * 2)


def test_one_answer_for_an_id_whatever_else_is_in_the_dataset() -> None:
    mechanism = LabelMechanism(_labels(liked=_binary(1.0), bought=_binary(1.0, "b > 1"), rating=_number(0.5)))
    generator = np.random.default_rng(1)
    values = generator.integers(0, 2, (1000, 3)).astype(np.float32)
    whole = mechanism.draw(values, IDS[:1000], secret=SECRET, generation=1)
    some = generator.permutation(1000)[:300]
    again = mechanism.draw(values[some], [IDS[row] for row in some], secret=SECRET, generation=1)
    assert (whole[some] == again).all()


BASE = {"liked": _binary(1.0), "rating": _number(1.0)}


@pytest.mark.parametrize(
    "same",
    [
        {"renamed": _binary(1.0), "rating": _number(1.0)},
        {"liked": _binary(2.0), "rating": _number(2.0)},  # the same share of epsilon, and as many levels
        {"liked": _binary(1.0) | {"weight": 3.0, "class_weights": {"positive": 9.0}}, "rating": _number(1.0)},
    ],
)
def test_names_weights_and_the_size_of_epsilon_do_not_change_the_form(same: dict[str, Any]) -> None:
    assert LabelMechanism(_labels(**same)).form == LabelMechanism(_labels(**BASE)).form


@pytest.mark.parametrize(
    "other",
    [
        {"liked": _binary(1.0, "a > 2"), "rating": _number(1.0)},
        {"liked": _binary(1.0, "b > 1"), "rating": _number(1.0)},
        {"rating": _number(1.0), "liked": _binary(1.0)},
        {"liked": _binary(1.0)},
        {"liked": _binary(1.0), "rating": _number(1.0, maximum=6.0)},
        {"liked": _binary(3.0), "rating": _number(3.0)},  # four levels in place of three
        {"liked": _binary(2.0), "rating": _number(1.0)},  # the larger of two sums would be too small a charge
        {"liked": _binary(1.0), "bought": _binary(1.0, "b > 1"), "rating": _number(1.0)},
    ],
)
def test_whatever_changes_the_draws_changes_the_form(other: dict[str, Any]) -> None:
    assert LabelMechanism(_labels(**other)).form != LabelMechanism(_labels(**BASE)).form


def test_together_and_apart_differ_in_form() -> None:
    together = LabelMechanism(_labels(**{f"l{one}": _binary(1.0, f"c{one} > 1") for one in range(3)}))
    apart = LabelMechanism(_labels(**{f"l{one}": _binary(0.1, f"c{one} > 1") for one in range(3)}))
    assert together.form != apart.form


def test_shares_within_one_joint_symbol_do_not_matter() -> None:
    first = LabelMechanism(_labels(a=_binary(1.0), b=_binary(1.1, "b > 1")))
    second = LabelMechanism(_labels(a=_binary(1.1), b=_binary(1.0, "b > 1")))
    assert first.form == second.form
    assert first.epsilon == 2.1
