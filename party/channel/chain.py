"""A chain of stages that processes every matrix of one direction, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

from party.channel.encoded_matrix import EncodedMatrix
from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.channel.stage import Stage
from party.cut.hidden import FloatArray, Rows
from party.cut.layout import CutLayout
from party.cut.state import State, copied, join_states, part_of, require_same_form


class Chain:
    """Applies stages one after the other; one of them encodes the matrix.

    Args:
        stages: the stages in order.
        layout: column layout of the matrices.
        rows: number of rows in the dataset.
    """

    def __init__(self, stages: Sequence[Stage], layout: CutLayout, rows: int) -> None:
        self._stages = tuple(stages)
        self._states = [stage.init(layout, rows) for stage in self._stages]

    def apply(self, matrix: FloatArray, place: Place) -> EncodedMatrix:
        """Encodes a matrix as the message to seal; if a stage fails, no state changes.

        Args:
            matrix: float32 (rows, columns).
            place: dataset rows and position of its batch.

        Returns:
            The message, to be sealed.

        Raises:
            TensorError: the matrix cannot be sent.
        """
        outgoing, following = OutgoingMatrix(matrix), []
        for stage, state in zip(self._stages, self._states, strict=True):
            outgoing, changed = stage.apply(outgoing, _of_rows(state, place.rows), place)
            following.append(changed)
        if outgoing.message is None:
            raise RuntimeError("no stage of the chain encodes the matrix")
        self._states = [
            _with_rows(state, changed, place.rows) for state, changed in zip(self._states, following, strict=True)
        ]
        return EncodedMatrix(outgoing.message)

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


def _of_rows(state: State, rows: Rows) -> State:
    return State(state.values, {name: array[rows] for name, array in state.arrays.items()})


def _with_rows(state: State, changed: State, rows: Rows) -> State:
    """The state with the values, and the rows of a batch, that a stage returned; arrays are written in place."""
    for name, array in state.arrays.items():
        array[rows] = changed.arrays[name]
    return State(changed.values, state.arrays)
