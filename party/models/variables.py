"""The values of Keras variables as a state, by place: their paths may differ from one process to the next."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from party.protocol.state import State, in_order, numbered


def copies(variables: Sequence[keras.Variable]) -> State:
    """The present values of variables, which later updates leave alone."""
    return numbered([variable.numpy().copy() for variable in variables])


def assign_all(variables: Sequence[keras.Variable], state: State, what: str) -> None:
    """Gives variables the values of a state.

    Args:
        variables: in the order of the state.
        state: as `copies` made it.
        what: the variables are, for errors.

    Raises:
        CheckpointError: the state does not fit the variables.
    """
    arrays = in_order(state, [tuple(variable.shape) for variable in variables], what)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
