"""Numbers that a party remembers for every row of a dataset."""

from __future__ import annotations

import numpy as np

from party.protocol.state import State, in_order, numbered


class RowTable:
    """A row of numbers for each row of the dataset, all zero at first.

    Args:
        rows: of the dataset.
        columns: numbers of a row.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.values = np.zeros((rows, columns), np.float32)

    def state(self) -> State:
        """A copy of all rows."""
        return numbered([self.values.copy()])

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same run.

        Raises:
            CheckpointError: the state is that of another dataset or model.
        """
        (self.values[:],) = in_order(state, [self.values.shape], "rows that error feedback remembers")
