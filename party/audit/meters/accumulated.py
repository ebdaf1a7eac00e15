"""The accumulated meter: direction scores of every row, summed over all epochs.

Noise that is drawn anew in every step averages out in the sum: a single window looks safe where the run is not.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from party.audit.meters.separation import Flags
from party.cut.hidden import FloatArray
from party.cut.state import State

Rows = npt.NDArray[np.integer]
LARGEST_SAMPLE = 32_768  # rows whose sums are read: sorting more takes long, and changes the third digit
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
            rows: row numbers of the dataset, each once, int32 (rows,).
            scores: float32 (rows,).
        """
        self._sums[rows] += scores
        self._seen[rows] = True

    def sample(self) -> tuple[FloatArray, Rows]:
        """Sums and row numbers of rows that were scored, evenly from the whole dataset: float32 and int64 (rows,)."""
        step = -(-len(self._sums) // LARGEST_SAMPLE)
        rows: Rows = np.flatnonzero(self._seen[::step]) * step
        return self._sums[rows], rows

    def state(self) -> State:
        """A copy of the sums."""
        return State(arrays={SUMS: self._sums.copy(), SEEN: self._seen.copy()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same dataset."""
        self._sums = cast("FloatArray", state.arrays[SUMS]).copy()
        self._seen = cast("Flags", state.arrays[SEEN]).copy()
