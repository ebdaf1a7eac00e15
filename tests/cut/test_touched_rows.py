"""Touched rows against sets: whatever is touched, begun and accepted in whatever order, no row is forgotten."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from party.cut.touched_rows import TouchedRows

ROWS = 12
numbers = st.lists(st.integers(0, ROWS - 1), max_size=5)
actions = st.lists(
    st.tuples(st.just("touch"), numbers)
    | st.tuples(st.just("restart"), numbers)
    | st.tuples(st.sampled_from(["begin", "accept", "touch_all"]), st.just([])),
    max_size=30,
)


@given(actions)
def test_rows_since_the_base_are_those_of_a_set(taken):
    touched = TouchedRows(ROWS)
    before, latest = set(), set()
    for action, rows in taken:
        array = np.array(rows, np.int32)
        if action in ("touch", "restart"):
            getattr(touched, action)(array)
        else:
            getattr(touched, action)()
        match action:
            case "touch":
                latest |= set(rows)
            case "touch_all":
                latest |= set(range(ROWS))
            case "begin":
                before, latest = before | latest, set()
            case "accept":
                before = set()
            case "restart":
                before, latest = set(), set(rows)
        assert touched.since_base().tolist() == sorted(before | latest)


def test_rows_of_a_batch_may_have_any_shape_and_repeat():
    touched = TouchedRows(ROWS)
    touched.touch(np.array([[3, 5], [5, 3]], np.int32))
    assert touched.since_base().tolist() == [3, 5]
