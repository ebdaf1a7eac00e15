"""A checkpoint holds every part, and one that lacks a part is refused."""

import numpy as np
import pytest

from party.cut.state import State, copied, require_same_form
from party.cut.stateful import StatefulParts
from party.errors import CheckpointError


class Counter:
    """Counts, and may have nothing to say of it."""

    def __init__(self, count=0, silent=False):
        self.count, self.silent, self.restored = count, silent, 0

    def state(self):
        return State() if self.silent else State({"count": self.count})

    def set_state(self, state):
        self.restored += 1
        self.count = state.values.get("count", 0)


def test_every_part_continues_from_its_own_state():
    saved = StatefulParts({"one": Counter(3), "two": Counter(5), "silent": Counter(silent=True)}).state()
    parts = {"one": Counter(), "two": Counter(), "silent": Counter(silent=True)}
    StatefulParts(parts).set_state(saved)
    assert [part.count for part in parts.values()] == [3, 5, 0]
    assert [part.restored for part in parts.values()] == [1, 1, 1]


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"], ["one", "other"], []])
def test_a_state_of_other_parts_is_refused_before_anything_changes(names):
    saved = StatefulParts({name: Counter(3, silent=name == "two") for name in names}).state()
    parts = {"one": Counter(1), "two": Counter(2, silent=True)}
    with pytest.raises(CheckpointError, match="other parts than this run has; expected one, two; received"):
        StatefulParts(parts).set_state(saved)
    assert [part.restored for part in parts.values()] == [0, 0]


@pytest.mark.parametrize("saved", [State(), State({"parts/names": "one"}), State({"parts/names": 7})])
def test_a_state_without_a_list_of_parts_is_refused(saved):
    with pytest.raises(CheckpointError, match="no list of parts"):
        StatefulParts({"one": Counter()}).set_state(saved)


TABLE = State({"count": 1}, {"table": np.zeros((3, 2), np.float32)})


@pytest.mark.parametrize(
    "other",
    [
        State({"count": 1}),
        State({}, TABLE.arrays),
        State({"count": 1, "more": 2}, TABLE.arrays),
        State({"count": 1}, {"table": np.zeros((2, 3), np.float32)}),
        State({"count": 1}, {"table": np.zeros((3, 2), np.float64)}),
        State({"count": 1}, {"other": np.zeros((3, 2), np.float32)}),
    ],
)
def test_a_state_of_another_form_is_refused(other):
    with pytest.raises(CheckpointError, match="the table does not match this run"):
        require_same_form(TABLE, other, "the table")
    require_same_form(TABLE, State({"count": 9}, {"table": np.ones((3, 2), np.float32)}), "the table")


def test_a_copy_stays_when_the_original_is_written_to():
    original = State(arrays={"table": np.zeros(3, np.float32)})
    copy = copied(original)
    original.arrays["table"][:] = 1
    assert not copy.arrays["table"].any()


@pytest.mark.parametrize("error", [KeyError("position"), IndexError(), TypeError(), ValueError()])
def test_a_part_that_lacks_something_is_refused_as_a_checkpoint(error):
    class Lacking(Counter):
        def set_state(self, state):
            raise error

    saved = StatefulParts({"one": Counter(3)}).state()
    with pytest.raises(CheckpointError, match="part one of the checkpoint is incomplete"):
        StatefulParts({"one": Lacking()}).set_state(saved)
