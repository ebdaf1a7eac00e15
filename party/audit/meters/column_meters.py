"""A feature party's meters: what its outgoing hiddens tell of the columns that its owner calls sensitive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from party.audit.meters.gradient_window import WINDOW_BATCHES, WINDOW_ROWS
from party.audit.meters.probe import probe_reading
from party.audit.meters.reading import Reading
from party.audit.meters.recent_batches import RecentBatches
from party.audit.meters.separation import Flags, chance_error
from party.audit.meters.targets import Target
from party.audit.meters.verdict import column_level
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State, join_states, part_of

PROBE = "probe"
OWN, RECENT, SINCE = "own", "recent", "since"


class ColumnMeters:
    """Reads the last rows that were sent, after every 16 batches and every epoch.

    Args:
        targets: what the meters try to tell.
        folds: which of two folds each row of the dataset is in, bool (rows,).
    """

    def __init__(self, targets: Sequence[Target], folds: Flags) -> None:
        self._targets = tuple(targets)
        self._folds = folds
        self._batches = RecentBatches()
        self._since = 0

    def add(self, hiddens: FloatArray, rows: Rows, *, ends_epoch: bool) -> list[Reading]:
        """Adds a batch; one with a value that is not finite is left out.

        Args:
            hiddens: as the label party receives them, float32 (rows, columns).
            rows: row numbers of the dataset, int32 (rows,).
            ends_epoch: whether it is the last batch of its epoch.

        Returns:
            The readings, one for each target that has enough rows of both classes in both folds; empty between
            windows.
        """
        if np.isfinite(hiddens).all():
            self._batches.add(hiddens, rows)
            self._batches.forget_beyond(WINDOW_ROWS)
        self._since += 1
        is_due = self._since >= WINDOW_BATCHES and self._batches.rows >= WINDOW_ROWS
        if not (len(self._batches) and (is_due or ends_epoch)):
            return []
        self._since = 0
        return self._read()

    def state(self) -> State:
        """The last rows."""
        return join_states({OWN: State({SINCE: self._since}), RECENT: self._batches.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._since = int(part_of(state, OWN).values[SINCE])
        self._batches.set_state(part_of(state, RECENT))

    def _read(self) -> list[Reading]:
        hiddens, rows = self._batches.values()[-WINDOW_ROWS:], self._batches.row_numbers()[-WINDOW_ROWS:]
        readings = []
        for target in self._targets:
            known = slice(None) if target.known is None else target.known[rows]
            chosen = rows[known]
            positive = target.positive[chosen]
            value = probe_reading(hiddens[known], self._folds[chosen], positive)
            level = None if value is None else column_level(value, chance_error(positive))
            values = {} if value is None else {PROBE: value}
            readings.append(Reading(name=target.name, about=target.about, rows=len(chosen), values=values, level=level))
        return readings
