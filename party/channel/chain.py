"""A chain of stages that processes every matrix of one direction, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

from party.channel.encoded_matrix import EncodedMatrix
from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.channel.stage import Stage
from party.channel.stage_states import StageStates
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.cut.state import State


class Chain:
    """Applies stages one after the other; one of them encodes the matrix.

    Args:
        stages: the stages in order.
        layout: column layout of the matrices.
        rows: number of rows in the dataset.
    """

    def __init__(self, stages: Sequence[Stage], layout: CutLayout, rows: int) -> None:
        self._stages = tuple(stages)
        self._states = StageStates(stages, layout, rows)

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
        for stage, state in zip(self._stages, self._states.of_rows(place.rows), strict=True):
            outgoing, changed = stage.apply(outgoing, state, place)
            following.append(changed)
        if outgoing.message is None:
            raise RuntimeError("no stage of the chain encodes the matrix")
        self._states.store(following, place.rows)
        return EncodedMatrix(outgoing.message)

    def state(self) -> State:
        """A copy of the states of all stages."""
        return self._states.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to other stages, another dataset or another model.
        """
        self._states.set_state(state)
