"""A stage that observes every matrix that leaves, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.cut.state import State

Observer = Callable[[FloatArray, Place], None]


class TapStage:
    """Passes a copy of every matrix, as the receiver will decode it, to an observer; the last stage before the seal.

    A matrix without rows shows nothing.

    Args:
        observe: called with a copy of the values, float32 (rows, columns), and their place.
    """

    name = "tap"

    def __init__(self, observe: Observer) -> None:
        self._observe = observe

    def init(self, layout: CutLayout, rows: int) -> State:
        """An empty state: an observer does not influence training."""
        return State()

    def apply(self, matrix: OutgoingMatrix, state: State, place: Place) -> tuple[OutgoingMatrix, State]:
        """Shows the values to the observer and returns the matrix unchanged."""
        if len(place.rows):
            self._observe(matrix.values.copy(), place)
        return matrix, state
