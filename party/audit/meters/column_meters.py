"""A feature party's meters: what its outgoing hiddens tell of the columns that its owner calls sensitive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from party.audit.meters.gradient_window import WINDOW_BATCHES, WINDOW_ROWS
from party.audit.meters.probe import probe_readings
from party.audit.meters.reading import Reading
from party.audit.meters.recent_batches import RecentBatches
from party.audit.meters.separation import Flags, chance_error
from party.audit.meters.targets import Target
from party.audit.meters.verdict import column_level
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State, join_states, part_of

PROBE = "probe"
OWN, RECENT, SINCE, READ = "own", "recent", "since", "read in epoch"


class ColumnMeters:
    """Reads the last rows that were sent, after every 16 batches; in a short epoch without such a window, at its end.

    Args:
        targets: what the meters try to tell.
        folds: which of two folds each row of the dataset is in, bool (rows,).
    """

    def __init__(self, targets: Sequence[Target], folds: Flags) -> None:
        self._targets = tuple(targets)
        self._folds = folds
        self._batches = RecentBatches()
        self._since = 0
        self._read_in_epoch = False

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
        is_short = ends_epoch and not self._read_in_epoch
        self._read_in_epoch = not ends_epoch and (self._read_in_epoch or is_due)
        if not (len(self._batches) and (is_due or is_short)):
            return []
        self._since = 0
        return self._read()

    def state(self) -> State:
        """The last rows."""
        return join_states({OWN: State({SINCE: self._since, READ: self._read_in_epoch}), RECENT: self._batches.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        own = part_of(state, OWN).values
        self._since, self._read_in_epoch = int(own[SINCE]), bool(own[READ])
        self._batches.set_state(part_of(state, RECENT))

    def _read(self) -> list[Reading]:
        hiddens, rows = self._batches.values()[-WINDOW_ROWS:], self._batches.row_numbers()[-WINDOW_ROWS:]
        whole = [target for target in self._targets if target.known is None]
        values = dict(zip(whole, self._probe(hiddens, rows, whole), strict=True))
        readings = []
        for target in self._targets:
            known = rows if target.known is None else rows[target.known[rows]]
            if target.known is not None:
                (values[target],) = self._probe(hiddens[target.known[rows]], known, [target])
            value = values[target]
            level = None if value is None else column_level(value, chance_error(target.positive[known]))
            found = {} if value is None else {PROBE: value}
            readings.append(Reading(name=target.name, about=target.about, rows=len(known), values=found, level=level))
        return readings

    def _probe(self, hiddens: FloatArray, rows: Rows, targets: Sequence[Target]) -> list[float | None]:
        if not (targets and len(rows)):
            return [None] * len(targets)
        positive = np.stack([target.positive[rows] for target in targets], axis=1)
        return probe_readings(hiddens, self._folds[rows], positive)
