"""Items drawn for positive rows: how many, which, and how often each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Philox

from party.data.item_draws import MOST_TRIES, NO_ITEM, Interactions, draw_items

PER_POSITIVE = 3
MOST_CHI_SQUARE = 16.3  # with 3 degrees of freedom: exceeded once in a thousand times


class CountedBits:
    """Counts how often bits are asked for."""

    def __init__(self, bits):
        self.bits, self.calls = bits, 0

    def random_raw(self, size):
        self.calls += 1
        return self.bits.random_raw(size)


def chi_square(found, expected):
    return float(((found - expected) ** 2 / expected).sum())


def interactions(users, items, positive=None):
    users, items = np.array(users, np.int64), np.array(items, np.int64)
    return Interactions(
        users=users, items=items, positive=np.ones(len(users), bool) if positive is None else np.array(positive)
    )


@st.composite
def some_interactions(draw):
    rows = draw(st.integers(1, 30))
    users = draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
    items = draw(st.lists(st.integers(NO_ITEM, 5), min_size=rows, max_size=rows).filter(lambda one: max(one) >= 0))
    numbers = {item: number for number, item in enumerate(sorted({one for one in items if one != NO_ITEM}))}
    items = [numbers.get(item, NO_ITEM) for item in items]
    return interactions(users, items, draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))


@settings(max_examples=80, deadline=None)
@given(some_interactions(), st.sampled_from(["popularity", "uniform"]), st.integers(0, 9))
def test_what_is_drawn_is_an_item_that_the_user_has_no_positive_row_with(rows, draw, seed):
    origin, drawn = draw_items(rows, PER_POSITIVE, draw, Philox(seed))
    taken = {(rows.users[one], rows.items[one]) for one in np.flatnonzero(rows.positive)}
    assert all((rows.users[row], rows.items[other]) not in taken for row, other in zip(origin, drawn, strict=True))
    assert rows.positive[origin].all()
    assert (rows.items[drawn] != NO_ITEM).all()
    assert (np.diff(origin) >= 0).all()
    counts = np.bincount(origin, minlength=len(rows.users))
    items = set(rows.items.tolist()) - {NO_ITEM}
    for row in np.flatnonzero(rows.positive):
        free = {item for item in items if (rows.users[row], item) not in taken}
        assert counts[row] <= PER_POSITIVE
        # 6 items at most in 30 rows: a try misses with probability 29/30 at most.
        assert free or counts[row] == 0, "a negative with an item is left out, and no other one takes its place"
    again = draw_items(rows, PER_POSITIVE, draw, Philox(seed))
    np.testing.assert_array_equal(again, (origin, drawn))


def test_a_negative_is_left_out_after_its_tries_and_the_others_are_all_there():
    """User 0 has every item; user 1 one of three, each as likely as the others."""
    rows = interactions([0, 0, 0, 1], [0, 1, 2, 0])
    for draw in ("popularity", "uniform"):
        bits = CountedBits(Philox(4))
        origin, drawn = draw_items(rows, PER_POSITIVE, draw, bits)
        assert origin.tolist() == [3] * PER_POSITIVE
        assert set(rows.items[drawn].tolist()) <= {1, 2}
        assert bits.calls == MOST_TRIES * (2 if draw == "uniform" else 1), "tries end"


def test_popularity_draws_items_as_often_as_they_occur_and_uniform_all_alike():
    """Users have one row each with an item that nobody draws against: exclusion changes next to nothing."""
    generator = np.random.default_rng(5)
    rows, shares = 20_000, np.array([0.4, 0.3, 0.2, 0.1])
    items = generator.choice(4, rows, p=shares)
    negative = interactions(np.arange(rows), items, np.zeros(rows, bool))
    lone = interactions(  # a positive row with an item of its own, and all others as what may be drawn
        np.append(negative.users, rows), np.append(items, 4), np.append(negative.positive, True)
    )
    counts = np.bincount(items, minlength=4)
    for draw, expected in (("popularity", counts / rows), ("uniform", np.full(4, 0.25))):
        _, drawn = draw_items(lone, 4000, draw, Philox(11))
        found = np.bincount(lone.items[drawn], minlength=5)
        assert found[4] == 0
        assert chi_square(found[:4], 4000 * expected) < MOST_CHI_SQUARE, draw
        other = np.full(4, 0.25) if draw == "popularity" else counts / rows
        assert chi_square(found[:4], 4000 * other) > 10 * MOST_CHI_SQUARE, "the two draws can be told apart"
    rows_of_item = np.flatnonzero(lone.items == 3)
    _, drawn = draw_items(lone, 4000, "uniform", Philox(12))
    of_item = drawn[lone.items[drawn] == 3]
    assert len(np.unique(of_item)) > len(of_item) // 2, "other columns come from all rows of an item"
    assert set(of_item.tolist()) <= set(rows_of_item.tolist())


@pytest.mark.parametrize("draw", ["popularity", "uniform"])
def test_rows_without_an_item_are_not_drawn_but_have_negatives(draw):
    rows = interactions([0, 1], [NO_ITEM, 0])
    origin, drawn = draw_items(rows, 2, draw, Philox(1))
    assert origin.tolist() == [0, 0]
    assert drawn.tolist() == [1, 1]
