"""Weights set aside, to go back to."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from party.errors import ModelError
from party.models.variables import assign_all, copies
from party.protocol.state import State


class KeptWeights:
    """The values of some variables at one moment.

    Args:
        variables: of a model.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._variables = variables
        self._values: State | None = None

    def keep(self) -> None:
        """Sets the present values aside, in place of former ones."""
        self._values = copies(self._variables)

    def restore(self) -> None:
        """Goes back to the values that were set aside.

        Raises:
            ModelError: there are none.
        """
        if self._values is None:
            raise ModelError("no weights were kept to go back to")
        assign_all(self._variables, self._values, "kept weights")

    def state(self) -> State:
        """The values that were set aside; empty where there are none."""
        return self._values or State()

    def set_state(self, state: State) -> None:
        """Sets the values aside that were set aside in a state."""
        self._values = state if state.arrays else None
