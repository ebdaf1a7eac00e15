import traceback

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.features import DataSection
from party.data.labels import check_classes, label_balance, read_labels
from party.errors import ConfigurationError, DataError
from tests.support.columns import columns_of

CANARY = "Canary7f3a"


def labels(rule, cells):
    section = DataSection(id="ID", datasets={"train": "train.csv"}, labels={"liked": {"rule": rule}})
    name = section.labels["liked"].source
    return read_labels(
        "alice", section, columns_of(pd.DataFrame({name: pd.Series(cells, dtype="str")})), "train.csv"
    ).values[:, 0]


def failure(rule, cells, kind=DataError):
    with pytest.raises(kind) as caught:
        labels(rule, cells)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("r > 3", [0, 0, 0, 1, 1]),
        ("r >= 3", [0, 0, 1, 1, 1]),
        ("r < 3", [1, 1, 0, 0, 0]),
        ("r <= 3", [1, 1, 1, 0, 0]),
        ("r == 3", [0, 0, 1, 0, 0]),
        ("r != 3", [1, 1, 0, 1, 1]),
    ],
)
def test_operators_compare_numbers_however_they_are_written(rule, expected):
    result = labels(rule, ["-10", "1", "3.0", " 4", "1e1"])
    assert result.dtype == np.float32
    assert result.tolist() == expected


@given(st.lists(st.integers(-50, 50), min_size=1), st.integers(-50, 50), st.sampled_from(["<", "<=", "==", ">"]))
def test_every_operator_has_its_opposite(numbers, threshold, sign):
    opposite = {"<": ">=", "<=": ">", "==": "!=", ">": "<="}[sign]
    cells = [str(number) for number in [*numbers, threshold - 1, threshold, threshold + 1]]
    positive = labels(f"r {sign} {threshold}", cells)
    negative = labels(f"r {opposite} {threshold}", cells)
    assert (positive + negative == 1).all()


@pytest.mark.parametrize("operand", ["yes", "'yes'", '"yes"'])
def test_texts_compare_exactly(operand):
    assert labels(f"r == {operand}", ["yes", "Yes", " yes", "no"]).tolist() == [1, 0, 0, 0]
    assert labels(f"r != {operand}", ["yes", "Yes", " yes", "no"]).tolist() == [0, 1, 1, 1]


NUMBERS = ["1", " 1", "+1", "01", "1.0", "2", "1.5"]


@pytest.mark.parametrize("other", ["x", "NA", " ", "1 000"])
@pytest.mark.parametrize(("rule", "positive"), [("r == 1", 1), ("r != 1", 0)])
def test_a_cell_that_is_no_number_changes_no_other_label(rule, positive, other):
    alone = labels(rule, NUMBERS).tolist()
    assert alone == [*[positive] * 5, *[1 - positive] * 2]
    assert labels(rule, [*NUMBERS, other]).tolist() == [*alone, 1 - positive]


@pytest.mark.parametrize("sign", ["==", "!=", ">", ">=", "<", "<="])
def test_numbers_are_compared_with_all_their_digits(sign):
    numbers = [2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 10**30 + 1]
    for value in numbers:
        expected = [eval(f"{one} {sign} {value}") for one in numbers]
        assert labels(f"r {sign} {value}", list(map(str, numbers))).tolist() == expected


@pytest.mark.parametrize("cell", ["1e-99999999999999999999", "-1e-99999999999999999999", "0e5"])
def test_numbers_next_to_nothing_are_compared(cell):
    assert labels("r < 1", [cell, "2"]).tolist() == [1, 0]


def test_a_quoted_number_is_a_text():
    assert labels("r == '1'", ["1", "1.0"]).tolist() == [1, 0]


def test_the_empty_text_can_be_asked_for():
    assert labels("r != ''", ["2020-01-01", "", "2020-01-02"]).tolist() == [1, 0, 1]


@pytest.mark.parametrize("rule", ["r > 3", "r == 3", "r == yes", "r != yes"])
def test_a_missing_label_is_counted(rule):
    message = failure(rule, ["4", "", "2", ""])
    assert "alice: train.csv: column r" in message
    assert "2 rows without one" in message


@pytest.mark.parametrize("cell", ["x", "nan", "inf", "1_0", "٣", "0x1", "1e999", " "])
def test_a_malformed_number_is_counted(cell):
    assert "3 rows without one" in failure("r > 3", ["4", cell, "2", cell, cell])


@pytest.mark.parametrize("rule", ["r > 3", "r == 5", "r != 2"])
@pytest.mark.parametrize("cells", [["2", "2"], ["5", "5", "5"]])
def test_one_class_only_is_read_and_not_trained_on(rule, cells):
    section = DataSection(id="ID", datasets={"train": "train.csv"}, labels={"liked": {"rule": rule}})
    values = labels(rule, cells)[:, None]
    with pytest.raises(DataError) as caught:
        check_classes("alice", section.labels, values, "train.csv")
    message = str(caught.value)
    assert "one class only" in message
    assert f"{len(cells)} rows of one class" in message
    assert "add rows for what did not: what was shown and not chosen" in message


def test_order_needs_a_number():
    assert "data.labels" in failure("r > good", ["1", "2"], ConfigurationError)


@given(st.text(max_size=5))
def test_errors_hold_no_label(text):
    with pytest.raises(DataError) as caught:
        labels("r > 3", ["1", "5", CANARY + text])
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_label_balance_is_the_share_of_positives():
    assert label_balance(np.array([1, 0, 0, 1, 0], np.float32)) == 0.4
