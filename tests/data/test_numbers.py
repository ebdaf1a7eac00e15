"""Numbers in the notations of several countries, bounded, logarithmic and scaled: against NumPy and pandas."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from party.data.encoders import fit_encoders
from party.data.kinds.scales import quantiles
from tests.support.encoding import encode, failure, feature, frame

NUMBERS = st.lists(st.integers(-(10**6), 10**6).map(lambda number: number / 4), min_size=3, max_size=40)


def values(one, training, cells=None):
    return encode(one, training, cells).values[:, 0]


def written(number, decimal, thousands):
    """A number as Python groups it, with other signs."""
    return f"{number:,.2f}".translate({ord(","): thousands, ord("."): decimal})


@pytest.mark.parametrize(
    ("decimal", "thousands"), [(",", "."), (",", " "), (".", ","), (".", "'"), (",", "'"), (",", None), (".", " ")]
)
@given(numbers=NUMBERS)
def test_a_notation_reads_what_pandas_reads(decimal, thousands, numbers):
    assume(len(set(numbers)) > 1)
    cells = [written(number, decimal, thousands or "") for number in numbers]
    lines = "x\n" + "".join(f'"{cell}"\n' for cell in cells)
    read = pd.read_csv(io.StringIO(lines), decimal=decimal, thousands=thousands)["x"].astype(float)
    one = feature("numeric", decimal=decimal, thousands=thousands, scaling="none")
    assert values(one, cells).tolist() == read.astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("settings", "cell", "number"),
    [
        ({"decimal": ","}, "-1,5e3", -1500.0),
        ({"decimal": ",", "thousands": "."}, "1.230", 1230.0),
        ({"decimal": ",", "thousands": "."}, "1230,", 1230.0),
        ({"thousands": " "}, " 1\u00a0234\u202f567.5 ", 1234567.5),
        ({"thousands": "\u00a0"}, "1 234", 1234.0),
        ({"thousands": "'"}, "1\u2019234", 1234.0),
    ],
)
def test_single_notations(settings, cell, number):
    assert values(feature("numeric", scaling="none", **settings), [cell]).tolist() == [number]


@pytest.mark.parametrize(
    "cell", ["1.23,5", "1.2345,0", "12.34.567", "1,5,5", ".123,5", "1..234", "1.234.", "1 234", "1.5"]
)
def test_groups_have_three_digits(cell):
    one = feature("numeric", decimal=",", thousands=".")
    assert "1 rows with something else" in failure(one, [cell, "1,5", "2,5", "3,5"])


def test_exact_text_is_asked_for_where_another_notation_reads_differently():
    assert not feature("numeric").reads_exact_text
    assert feature("numeric", decimal=",").reads_exact_text
    assert feature("numeric", thousands=",").reads_exact_text


@given(NUMBERS)
def test_robust_scaling_is_that_of_pandas(numbers):
    series = pd.Series(numbers)
    spread = series.quantile(0.75) - series.quantile(0.25)
    assume(spread > 0)
    result = values(feature("numeric", scaling="robust"), list(map(repr, numbers)))
    np.testing.assert_allclose(result, (series - series.median()) / spread, rtol=1e-5, atol=1e-6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 5)), min_size=1, max_size=8), st.floats(0, 1))
def test_quantiles_of_numbers_with_counts_are_those_of_numpy_over_all_rows(counted, share):
    numbers, counts = (np.array(one) for one in zip(*counted, strict=True))
    expected = np.quantile(np.repeat(numbers, counts), [share, 0.25, 1.0]).tolist()
    assert quantiles(numbers.astype(np.float64), counts, (share, 0.25, 1.0)) == tuple(expected)


def test_robust_scaling_of_mostly_equal_numbers_falls_back_to_the_deviation():
    result = values(feature("numeric", scaling="robust"), ["0"] * 9 + ["10"])
    assert result.tolist() == [0.0] * 9 + [pytest.approx(10 / np.std([0] * 9 + [10]))]


@given(NUMBERS, st.sampled_from([(0.0, 0.9), (0.1, 1.0), (0.25, 0.5)]))
def test_quantiles_of_the_training_rows_bound_all_numbers(numbers, shares):
    cells = list(map(repr, numbers))
    low, high = np.quantile(numbers, shares)
    one = feature("numeric", scaling="none", clip_quantiles=shares)
    later = [-1e9, *numbers, 1e9]
    result = values(one, cells, list(map(repr, later)))
    np.testing.assert_array_equal(result, np.clip(later, low, high).astype(np.float32))


def test_bounds_come_before_logarithm_and_scale():
    numbers = np.array([0.0, 5.0, 50.0, 500.0, -3.0])
    one = feature("numeric", clip=(0.0, 100.0), log=True)
    expected = np.log1p(np.clip(numbers, 0, 100))
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(values(one, list(map(repr, numbers.tolist()))), expected, rtol=1e-6)


def test_a_logarithm_of_negative_numbers_is_malformed():
    cells = ["1", "2", "-1", "3"]
    assert "expected finite numbers of at least 0" in failure(feature("numeric", log=True), cells)
    most = failure(feature("numeric", log=True), ["-1", "-2", "3"])
    assert most.endswith("2 of 3 rows are negative: leave out log, or bound them by clip")
    lenient = feature("numeric", log=True, malformed="missing", scaling="none")
    assert values(lenient, cells).tolist() == np.log1p(np.float64([1, 2, 0, 3]) * [1, 1, 0, 1]).astype("f").tolist()


@given(NUMBERS, st.randoms(use_true_random=False))
def test_the_order_of_training_rows_changes_no_bit(numbers, random):
    cells = list(map(repr, numbers))
    shuffled = random.sample(cells, len(cells))
    for settings in ({"scaling": "robust"}, {"clip_quantiles": (0.1, 0.9)}):
        one = feature("numeric", **settings)
        fitted = [fit_encoders("alice", [one], frame(some), "train.csv").to_json() for some in (cells, shuffled)]
        assert fitted[0] == fitted[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"decimal": ";"},
        {"thousands": "."},
        {"decimal": ",", "thousands": ","},
        {"thousands": ""},
        {"clip": (1.0, 1.0)},
        {"clip": (2.0, 1.0)},
        {"clip": (0.0,)},
        {"clip": (0.0, math.inf)},
        {"clip": ("0", "1")},
        {"clip_quantiles": (0.9, 0.1)},
        {"clip_quantiles": (-0.1, 0.9)},
        {"clip_quantiles": (0.1, 1.1)},
        {"clip": (0.0, 1.0), "clip_quantiles": (0.0, 0.9)},
        {"log": True, "clip": (-5.0, -1.0)},
        {"scaling": "minmax"},
        {"log": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValidationError):
        feature("numeric", **settings)


# What an error or a warning says of a whole column


def remarks(one, cells):
    said = []
    fit_encoders("alice", [one], frame(cells), "train.csv", warn=said.append)
    return said


@pytest.mark.parametrize(
    ("cells", "advice"),
    [
        (["1.234,50", "99,90", "7,00"], '3 of 3 rows would be numbers with decimal: "," and thousands: "."'),
        (["1,5", "2,5", "3"], '3 of 3 rows would be numbers with decimal: ","'),
        (["1.234.567", "2.000.000"], '2 of 2 rows would be numbers with decimal: "," and thousands: "."'),
        (["1,234.5", "2,000.0"], '2 of 2 rows would be numbers with thousands: ","'),
        (["1 234,5", "2 000,0"], '2 of 2 rows would be numbers with decimal: "," and thousands: " "'),
        (["1'234.5", "99.5"], '2 of 2 rows would be numbers with thousands: "\'"'),
        (
            ["2024-01-01 12:30:00", "2024-01-02 08:00:00"],
            "2 of 2 rows are dates or times in ISO 8601: there is kind: datetime",
        ),
        (["2024-01-01T12:30:00Z", "2024-01-02", ""], "2 of 2 rows are dates or times in ISO 8601"),
        (["01.02.2024", "3.2.2024 12:30"], "2 of 2 rows look like dates: there is kind: datetime, with format"),
        (["1/2/24", "2/3/24"], "2 of 2 rows look like dates"),
        (
            ["red", "green", "1"],
            "2 of 3 rows are no numbers: check the column, or read texts by kind: vocabulary",
        ),
    ],
)
def test_an_error_about_most_cells_says_what_they_look_like(cells, advice):
    message = failure(feature("numeric"), cells)
    assert advice in message
    assert "set malformed: missing" not in message
    (said,) = remarks(feature("numeric", malformed="missing"), cells)
    assert said.startswith("column x: ")
    assert advice in said
    assert not any(cell in message + said for cell in cells if len(cell) > 3)


def test_an_error_about_few_cells_advises_to_treat_them():
    message = failure(feature("numeric"), ["1", "2", "3", "n/a"])
    assert message.endswith("list the texts under missing or set malformed: missing")
    assert remarks(feature("numeric", malformed="missing"), ["1", "2", "3", "n/a"]) == []


def test_whole_numbers_with_a_fraction_are_numeric():
    assert "2 of 2 rows are numbers, some with a fraction: there is kind: numeric" in failure(
        feature("integer_buckets", boundaries=(0,)), ["1.5", "2.5"]
    )
    assert '2 of 2 rows would be numbers with kind: numeric with decimal: ","' in failure(
        feature("integer_buckets", boundaries=(0,)), ["1,5", "2,5"]
    )


@pytest.mark.parametrize("kind", ["numeric", "vocabulary", "multi_hot", "datetime"])
def test_a_column_of_missing_cells_is_said(kind):
    settings = {"separator": "|"} if kind == "multi_hot" else {}
    one = feature(kind, missing=("-",), **settings)
    said = "column x: all 3 cells are missing, so that feature x says nothing"
    assert remarks(one, ["", "-", ""]) == [said]
    assert remarks(one, ["", "-", "2024-01-01" if kind == "datetime" else "1"]) == []
