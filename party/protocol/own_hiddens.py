"""The hiddens of the label party's own base model, which never leave the process."""

from __future__ import annotations

from typing import cast

from party.cut.hidden import FloatArray, Rows
from party.cut.state import State
from party.protocol.halves import TrainableBase
from party.protocol.schedule import Exchange, Schedule
from party.protocol.timings import Timings

ARRAY = "hiddens"


class OwnHiddens:
    """Computes the hiddens of a training batch together with the update by the batch before.

    Args:
        base: this party's base model.
        schedule: the session's schedule.
        timings: records how long each activity takes.
    """

    def __init__(self, base: TrainableBase, schedule: Schedule, timings: Timings) -> None:
        self._base = base
        self._schedule = schedule
        self._timings = timings
        self._ahead: FloatArray | None = None

    def take(self, rows: Rows) -> FloatArray:
        """Returns the hiddens of the batch that is due; the first ones of an epoch are computed here.

        Args:
            rows: row numbers of the batch, int32 (rows,).

        Returns:
            float32 (rows, columns).
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        with self._timings.measure("own base"):
            return self._base.forward(rows)

    def update(self, gradients: FloatArray, following: Exchange | None) -> None:
        """Updates the base model and computes the hiddens of the next batch in the same call.

        Args:
            gradients: gradients of the loss with respect to the hiddens of the last `take`, float32 (rows, columns).
            following: the exchange of training to compute ahead; None if none follows at once.
        """
        if following is None:
            self._base.backward(gradients)
        else:
            self._ahead = self._base.backward_and_forward(gradients, self._schedule.rows(following))

    def prepare(self, following: Exchange) -> None:
        """Computes the hiddens of the next batch.

        Args:
            following: the exchange of training to compute ahead.
        """
        with self._timings.measure("own base"):
            self._ahead = self._base.forward(self._schedule.rows(following))

    def state(self) -> State:
        """The hiddens that were computed ahead, if any."""
        return State() if self._ahead is None else State(arrays={ARRAY: self._ahead.copy()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._ahead = cast("FloatArray", state.arrays[ARRAY]) if state.arrays else None
