"""Dates and times as features: against pandas."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from party.data.encoders import encoders_from_json, fit_encoders
from party.errors import DataError
from tests.support.columns import columns_of
from tests.support.encoding import failure, feature, frame

PARTS = ("minute", "hour", "weekday", "is_weekend", "day", "day_of_year", "week", "month", "quarter", "year")
SIZES = (61, 25, 8, 3, 32, 367, 54, 13, 5, 203)
DRAWN = np.random.default_rng(7).integers(-(3 * 10**15), 5 * 10**15, 1000)  # microseconds, from 1875 to 2128
MOMENTS = [moment.to_pydatetime() for moment in pd.Series(DRAWN).astype("datetime64[us]")]


def encoded(one, cells, **others):
    """Encodes cells of column x, and of other columns, by encoders that were stored and read again."""
    columns = columns_of(pd.DataFrame({"x": pd.Series(list(cells), dtype="str"), **others}, dtype="str"))
    encoders = fit_encoders("alice", [one], columns, "train.csv")
    encoders = encoders_from_json(encoders.to_json(), [one])
    return {feature.name: feature for feature in encoders.encode(columns, "train.csv")}


def parts_of(one, cells):
    return {name: feature.indices[:, 0].tolist() for name, feature in encoded(one, cells).items()}


def by_pandas(moments):
    """The index of every part, from pandas."""
    series = pd.Series(moments).astype("datetime64[us]")
    time = series.dt
    return {
        "x_minute": time.minute + 1,
        "x_hour": time.hour + 1,
        "x_weekday": time.day_of_week + 1,
        "x_is_weekend": (time.day_of_week > 4) + 1,
        "x_day": time.day,
        "x_day_of_year": time.day_of_year,
        "x_week": time.isocalendar().week.astype(int),
        "x_month": time.month,
        "x_quarter": time.quarter,
        "x_year": time.year.clip(1899, 2100) - 1898,
    }


def test_every_part_is_that_of_pandas():
    found = parts_of(feature("datetime", parts=PARTS), [moment.isoformat(" ") for moment in MOMENTS])
    assert found == {name: numbers.tolist() for name, numbers in by_pandas(MOMENTS).items()}


def test_vocabularies_depend_on_no_data():
    result = encoded(feature("datetime", parts=PARTS), ["2024-02-29"])
    assert [one.name for one in result.values()] == [f"x_{part}" for part in PARTS]
    assert tuple(one.size for one in result.values()) == SIZES
    assert all(one.kind == "datetime" and (one.values == 1).all() and one.table == one.name for one in result.values())


@pytest.mark.parametrize(
    "cell",
    [
        "2024-03-09T17:46:05",
        "2024-03-09 17:46",
        "20240309T174605",
        "2024-03-09 17:46:05.123456789",
        "2024-03-09 17:46:05,5",
        " 2024-03-09t17:46Z ",
        "2024-03-09 17:46:05 UTC",
        "2024-03-09T17:46:05+02:00",
        "2024-03-09 17:46:05 +0200",
        "2024-03-09 17",
    ],
)
def test_notations_of_iso_8601(cell):
    assert parts_of(feature("datetime", parts=("hour", "day", "month")), [cell]) == {
        "x_hour": [18],
        "x_day": [9],
        "x_month": [3],
    }


@pytest.mark.parametrize(
    "cell", ["x", "2024", "2024-1-1", "2024-13-01", "2023-02-29", "2024-01-01 24:00", "2024-01-01x12:00", "٢٠٢٤-٠١-٠١"]
)
def test_other_texts_are_counted_or_missing(cell):
    cells = ["2024-01-01", "", cell, "2024-01-02", "2024-01-03"]
    message = failure(feature("datetime"), cells)
    assert "malformed cells; expected dates and times in ISO 8601; received 1 rows" in message
    assert message.endswith("list the texts under missing or set malformed: missing")
    found = parts_of(feature("datetime", parts=("day",), malformed="missing"), cells)
    assert found == {"x_day": [1, 0, 0, 2, 3]}
    assert parts_of(feature("datetime", parts=("day",), missing=(cell,)), cells) == found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_a_zone_converts_as_pandas_does(zone):
    cells = [f"{moment.isoformat()}+02:00" for moment in MOMENTS[:200]]
    local = pd.Series(pd.to_datetime(cells, utc=True, format="ISO8601")).dt.tz_convert(zone).dt.tz_localize(None)
    found = parts_of(feature("datetime", parts=PARTS, zone=zone), cells)
    assert found == {name: numbers.tolist() for name, numbers in by_pandas(local).items()}


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "microseconds", "nanoseconds"])
def test_numbers_since_1970_count_as_pandas_has_them(unit):
    factor = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}[unit]
    numbers = (DRAWN[:200] // 10**6).tolist()
    expected = by_pandas(np.array(numbers, "datetime64[s]"))
    cells = [f"{' ' if number % 2 else ''}{number * factor}{'.0' if number % 3 else ''}" for number in numbers]
    found = parts_of(feature("datetime", parts=PARTS, unit=unit), cells)
    assert found == {name: column.tolist() for name, column in expected.items()}


def test_fractions_of_seconds_since_1970_count():
    cells = ["1.5", "-1.5", "86399.999999", "86400"]
    assert parts_of(feature("datetime", parts=("day", "hour"), unit="seconds"), cells) == {
        "x_day": [1, 31, 1, 2],
        "x_hour": [1, 24, 24, 1],
    }


def test_a_format_reads_what_it_describes():
    one = feature("datetime", format="%d.%m.%y %H:%M", parts=("hour", "day", "month", "year"))
    assert parts_of(one, ["09.03.24 17:46"]) == {"x_hour": [18], "x_day": [9], "x_month": [3], "x_year": [126]}
    clock = feature("datetime", format="%H.%M", parts=("hour", "minute"))
    assert parts_of(clock, ["12.30", "7.05"]) == {"x_hour": [13, 8], "x_minute": [31, 6]}
    offset = feature("datetime", format="%Y-%m-%d %H:%M %z", parts=("hour",), zone="UTC")
    assert parts_of(offset, ["2024-01-01 12:00 +0200"]) == {"x_hour": [11]}


def test_ages_are_standardised_days():
    cells = [moment.isoformat() for moment in MOMENTS]
    one = feature("datetime", parts=("age_days",), reference="2024-01-01")
    result = encoded(one, [*cells, ""])["x_age_days"]
    days = (pd.Timestamp("2024-01-01") - pd.Series(MOMENTS).astype("datetime64[us]")).dt.total_seconds() / 86_400
    expected = (days - days.mean()) / days.std(ddof=0)
    np.testing.assert_allclose(result.values[:-1, 0], expected, rtol=1e-5, atol=1e-6)
    assert result.values[-1, 0] == 0
    assert (result.kind, result.size, result.indices.max()) == ("numeric", 1, 0)


def test_ages_count_to_another_column_of_the_row():
    one = feature("datetime", parts=("age_days", "month"), reference_column="bought")
    bought = pd.Series(["2024-01-11", "2024-01-03", "", "2024-01-01"], dtype="str")
    result = encoded(one, ["2024-01-01", "2024-01-01", "2024-02-01", ""], bought=bought)
    assert result["x_age_days"].values[:, 0].tolist() == [1.0, -1.0, 0.0, 0.0]  # 10 and 2 days
    assert result["x_month"].indices[:, 0].tolist() == [1, 1, 2, 0]
    assert one.source_columns == ("x", "bought")


def test_malformed_references_are_counted():
    one = feature("datetime", parts=("age_days",), reference_column="bought")
    cells = {"x": ["2024-01-01"] * 3, "bought": ["soon", "2024-01-01", "2024-01-01"]}
    columns = columns_of(pd.DataFrame(cells, dtype="str"))
    with pytest.raises(DataError, match=r"columns x and bought: malformed cells.*received 1 rows"):
        fit_encoders("alice", [one], columns, "train.csv")


def test_zones_count_in_ages():
    one = feature("datetime", parts=("age_days",), reference="2024-01-02T00:00:00+00:00", zone="America/New_York")
    columns = frame(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00", "2023-12-31T19:00:00-05:00"])
    (result,) = fit_encoders("alice", [one], columns, "train.csv").encode(columns, "train.csv")
    first, second, third = result.values[:, 0].tolist()
    assert first == third > second


@pytest.mark.parametrize(
    ("settings", "cells", "advice"),
    [
        ({}, ["01.02.2024", "03.02.2024"], "2 of 2 rows are written in another way: set format"),
        ({}, ["1700000000", "1700000001"], "2 of 2 rows are numbers: set unit"),
        ({"unit": "seconds"}, ["2024-01-01", "2024-01-02"], "2 of 2 rows are in ISO 8601: leave out unit"),
        ({"format": "%d/%m/%Y %H"}, ["2024-01-01", "2024-01-02"], "2 of 2 rows are in ISO 8601: leave out format"),
    ],
)
def test_an_error_about_most_cells_says_what_they_look_like(settings, cells, advice):
    message = failure(feature("datetime", **settings), cells)
    assert advice in message
    assert not any(cell in message for cell in cells)


@pytest.mark.parametrize(
    "settings",
    [
        {"parts": ()},
        {"parts": ("hour", "hour")},
        {"parts": ("second",)},
        {"format": "%H:%M", "parts": ("weekday",)},
        {"format": "%Y-%m-%d", "parts": ("hour",)},
        {"format": "%Y-%m", "parts": ("day",)},
        {"format": "%Q"},
        {"format": "%Y-%m-%d %H:%M %Z"},
        {"format": "%Y-%m-%d %H", "unit": "seconds"},
        {"unit": "days"},
        {"zone": "Europe/Nowhere"},
        {"zone": "../../etc/passwd"},
        {"parts": ("age_days",)},
        {"reference": "2024-01-01"},
        {"parts": ("age_days",), "reference": "tomorrow"},
        {"parts": ("age_days",), "reference": "2024-01-01", "reference_column": "y"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValidationError):
        feature("datetime", **settings)


def test_a_reference_may_be_a_date_of_yaml():
    assert feature("datetime", parts=("age_days",), reference=datetime(2024, 1, 1, tzinfo=UTC).date()).reference == (
        "2024-01-01"
    )
