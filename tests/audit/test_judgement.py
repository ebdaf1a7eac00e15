"""The verdict follows its documented thresholds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.audit.report.judgement import ERRORS, IN_PART, MOST_MARGIN, OPEN, READABLE, epsilon_ceiling, judge

SHARES = st.floats(0.0, 1.0)
SEVERITY = ["too few rows", "nothing found", "in part", "readable", "open"]
PRECISE, VAGUE = st.floats(0.0, MOST_MARGIN / ERRORS * 0.999), st.floats(MOST_MARGIN / ERRORS * 1.001, 0.3)


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (1.0, "open"),
        (OPEN, "open"),
        (0.8, "readable"),
        (READABLE, "readable"),
        (IN_PART, "in part"),
        (0.55, "nothing found"),
    ],
)
def test_figures_without_a_ceiling(figure, verdict):
    assert judge(figure, 0.001, without_run=0.5) == verdict
    assert judge(1.0 - figure, 0.001, without_run=0.5) == verdict


@given(first=SHARES, second=SHARES, error=st.floats(0.0, 0.1))
def test_more_is_never_judged_milder(first, second, error):
    low, high = sorted((max(first, 1 - first), max(second, 1 - second)))
    assert SEVERITY.index(judge(low, error)) <= SEVERITY.index(judge(high, error))


@given(figure=SHARES, error=PRECISE, epsilon=st.floats(0.01, 1.99))
def test_below_two_an_epsilon_is_kept_or_exceeded(figure, error, epsilon):
    """What reads most rows is called readable, though epsilon allows it: .85 is within the ceiling of 1.9."""
    ceiling = epsilon_ceiling(epsilon)
    distance, margin = max(figure, 1 - figure), ERRORS * error
    verdict = judge(figure, error, ceiling=ceiling)
    assert (verdict == "above") == (distance > ceiling + margin)
    assert (verdict == "within") == (distance <= min(ceiling, READABLE) + margin)
    assert verdict in ("above", "within", "readable", "open")


@given(figure=SHARES, error=VAGUE, ceiling=st.none() | st.floats(0.51, 0.88))
def test_few_rows_never_look_like_a_protection(figure, error, ceiling):
    """With a handful of rows, an attack that reads most of them is not above a ceiling by three standard errors."""
    verdict = judge(figure, error, without_run=0.5, ceiling=ceiling)
    assert verdict not in ("within", "nothing found")
    if max(figure, 1 - figure) < IN_PART:
        assert verdict == "too few rows"


def test_from_two_on_labels_are_readable_though_the_epsilon_is_kept():
    ceiling = epsilon_ceiling(2.0)
    assert judge(0.87, 0.005, without_run=0.5, ceiling=ceiling) == "readable"
    assert judge(0.95, 0.005, without_run=0.5, ceiling=ceiling) == "above"


def test_what_is_known_without_a_run_is_no_leak():
    assert judge(0.81, 0.01, without_run=0.80) == "nothing found"
    assert judge(0.86, 0.01, without_run=0.80) == "readable"
    assert judge(0.81, 0.01, without_run="?") == "readable"


@pytest.mark.parametrize("figure", ["?", None])
def test_no_figure_is_no_verdict(figure):
    assert judge(figure, None, ceiling=0.7) == "not measured"


@pytest.mark.parametrize(("epsilon", "ceiling"), [(1.0, 0.731), (2.0, 0.881), (0.5, 0.622)])
def test_the_ceiling_is_the_area_under_the_region_of_a_private_test(epsilon, ceiling):
    """The region of Kairouz et al.: from (0, 0) over (1/(1+e), e/(1+e)) to (1, 1), by the trapezoids under it."""
    low, high = 1 / (1 + math.exp(epsilon)), math.exp(epsilon) / (1 + math.exp(epsilon))
    area = low * high / 2 + (1 - low) * (high + 1) / 2
    assert epsilon_ceiling(epsilon) == pytest.approx(area, rel=1e-12)
    assert epsilon_ceiling(epsilon) == pytest.approx(ceiling, abs=5e-4)
