"""Quantities never have the form of a neighbouring unit."""

import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.output.quantities import (
    bytes_text,
    counted,
    day_text,
    figure_text,
    minute_text,
    seconds_text,
    share_text,
    time_text,
)

UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (bytes_text(0), "0 bytes"),
        (bytes_text(999), "999 bytes"),
        (bytes_text(1_000), "1.0 kB"),
        (bytes_text(999.6), "1.0 kB"),
        (bytes_text(999_949), "999.9 kB"),
        (bytes_text(999_960), "1.0 MB"),
        (bytes_text(4_500_000), "4.5 MB"),
        (bytes_text(2.5e18), "2,500.0 PB"),
        (seconds_text(0.0), "0 s"),
        (seconds_text(0.00002), "0.02 ms"),
        (seconds_text(0.005), "5 ms"),
        (seconds_text(0.35), "0.35 s"),
        (seconds_text(0.999), "1.0 s"),
        (seconds_text(9.97), "10 s"),
        (seconds_text(0.0816), "0.082 s"),
        (seconds_text(3.26), "3.3 s"),
        (seconds_text(59.6), "1 min 0 s"),
        (seconds_text(245), "4 min 5 s"),
        (seconds_text(3599.7), "1 h 0 min"),
        (seconds_text(86_399), "1 d 0 h"),
        (seconds_text(187_200), "2 d 4 h"),
        (seconds_text(12_000), "3 h 20 min"),
        (time_text("2026-01-02T03:04:05.678+00:00"), "2026-01-02 03:04:05 UTC"),
        (time_text("yesterday"), "yesterday"),
        (share_text(0, 10), "0.0 %"),
        (share_text(1, 1_000_000), "< 0.1 %"),
        (share_text(999_999, 1_000_000), "> 99.9 %"),
        (share_text(3, 3), "100.0 %"),
        (share_text(0, 0), "-"),
        (figure_text(-38993.2), "-38,990"),
        (figure_text(0.031249), "0.03125"),
        (figure_text(9999.96), "10,000"),
        (figure_text(1.0), "1"),
        (figure_text(0.0), "0"),
        (figure_text(2.5e-9), "2.5e-09"),
        (figure_text(math.inf), "inf"),
        (counted(1, "row"), "1 row"),
        (counted(0, "row"), "0 rows"),
        (counted(1200, "entity", "entities"), "1,200 entities"),
    ],
)
def test_quantities_have_the_forms_that_people_expect(made, text):
    assert made == text


@given(st.integers(0, 10**15))
def test_a_size_below_the_largest_unit_has_at_most_three_digits_before_the_point(size):
    figure, unit = bytes_text(size).split()
    assert len(figure.partition(".")[0]) <= 3
    factor = 1000 ** ("bytes", "kB", "MB", "GB", "TB", "PB").index(unit)
    assert float(figure) * factor == pytest.approx(size, rel=0.06)


@given(st.floats(0.001, 1e8))
def test_a_duration_reads_back_as_what_it_was(seconds):
    parts = seconds_text(seconds).replace(",", "").split()
    read = sum(float(figure) * UNITS[unit] for figure, unit in zip(parts[::2], parts[1::2], strict=True))
    assert read == pytest.approx(seconds, rel=0.06)


def test_points_in_time_are_in_utc():
    moment = datetime(2026, 1, 2, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (minute_text(moment), day_text(moment)) == ("2026-01-01 22:30 UTC", "2026-01-01")
