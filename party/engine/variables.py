"""The values of Keras variables as a state, by index: their paths may differ between processes."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from party.cut.state import State, in_order
from party.engine.variable_table import VariableTable


def copies(variables: Sequence[keras.Variable], tables: Sequence[VariableTable] = ()) -> State:
    """Copies the present values of variables.

    Args:
        variables: the variables.
        tables: those of them that are not copied, but are tables of the state.
    """
    by_variable = {id(table.variable): table for table in tables}
    named = {str(place): variable for place, variable in enumerate(variables)}
    return State(
        arrays={name: one.numpy().copy() for name, one in named.items() if id(one) not in by_variable},
        tables={name: by_variable[id(one)] for name, one in named.items() if id(one) in by_variable},
    )


def assign_all(variables: Sequence[keras.Variable], state: State, what: str) -> None:
    """Assigns variables the values of a state.

    Args:
        variables: the variables, in the order of the state.
        state: a state that `copies` made.
        what: what the variables are, for errors.

    Raises:
        CheckpointError: the state does not fit the variables.
    """
    whole = {name: table.whole() for name, table in state.tables.items()}
    held = State(arrays={**state.arrays, **whole})
    arrays = in_order(held, [tuple(variable.shape) for variable in variables], what)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
