"""Ids and keys: both partners write the same text for one key, and never one text for two."""

import datetime
import decimal
import itertools
import re
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.data.values.keys import canonical_keys
from party.errors import DataError
from tests.support.value_oracle import moment_text

CANARY = "Canary7f3a"
WHERE = "alice: t.parquet: column ID"
DISTINCT = [
    *(
        "7",
        "007",
        "+7",
        " 7",
        "7 ",
        "7e0",
        "7e10",
        "7E+10",
        "70000000000",
        "0x7",
        "٧",
        "-7",
        "-0",
        "1.10",
        "1.1",
        "1.100",
    ),
    *("1,0", "1_0", "1e5", "100000", "00.0", "+3.0", " 3.0", "yes", "1", "0", "tRUE", "t", "a", "A", "é", "e\u0301"),
    *("12345678901234567890", "123456789012345678901234567890", "2024", "2024-1-1", "20240101", "nan", "inf"),
    *("deadbeef", "DEADBEEF", "1e234567", "12e45678"),
]


def keys(values, kind=None):
    return canonical_keys(pa.array(values, kind), where=WHERE).to_pylist()


def refusal(values, kind=None):
    with pytest.raises(DataError, match=r"alice: t\.parquet: column ID: keys are floating-point numbers") as refused:
        keys(values, kind)
    return str(refused.value)


def by_the_rules(text):
    """The stated rules once more, by other means."""
    whole, point, zeros = text.partition(".")
    if point and not zeros.strip("0") and whole.lstrip("-").isdecimal() and whole.isascii():
        number = int(whole)
        if f"{abs(number)}" == whole.lstrip("-"):
            return str(number)
    if text in ("True", "TRUE", "False", "FALSE"):
        return text.lower()
    if re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        return str(uuid.UUID(text))
    if re.fullmatch(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z?)?", text, re.ASCII):
        try:
            return moment_text(datetime.datetime.fromisoformat(text))
        except ValueError:
            return text
    return text


TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.text("0123456789.-eE+ ", max_size=7).filter(lambda text: re.search(r"e[+-]\d\d", text) is None)
    | st.sampled_from(DISTINCT)
    | st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | st.datetimes(datetime.datetime(1000, 1, 1)).map(str)
    | st.datetimes(datetime.datetime(1000, 1, 1)).map(datetime.datetime.isoformat)
)


@given(st.lists(TEXTS, max_size=8))
def test_texts_change_by_the_stated_rules_alone(texts):
    found = keys(texts, pa.string())
    assert found == [by_the_rules(text) for text in texts]
    assert keys(found, pa.string()) == found


def test_keys_that_differ_stay_apart():
    found = keys(DISTINCT)
    assert found == DISTINCT
    assert all(one != other for one, other in itertools.combinations(found, 2))


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1) | st.none(), min_size=1, max_size=6))
def test_a_column_that_became_float_has_its_whole_numbers(numbers):
    expected = ["" if one is None else str(one) for one in numbers]
    assert keys(numbers, pa.int64()) == keys(numbers, pa.float64()) == expected
    assert keys(numbers, pa.decimal128(38, 4)) == expected
    printed = pd.Series(numbers, dtype="float64").to_csv(index=False, header=False, na_rep="").splitlines()
    assert keys([one.strip('"') for one in printed]) == expected


@given(st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_whole_numbers_are_exact(numbers):
    assert keys(numbers, pa.uint64()) == [str(one) for one in numbers]
    assert keys(numbers, pa.decimal128(30, 3)) == [str(one) for one in numbers]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, 1.5, None, 1.5], pa.float64()),
        ([1.0, 2.0**53, None, -(2.0**60)], pa.float64()),
        ([1.0, float("inf"), float("nan"), float("-inf")], pa.float64()),
        ([1.0, 2.0**24, -(2.0**30)], pa.float32()),
        (np.array([1, 2**11, 0.5], np.float16), pa.float16()),
        (["1", "1.2345678901234568e+18", "", "1e-05"], pa.string()),
        (["1", "1.23457E+17", "", "1,23457E+17"], pa.string()),
        (["1.0", "9007199254740993.0", "-9007199254740992.0"], pa.large_string()),
        (["1", "12345678901234567890.", "12345678901234567890.00"], pa.string_view()),
    ],
    ids=str,
)
def test_floats_that_are_not_exact_are_refused(values, kind):
    message = refusal(values, kind)
    assert "received 2 rows" in message
    assert "write the column as text or as integers" in message
    assert not re.search(r"\d{4}", message.replace("float", ""))


@given(st.floats(allow_nan=False).filter(lambda one: not one.is_integer() or abs(one) >= 2**53))
def test_what_pandas_prints_of_such_floats_is_refused_or_a_text_with_a_fraction(number):
    (printed,) = pd.Series([number]).to_csv(index=False, header=False).split()
    if "e" in printed or printed.endswith(".0"):
        refusal([printed])
    else:
        assert keys([printed]) == [printed]


def test_other_types_have_the_text_that_their_csv_has():
    moment, day = datetime.datetime(2024, 1, 1, 12, 30), datetime.date(2024, 1, 1)
    one = uuid.UUID(int=2**100)
    assert keys([True, None, False]) == keys(["True", "", "False"]) == keys(["TRUE", None, "false"])
    assert keys([moment]) == keys(["2024-01-01T12:30"]) == ["2024-01-01 12:30:00"]
    assert keys([day]) == keys(["2024-01-01 00:00:00"]) == ["2024-01-01"]
    assert keys([decimal.Decimal("1.10"), decimal.Decimal("3.00")]) == keys(["1.10", "3.00"]) == ["1.10", "3"]
    stored = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes], pa.binary(16)))
    assert canonical_keys(stored, where=WHERE).to_pylist() == keys([str(one).upper()]) == [str(one)]
    assert keys(pa.array(["3.0", "a", None, "3.0"]).dictionary_encode()) == ["3", "a", "", "3"]


def test_lists_are_no_keys():
    with pytest.raises(DataError, match="column ID: holds lists") as refused:
        keys([[CANARY]])
    assert CANARY not in str(refused.value)
