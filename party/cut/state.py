"""State that a checkpoint holds, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from party.cut.large_table import LargeTable
from party.errors import CheckpointError

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class State:
    """The state of a component at one moment.

    Attributes:
        values: values by name; numbers, strings, lists and mappings that JSON can hold, NaN and infinity included.
        arrays: arrays by name; only the names in joined states contain a slash, here and in `values`.
        tables: large tables by name, which are no copies: whoever keeps the state copies what it needs of them.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    tables: Mapping[str, LargeTable] = field(default_factory=dict)


def join_states(parts: Mapping[str, State]) -> State:
    """Joins several states into one; each name is prefixed by that of its part.

    Args:
        parts: states by name.
    """
    return State(
        {f"{name}/{key}": value for name, part in parts.items() for key, value in part.values.items()},
        {f"{name}/{key}": array for name, part in parts.items() for key, array in part.arrays.items()},
        {f"{name}/{key}": table for name, part in parts.items() for key, table in part.tables.items()},
    )


def part_of(state: State, name: str) -> State:
    """Extracts one of the states that were joined; empty if no part has this name.

    Args:
        state: a state that `join_states` made.
        name: name of the part.
    """
    prefix = f"{name}/"
    return State(
        {key.removeprefix(prefix): value for key, value in state.values.items() if key.startswith(prefix)},
        {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)},
        {key.removeprefix(prefix): table for key, table in state.tables.items() if key.startswith(prefix)},
    )


def copied(state: State) -> State:
    """Copies a state, so that writing to the arrays of the original does not change it."""
    return State(dict(state.values), {name: array.copy() for name, array in state.arrays.items()})


def require_same_form(present: State, restored: State, what: str) -> None:
    """Refuses a state whose names, shapes or dtypes differ from those of the present one.

    Args:
        present: the present state of the same thing.
        restored: the state from a checkpoint.
        what: what the state holds, for errors.

    Raises:
        CheckpointError: a value or an array is missing, is not expected, or has another shape or dtype.
    """
    expected, received = (
        (set(one.values), {name: (array.shape, array.dtype) for name, array in one.arrays.items()})
        for one in (present, restored)
    )
    if expected != received:
        raise CheckpointError(
            f"{what} does not match this run",
            where="checkpoint",
            expected=f"{len(present.arrays)} arrays, {len(present.values)} values",
            received=f"{len(restored.arrays)} arrays, {len(restored.values)} values, or other shapes",
        )


def numbered(arrays: Sequence[Array]) -> State:
    """A state of arrays that are named by their index."""
    return State(arrays={str(place): array for place, array in enumerate(arrays)})


def in_order(state: State, shapes: Sequence[tuple[int, ...]], what: str) -> list[Array]:
    """Returns the arrays of a numbered state.

    Args:
        state: a state that `numbered` made.
        shapes: the expected shapes.
        what: what the arrays are, for errors.

    Returns:
        One array per shape.

    Raises:
        CheckpointError: there are more or fewer arrays, or one has another shape.
    """
    found = [state.arrays.get(str(place)) for place in range(len(shapes))]
    received = [None if array is None else array.shape for array in found]
    arrays = [array for array in found if array is not None]
    if received != list(shapes) or len(state.arrays) != len(shapes):
        raise CheckpointError(
            f"{what} do not fit this model",
            where="checkpoint",
            expected=f"{len(shapes)} arrays",
            received=f"{len(state.arrays)} arrays, or other shapes",
        )
    return arrays
