"""The states of the stages of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from party.cut.hidden import Rows
from party.cut.layout import CutLayout
from party.cut.state import State, copied, join_states, part_of, require_same_form


class KeepsState(Protocol):
    """What outgoing and incoming stages have in common."""

    @property
    def name(self) -> str:
        """Name of the stage, unique in its chain."""

    def init(self, layout: CutLayout, rows: int) -> State:
        """The state before the first matrix.

        Args:
            layout: column layout of the matrices.
            rows: number of rows in the dataset.

        Returns:
            The values, and arrays of shape (rows, ...).
        """


class StageStates:
    """Holds the states of all stages of a chain; no state changes before `store`.

    Args:
        stages: the stages in order.
        layout: column layout of the matrices.
        rows: number of rows in the dataset.
    """

    def __init__(self, stages: Sequence[KeepsState], layout: CutLayout, rows: int) -> None:
        self._stages = tuple(stages)
        self._states = [stage.init(layout, rows) for stage in self._stages]

    def of_rows(self, rows: Rows) -> list[State]:
        """The states of all stages, of the rows of a batch.

        Args:
            rows: row numbers of the batch, int32 (batch,).
        """
        return [
            State(state.values, {name: array[rows] for name, array in state.arrays.items()}) for state in self._states
        ]

    def store(self, following: Sequence[State], rows: Rows) -> None:
        """Stores the values, and the rows of a batch, that the stages returned; arrays are written in place.

        Args:
            following: one state for each stage.
            rows: row numbers of the batch, int32 (batch,).
        """
        for state, changed in zip(self._states, following, strict=True):
            for name, array in state.arrays.items():
                array[rows] = changed.arrays[name]
        self._states = [
            State(changed.values, state.arrays) for state, changed in zip(self._states, following, strict=True)
        ]

    def state(self) -> State:
        """A copy of the states of all stages."""
        named = zip(self._stages, self._states, strict=True)
        return join_states({stage.name: copied(state) for stage, state in named})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to other stages, another dataset or another model.
        """
        restored = [part_of(state, stage.name) for stage in self._stages]
        for stage, present, found in zip(self._stages, self._states, restored, strict=True):
            require_same_form(present, found, f"the {stage.name.replace(' ', '-')} state")
        self._states = [copied(one) for one in restored]
