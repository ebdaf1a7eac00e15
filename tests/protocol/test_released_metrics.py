"""The bound on what a released figure tells of one row, for any figures, rows and labels."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from party.metrics.area_under_curve import area_under_curve
from party.metrics.bounded_figures import BoundedFigure, area_bound, bounded_mean, count_below
from party.metrics.bounded_groups import bounded_by_groups
from party.metrics.grid import (
    FEW_PASSES,
    LEAST_ROWS_OF_A_STEP,
    SIGNIFICANT_DIGITS,
    WIDEST_STEP,
    grid_step,
    step_above,
)
from party.metrics.groups import RankedGroups
from party.metrics.ranked_lists import hit_rate
from party.metrics.released_metrics import (
    of_events,
    release_exactly,
    release_figure,
    release_nothing,
    release_rounded,
    secret_draws,
)

KEY = bytes(range(32))
PASS = "train 3, 10000 rows"
DRAWS = 4000
bounds = st.floats(1e-7, 1e3)
row_counts = st.integers(1, 10**7)
figures = st.floats(0, 1e4)
losses = arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1e6, width=32))


def digits(value):
    return len(Decimal(repr(abs(value))).normalize().as_tuple().digits)


def probabilities(value, step):
    """Of the multiples of a step that a figure may be told as."""
    below = math.floor(value / step)
    up = value / step - below
    return {below: 1 - up, below + 1: up}


@given(st.floats(1e-12, 1e12))
def test_a_step_is_the_least_of_its_kind_that_is_not_smaller(size):
    step = step_above(size)
    assert step.mantissa in (1, 2, 5)
    assert step.size >= size * (1 - 1e-8)
    assert step.size <= size * 2.5 * (1 + 1e-8)


@given(bounds, row_counts)
def test_one_row_moves_a_figure_by_an_eighth_of_a_step_at_most(bound, rows):
    size = grid_step(bound, rows).size
    assert size >= LEAST_ROWS_OF_A_STEP * bound * (1 - 1e-8)
    assert bound / size <= min(0.125, 8 / math.sqrt(rows)) * (1 + 1e-8)


@given(figures, bounds, row_counts)
def test_what_is_told_is_a_multiple_of_the_step_with_three_digits_beside_the_figure(value, bound, rows):
    step = grid_step(bound, rows)
    told = release_figure(BoundedFigure(value, bound), rows, secret_draws(KEY)(PASS))
    assert digits(told) <= SIGNIFICANT_DIGITS
    steps = Decimal(repr(told)) / Decimal(repr(step.size))
    assert steps == steps.to_integral_value()
    assert abs(told - value) <= step.size * 1.001 + 0.0051 * abs(told), "the next multiple, then the third digit"


@given(st.floats(0, 10), bounds, row_counts, st.floats(-1, 1))
def test_two_figures_that_differ_by_one_row_are_told_apart_by_no_more_than_the_bound(value, bound, rows, share):
    """Total variation, worked out: `release` goes up with the probability that the rest of the division is."""
    other = max(0.0, value + share * bound)
    size = grid_step(bound, rows).size
    one, two = probabilities(value, size), probabilities(other, size)
    distance = sum(abs(one.get(key, 0) - two.get(key, 0)) for key in {*one, *two}) / 2
    assert distance <= bound / size + 1e-6
    assert distance <= min(0.125, 8 / math.sqrt(rows)) + 1e-6


def test_a_figure_goes_up_as_often_as_its_rest_says():
    told = [
        release_figure(BoundedFigure(0.5234, 0.0004), 10_000, secret_draws(bytes([n % 256, n // 256]))(PASS))
        for n in range(DRAWS)
    ]
    assert set(told) == {0.52, 0.525}
    share = told.count(0.525) / DRAWS
    expected = (0.5234 - 0.52) / 0.005
    assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / DRAWS)
    assert np.mean(told) == pytest.approx(0.5234, abs=2e-4)


def test_a_figure_of_a_pass_is_always_told_the_same_and_the_next_one_is_drawn_anew():
    draw = secret_draws(KEY)(PASS)
    figures_seen = [0.5 + place * 2**-50 for place in range(DRAWS)]
    drawn = np.array([draw(figure) for figure in figures_seen])
    assert [draw(figure) for figure in figures_seen[:50]] == drawn[:50].tolist()
    assert [secret_draws(bytes(32))(PASS)(figure) for figure in figures_seen[:50]] != drawn[:50].tolist()
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 5 * math.sqrt(1 / 12 / DRAWS)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 5 / math.sqrt(DRAWS)


@pytest.mark.parametrize(
    ("rows", "loss_step", "area_step"),
    [(32, 1.0, 2.0), (320, 0.1, 0.2), (1_000, 0.05, 0.05), (10_000, 0.005, 0.005), (1_000_000, 0.0005, 0.0005)],
)
def test_steps_of_some_sizes(rows, loss_step, area_step):
    """Of a loss bounded at 4, and an area with equally many rows of both classes."""
    assert grid_step(4 / rows, rows).size == loss_step
    assert grid_step(area_bound(rows // 2, rows // 2), rows).size == area_step


@given(bounds, row_counts, st.integers(1, 1000))
def test_many_passes_over_the_same_rows_tell_together_what_few_do(bound, rows, passes):
    """An attacker's signal to noise adds up over passes as the square of bound over step does."""
    one, many = grid_step(bound, rows).size, grid_step(bound, rows, passes).size
    assert passes * (bound / many) ** 2 <= FEW_PASSES * min(0.125, 8 / math.sqrt(rows)) ** 2 * (1 + 1e-8)
    assert many == one or passes > FEW_PASSES


