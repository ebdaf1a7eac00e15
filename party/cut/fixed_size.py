"""States whose size in a checkpoint does not depend on the numbers in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from party.cut.state import State
from party.cut.stateful import Stateful

FLOATS = "float64"


class FixedSizeState:
    """A component whose state holds its numbers with a fraction as an array: as text, they differ in length.

    Args:
        component: the component; none of its arrays is named FLOATS.
    """

    def __init__(self, component: Stateful) -> None:
        self._component = component

    def state(self) -> State:
        """A copy of the state."""
        state, floats = self._component.state(), list[float]()
        values = _taken_out(dict(state.values), floats)
        return State(values, {**state.arrays, FLOATS: np.array(floats, np.float64)})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to something else.
        """
        arrays = dict(state.arrays)
        floats = arrays.pop(FLOATS)
        self._component.set_state(State(_put_back(dict(state.values), floats.tolist()), arrays))


def _taken_out(value: Any, floats: list[float]) -> Any:
    """The value with a place in `floats` for each float, which are appended to it."""
    match value:
        case float():
            floats.append(value)
            return {FLOATS: len(floats) - 1}
        case dict():
            return {key: _taken_out(one, floats) for key, one in value.items()}
        case list() | tuple():
            return [_taken_out(one, floats) for one in value]
    return value


def _put_back(value: Any, floats: list[float]) -> Any:
    match value:
        case {"float64": int(place)} if len(value) == 1:
            return floats[place]
        case dict():
            return {key: _put_back(one, floats) for key, one in value.items()}
        case list():
            return [_put_back(one, floats) for one in value]
    return value
