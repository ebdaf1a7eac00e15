"""The values of Keras variables as a state, by index: their paths may differ between processes."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from party.cut.state import State, in_order, numbered


def copies(variables: Sequence[keras.Variable]) -> State:
    """Copies the present values of variables."""
    return numbered([variable.numpy().copy() for variable in variables])


def assign_all(variables: Sequence[keras.Variable], state: State, what: str) -> None:
    """Assigns variables the values of a state.

    Args:
        variables: the variables, in the order of the state.
        state: a state that `copies` made.
        what: what the variables are, for errors.

    Raises:
        CheckpointError: the state does not fit the variables.
    """
    arrays = in_order(state, [tuple(variable.shape) for variable in variables], what)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