@given(losses, st.floats(0.1, 10), st.floats(width=32), st.data())
def test_another_row_moves_a_bounded_mean_by_its_bound_at_most(values, limit, other, data):
    place = data.draw(st.integers(0, len(values) - 1))
    changed = values.copy()
    changed[place] = other
    one, two = bounded_mean(values, limit), bounded_mean(changed, limit)
    assert one.bound == two.bound == limit / len(values)
    assert abs(one.value - two.value) <= one.bound * (1 + 1e-9)
    assert 0 <= two.value <= limit * (1 + 1e-9)


@given(st.integers(3, 40), st.data())
def test_another_row_moves_an_area_by_its_bound_at_most(rows, data):
    scores = data.draw(arrays(np.float32, rows, elements=st.integers(-3, 3).map(float)))
    labels = data.draw(arrays(np.float32, rows, elements=st.sampled_from([0.0, 1.0])))
    place = data.draw(st.integers(0, rows - 1))
    other_scores, other_labels = scores.copy(), labels.copy()
    other_scores[place] = data.draw(st.integers(-4, 4))
    other_labels[place] = data.draw(st.sampled_from([0.0, 1.0]))
    counts = [int(one.sum()) for one in (labels, other_labels)]
    assume(all(0 < count < rows for count in counts))
    moved = abs(area_under_curve(scores, labels) - area_under_curve(other_scores, other_labels))
    for count in counts:
        assert moved <= area_bound(count, rows - count) + 1e-9


@given(st.integers(2, 8), st.integers(1, 4), st.data())
def test_an_event_with_its_negatives_moves_figures_by_their_bound_at_most(events, sampled, data):
    """An attacker who knows all other rows, and gives those of one event any scores and losses."""
    rows = events * (1 + sampled)
    labels = (np.arange(rows) % (1 + sampled) == 0).astype(np.float32)
    scores = data.draw(arrays(np.float32, rows, elements=st.integers(-3, 3).map(float)))
    changed = scores.copy()
    changed[: 1 + sampled] = data.draw(arrays(np.float32, 1 + sampled, elements=st.integers(-4, 4).map(float)))
    moved = abs(area_under_curve(scores, labels) - area_under_curve(changed, labels))
    assert moved <= area_bound(events, rows - events, sampled) + 1e-9

    def bounded(outputs, labels, exact, *, groups=None):
        return {"loss": bounded_mean(outputs, 2.0), "hit_rate": BoundedFigure(0.5, 0.1, units=10)}

    one, other = (of_events(bounded, 1 + sampled)(values, labels, {}) for values in (scores, changed))
    assert abs(one["loss"].value - other["loss"].value) <= one["loss"].bound * (1 + 1e-9)
    assert one["loss"].bound == pytest.approx(2.0 / events)
    assert one["loss"].units == events
    assert (one["hit_rate"].bound, one["hit_rate"].units) == (0.1, 10)


