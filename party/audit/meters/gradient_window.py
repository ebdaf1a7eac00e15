"""The last batches of outgoing gradients, until there are enough of them for a stable reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from party.audit.meters.recent_batches import RecentBatches
from party.audit.meters.separation import Flags
from party.audit.meters.targets import Target, enough_of_both
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State, join_states, part_of

WINDOW_BATCHES = 16
WINDOW_ROWS = 2048
CLASS_ROWS = 50
LARGEST_WINDOW_ROWS = 65_536  # bounds the memory where a class is rare or batches are large
SCALES, BATCHES = "scales", "batches"
FEWEST_BATCHES = 2  # one to learn a direction from, one to score


class GradientWindow:
    """Batches of one epoch, each divided by its root mean square row norm, so that all of them count alike."""

    def __init__(self) -> None:
        self._batches = RecentBatches()
        self._scales: list[float] = []

    def add(self, gradients: FloatArray, rows: Rows) -> None:
        """Adds a batch; one with a value that is not finite tells nothing, and is left out.

        Args:
            gradients: float32 (rows, columns).
            rows: row numbers of the dataset, int32 (rows,).
        """
        square = float(np.einsum("rc,rc->", gradients, gradients)) / len(gradients)
        if np.isfinite(square):
            self._scales.append(square**-0.5 if square > 0 else 1.0)
            self._batches.add(gradients, rows)

    @property
    def readable(self) -> bool:
        """Whether there are batches to learn from and others to score."""
        return len(self._batches) >= FEWEST_BATCHES

    def complete(self, targets: Sequence[Target]) -> bool:
        """Whether there are enough batches, rows, and rows of both classes of every target.

        Args:
            targets: what the meters try to tell.
        """
        if not self.readable or self._batches.rows < WINDOW_ROWS:
            return False
        if self._batches.rows >= LARGEST_WINDOW_ROWS:
            return True
        if len(self._batches) < WINDOW_BATCHES:
            return False
        rows = self._batches.row_numbers()
        return all(enough_of_both(target.positive[rows], CLASS_ROWS) for target in targets)

    def take(self) -> tuple[FloatArray, Flags, Rows]:
        """Empties the window.

        Returns:
            The gradients, float32 (rows, columns); whether a row is of an odd batch, bool (rows,); its row number of
            the dataset, int32 (rows,).
        """
        sizes = self._batches.sizes()
        odd = np.repeat(np.arange(len(sizes)) % 2 == 1, sizes)
        gradients, rows = self._batches.values(), self._batches.row_numbers()
        gradients *= np.repeat(np.array(self._scales, np.float32), sizes)[:, None]
        self.clear()
        return gradients, odd, rows

    def clear(self) -> None:
        """Drops all batches, also where they are too few to read."""
        self._batches.clear()
        self._scales.clear()

    def state(self) -> State:
        """The batches so far."""
        scales = State(arrays={SCALES: np.array(self._scales, np.float64)})
        return join_states({SCALES: scales, BATCHES: self._batches.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._batches.set_state(part_of(state, BATCHES))
        self._scales = part_of(state, SCALES).arrays[SCALES].tolist()
