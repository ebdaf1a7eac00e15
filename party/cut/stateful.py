"""A registry of the components whose state a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from party.cut.state import State, join_states, part_of
from party.errors import CheckpointError

PARTS = "parts"


class Stateful(Protocol):
    """A component whose state influences how training continues."""

    def state(self) -> State:
        """A copy of the state."""

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to something else.
        """


class StatefulParts:
    """The parts of one checkpoint, by name; a state in which a part is missing is refused.

    Args:
        parts: parts by name, restored in this order.
    """

    def __init__(self, parts: Mapping[str, Stateful]) -> None:
        self._parts = dict(parts)

    def state(self) -> State:
        """The states and the names of all parts."""
        states = {name: part.state() for name, part in self._parts.items()}
        return join_states({PARTS: State({"names": sorted(states)}), **states})

    def set_state(self, state: State) -> None:
        """Continues from a state with exactly these parts.

        Raises:
            CheckpointError: a part is missing, is not expected, or does not fit.
        """
        found = part_of(state, PARTS).values.get("names")
        names = sorted(self._parts)
        if found != names:
            raise CheckpointError(
                "the checkpoint holds other parts than this run has",
                where="checkpoint",
                expected=", ".join(names),
                received=(", ".join(map(str, found)) or "none") if isinstance(found, list) else "no list of parts",
            )
        for name, part in self._parts.items():
            try:
                part.set_state(part_of(state, name))
            except (KeyError, IndexError, TypeError, ValueError) as error:
                text = f"part {name} of the checkpoint is incomplete, or of another form"
                raise CheckpointError(text, where="checkpoint") from error