@given(st.integers(2, 8), st.integers(1, 4), st.data())
def test_an_event_whose_negatives_are_in_other_groups_moves_figures_of_groups_by_their_bound_at_most(
    groups, sampled, data
):
    """Groups of items: the attacker puts the positive row of each group first or last by scores of one event."""
    rows = groups * (1 + sampled)
    items = (np.arange(rows) // (1 + sampled) + np.arange(rows) % (1 + sampled)) % groups
    labels = (np.arange(rows) % (1 + sampled) == 0).astype(np.float32)
    scores = data.draw(arrays(np.float32, rows, elements=st.integers(-3, 3).map(float)))
    changed = scores.copy()
    changed[: 1 + sampled] = data.draw(arrays(np.float32, 1 + sampled, elements=st.integers(-4, 4).map(float)))

    def bounded(outputs, truth, exact, *, groups=None):
        ranked = RankedGroups(outputs, truth, items.astype(np.int32))
        return {"hit_rate_1": bounded_by_groups(hit_rate(ranked, 1), ranked)}

    spread = of_events(bounded, 1 + sampled, {"hit_rate_1"})
    one, other = (spread(values, labels, {})["hit_rate_1"] for values in (scores, changed))
    assert one.bound == pytest.approx((1 + sampled) / count_below(groups))
    assert abs(one.value - other.value) <= one.bound * (1 + 1e-9)


def test_one_event_moves_a_figure_of_its_items_by_more_than_one_group():
    """So the bound of one group would promise too much: both groups lose the hit."""
    ranked = [
        RankedGroups(np.array(scores, np.float32), np.array([1, 0, 1, 0], np.float32), np.array([0, 1, 1, 0], np.int32))
        for scores in ([2, 0, 1, 1], [0, 2, 1, 1])
    ]
    assert [hit_rate(one, 1) for one in ranked] == [1.0, 0.0]


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_bound_of_an_area_is_known_from_coarse_counts(positives, negatives):
    bound = area_bound(positives, negatives)
    assert 1 / positives + 1 / negatives <= bound <= 2.5 * (1 / positives + 1 / negatives)
    coarse = {area_bound(count, negatives) for count in range(positives, positives + max(1, positives // 100))}
    assert len(coarse) <= 2


@given(st.floats(0, 100), st.floats(1e-5, 1), row_counts)
def test_a_root_follows_from_its_square_alone(value, bound, rows):
    """So that it tells no more; and it has no digits that the square had not."""
    draw = secret_draws(KEY)(PASS)
    square = release_figure(BoundedFigure(value, bound), rows, draw)
    root = release_figure(BoundedFigure(value, bound, root=True), rows, draw)
    assert release_figure(BoundedFigure(square, bound, root=True), rows, lambda _: 0.5) == root
    step = grid_step(bound, rows).size
    assert digits(root) <= SIGNIFICANT_DIGITS
    assert abs(root - math.sqrt(square)) <= 2.5 * (math.sqrt(square + step) - math.sqrt(square)) + 0.0051 * root


def told(figure, rows, passes, draw=0.5):
    release = release_rounded(lambda *_, groups: {"auc": figure}, lambda _: lambda _: draw, passes)
    nothing = np.zeros((rows, 0), np.float32)
    return release(PASS, nothing, nothing, {})["auc"]


@given(st.floats(0, 1), bounds, st.integers(1, 10**4), st.integers(1, 1000), st.floats(1e-3, 1e3), st.floats(0, 0.99))
def test_a_figure_is_withheld_where_its_step_is_wider_than_a_share_of_its_span(share, bound, rows, passes, span, draw):
    """Whatever the figure is: withholding it shows nothing but the step, which a figure that is told shows too."""
    released = told(BoundedFigure(share * span, bound, span=span), rows, passes, draw)
    step = grid_step(bound, rows, passes).size
    assert (released is None) == (step > WIDEST_STEP * span * (1 + 1e-9))
    if released is not None:
        assert -1e-9 <= released <= 1.26 * span, "no number that the figure cannot be, but for the last step"


@pytest.mark.parametrize("root", [False, True])
def test_an_area_over_few_rows_of_many_epochs_is_no_number_beyond_one(root):
    assert grid_step(area_bound(75, 75), 150, passes=900).size == 5
    assert told(BoundedFigure(0.8, area_bound(75, 75), root), 150, passes=900, draw=0.9) is None
    assert told(BoundedFigure(0.8, area_bound(75, 75), root), 150, passes=1) is None
    assert told(BoundedFigure(math.nan, 1.0, root), 150, passes=900) is not None, "undefined, which is something else"


def test_equal_figures_of_two_passes_have_draws_of_their_own():
    """Otherwise a release that changes while all other rows are kept fixed would show that a row has changed."""
    of_pass = secret_draws(KEY)
    drawn = np.array([of_pass(f"infer {number}")(0.5234) for number in range(DRAWS)])
    assert len(set(drawn)) == DRAWS
    assert abs(drawn.mean() - 0.5) < 5 * math.sqrt(1 / 12 / DRAWS)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 5 / math.sqrt(DRAWS)


def test_releasers():
    outputs, labels = np.zeros((10_000, 1), np.float32), np.zeros((10_000, 1), np.float32)
    exact = {"loss": 0.123456, "precision": 0.5}
    assert release_exactly(PASS, outputs, labels, exact) == exact
    assert release_nothing(PASS, outputs, labels, exact) == {}
    tell = release_rounded(
        lambda outputs, labels, exact, *, groups: {"loss": BoundedFigure(exact["loss"], 4 / len(outputs))},
        lambda _: lambda _: 0.5,
    )
    assert tell(PASS, outputs, labels, exact) == {"loss": 0.125}
