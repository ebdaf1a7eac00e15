"""The accumulated meter: direction scores of every row, summed over all epochs.

Noise that is drawn anew in every step averages out in the sum: a single window looks safe where the run is not.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from party.audit.meters.separation import Flags
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State

SUMS, SEEN = "sums", "seen"


class AccumulatedScores:
    """The sums of one target.

    Args:
        rows: number of rows in the dataset.
    """

    def __init__(self, rows: int) -> None:
        self._sums = np.zeros(rows, np.float32)
        self._seen = np.zeros(rows, np.bool_)

    def add(self, rows: Rows, scores: FloatArray) -> None:
        """Adds the scores of a window.

        Args:
            rows: row numbers of the dataset, int32 (rows,).
            scores: float32 (rows,).
        """
        np.add.at(self._sums, rows, scores)
        self._seen[rows] = True

    def seen(self) -> tuple[FloatArray, Flags]:
        """The sums of the rows that have any, float32 (rows seen,), and which rows of the dataset these are."""
        return self._sums[self._seen], self._seen

    def state(self) -> State:
        """A copy of the sums."""
        return State(arrays={SUMS: self._sums.copy(), SEEN: self._seen.copy()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same dataset."""
        self._sums = cast("FloatArray", state.arrays[SUMS]).copy()
        self._seen = cast("Flags", state.arrays[SEEN]).copy()
