"""The interface of an incoming stage: one transformation of every matrix of a direction after it is decoded."""

from __future__ import annotations

from typing import Protocol

from party.channel.place import Place
from party.channel.stage_states import KeepsState
from party.cut.hidden import FloatArray
from party.cut.state import State


class IncomingStage(KeepsState, Protocol):
    """The counterpart of `Stage` at the receiver: a pair of `init` and `apply`.

    The arrays of a state hold a row for each row of the dataset. A stage changes nothing itself: the chain stores the
    new state once the batch has been accepted, and may apply the stages of a refused batch again.
    """

    def apply(self, values: FloatArray, state: State, place: Place, where: object) -> tuple[FloatArray, State]:
        """Transforms a matrix.

        Args:
            values: the result of the stage before, float32 (rows, columns); must not be changed.
            state: the values that the call before returned, and the batch's rows of each array; must not be changed.
            place: dataset rows and position of its batch.
            where: the slot of its message, for errors.

        Returns:
            The matrix for the next stage, and the state that replaces this one.

        Raises:
            TensorError: the matrix cannot be used.
        """
