"""Weights set aside, to go back to."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from party.errors import ModelError


class KeptWeights:
    """The values of some variables at one moment.

    Args:
        variables: of a model.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._variables = variables
        self._values: list[object] | None = None

    def keep(self) -> None:
        """Sets the present values aside, in place of former ones."""
        self._values = [variable.numpy().copy() for variable in self._variables]

    def restore(self) -> None:
        """Goes back to the values that were set aside.

        Raises:
            ModelError: there are none.
        """
        if self._values is None:
            raise ModelError("no weights were kept to go back to")
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)
