"""Everything that decides how a run goes on, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from party.errors import CheckpointError

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class State:
    """The state of something at one moment.

    Attributes:
        values: by name; numbers, texts, lists and mappings that JSON can hold, NaN and infinity included.
        arrays: by name; no names of `values` and `arrays` hold a slash but those of joined states.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


def join_states(parts: Mapping[str, State]) -> State:
    """Several states as one, their names prefixed."""
    return State(
        {f"{name}/{key}": value for name, part in parts.items() for key, value in part.values.items()},
        {f"{name}/{key}": array for name, part in parts.items() for key, array in part.arrays.items()},
    )


def part_of(state: State, name: str) -> State:
    """One of the states that were joined; empty where there was none of this name."""
    prefix = f"{name}/"
    return State(
        {key.removeprefix(prefix): value for key, value in state.values.items() if key.startswith(prefix)},
        {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)},
    )


def numbered(arrays: Sequence[Array]) -> State:
    """Arrays that have places in place of names."""
    return State(arrays={str(place): array for place, array in enumerate(arrays)})


def in_order(state: State, shapes: Sequence[tuple[int, ...]], what: str) -> list[Array]:
    """The arrays of a numbered state.

    Args:
        state: as `numbered` made it.
        shapes: that are expected.
        what: the arrays are, for errors.

    Returns:
        One array for each shape.

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
