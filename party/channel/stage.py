"""The interface of a stage: one transformation of every matrix of a direction before it is sealed."""

from __future__ import annotations

from typing import Protocol

from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.channel.stage_states import KeepsState
from party.cut.state import State


class Stage(KeepsState, Protocol):
    """A pair of `init` and `apply`, like the transforms of Optax; its state is saved in checkpoints.

    The values of a state belong to the stage alone. Its arrays hold a row for each row of the dataset: `init` returns
    all of them; `apply` gets the rows of its batch and returns their replacements. So a stage changes nothing itself:
    the chain stores the new state once every stage has succeeded.
    """

    def apply(self, matrix: OutgoingMatrix, state: State, place: Place) -> tuple[OutgoingMatrix, State]:
        """Transforms a matrix; matrices arrive in the order of their batches, each once.

        Args:
            matrix: the result of the stage before.
            state: the values that the call before returned, and the batch's rows of each array; must not be changed.
            place: dataset rows and position of its batch.

        Returns:
            The matrix for the next stage, and the state that replaces this one.

        Raises:
            TensorError: the matrix cannot be sent.
        """
