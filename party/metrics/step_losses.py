"""Training losses by step, released only when enough rows stand behind each of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from party.cut.state import State


@dataclass(frozen=True)
class StepLoss:
    """The mean loss of the rows since the release before, up to and including `step`."""

    step: int
    rows: int
    loss: float


class StepLossRelease:
    """Step losses, held back until each release covers enough rows.

    Rows that would be left over at the end of an epoch join the release before them, so that no difference between two
    releases covers fewer.

    Args:
        minimum_rows: fewest rows that a release may cover.
    """

    def __init__(self, minimum_rows: int) -> None:
        self._minimum_rows = minimum_rows
        self._rows = 0
        self._loss_sum = 0.0
        # Three numbers for every step of a run: as objects they would take ten times the memory.
        self._steps, self._covered, self._losses = array("q"), array("q"), array("d")

    def add(self, step: int, rows: int, mean_loss: float, rows_left: int) -> None:
        """Adds a step.

        Args:
            step: number of the step in the run.
            rows: number of rows of its batch.
            mean_loss: over these rows.
            rows_left: number of rows that follow it in the epoch.
        """
        self._rows += rows
        self._loss_sum += mean_loss * rows
        if self._rows >= self._minimum_rows and (rows_left == 0 or rows_left >= self._minimum_rows):
            self._steps.append(step)
            self._covered.append(self._rows)
            self._losses.append(self._loss_sum / self._rows)
            self._rows, self._loss_sum = 0, 0.0

    def since(self, count: int) -> Sequence[StepLoss]:
        """All releases but the first `count`."""
        end = len(self._losses)  # the column that is appended to last: another thread may be adding
        columns = (column[count:end] for column in (self._steps, self._covered, self._losses))
        released = zip(*columns, strict=True)
        return [StepLoss(step, rows, loss) for step, rows, loss in released]

    @property
    def held_back_rows(self) -> int:
        """Rows that no release covers yet."""
        return self._rows

    def state(self) -> State:
        """The releases and what is held back."""
        return State(
            {"rows": self._rows, "loss_sum": self._loss_sum},
            {
                "steps": np.array(self._steps, np.int64),
                "covered": np.array(self._covered, np.int64),
                "losses": np.array(self._losses, np.float64),
            },
        )

    def set_state(self, state: State) -> None:
        """Continues from a state."""
        self._rows, self._loss_sum = int(state.values["rows"]), float(state.values["loss_sum"])
        self._steps = array("q", state.arrays["steps"].tolist())
        self._covered = array("q", state.arrays["covered"].tolist())
        self._losses = array("d", state.arrays["losses"].tolist())
