"""Which rows of a table were touched since the checkpoint that later ones build on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RowNumbers = npt.NDArray[np.integer]


class TouchedRows:
    """Rows of a table that may differ from the base of its checkpoints.

    The base is replaced in two steps. `begin` is called with the snapshot that shall become the next base, `accept`
    once that one counts. In between, rows touched before and after the snapshot are kept apart: if it never counts, the
    former base goes on to serve.

    `accept` may be called by another thread than the one that touches rows.

    Args:
        rows: number of rows of the table.
    """

    def __init__(self, rows: int) -> None:
        self._latest = np.zeros(rows, np.bool_)
        self._before = np.zeros(0, np.bool_)  # empty once the last snapshot of `begin` counts

    def touch(self, rows: RowNumbers) -> None:
        """Notes rows, which may repeat.

        Args:
            rows: row numbers, integers of any shape.
        """
        self._latest[rows] = True

    def touch_all(self) -> None:
        """Notes every row."""
        self._latest[:] = True

    def since_base(self) -> npt.NDArray[np.int64]:
        """The rows that were touched since the base, ascending, int64 (count,)."""
        return np.flatnonzero(self._all())

    def begin(self) -> None:
        """Takes note of a snapshot that shall become the base; the one before, if it does not count yet, never will."""
        self._before, self._latest = self._all(), np.zeros_like(self._latest)

    def accept(self) -> None:
        """Makes the snapshot of the last `begin` the base."""
        self._before = np.zeros(0, np.bool_)

    def restart(self, rows: RowNumbers) -> None:
        """Begins anew, with another base.

        Args:
            rows: the rows that differ from it.
        """
        self.accept()
        self._latest[:] = False
        self.touch(rows)

    def _all(self) -> npt.NDArray[np.bool_]:
        before = self._before
        return self._latest.copy() if not len(before) else self._latest | before
