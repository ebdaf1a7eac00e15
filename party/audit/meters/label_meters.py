"""The label party's meters: what the gradients that one peer receives tell of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.audit.meters.accumulated import AccumulatedScores
from party.audit.meters.agreement import sign_agreement
from party.audit.meters.direction import direction_scores
from party.audit.meters.excess import WINDOWS_IN_A_ROW
from party.audit.meters.gradient_window import CLASS_ROWS, WINDOW_ROWS, GradientWindow
from party.audit.meters.norm import norm_reading
from party.audit.meters.reading import Level, Reading
from party.audit.meters.separation import Flags, area, chance_error
from party.audit.meters.spectral import main_projections, spectral_reading
from party.audit.meters.targets import Target, enough_of_both
from party.audit.meters.verdict import label_level, private_label_level
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State, join_states, part_of

ACCUMULATED, AGREEMENT = "accumulated", "agreement"
LARGEST_SAMPLE = 4096  # rows of a window that are read; all of them are scored, for the sums
WINDOW, WINDOWS, OWN = "window", "windows", "own"


class LabelMeters:
    """Reads windows of the gradients for one feature party.

    Args:
        targets: what the meters try to tell, by true labels.
        rows: number of rows in the dataset.
        ceilings: by label, the agreement that its epsilon allows; without those that are not private.
    """

    def __init__(self, targets: Sequence[Target], rows: int, ceilings: Mapping[str, float]) -> None:
        self._targets = tuple(targets)
        self._ceilings = dict(ceilings)
        self._window = GradientWindow()
        self._sums = [AccumulatedScores(rows) for _ in self._targets]
        self._windows = 0

    def add(self, gradients: FloatArray, rows: Rows, *, ends_epoch: bool) -> list[Reading]:
        """Adds a batch.

        Args:
            gradients: as the peer receives them, float32 (rows, columns).
            rows: row numbers of the dataset, int32 (rows,).
            ends_epoch: whether it is the last batch of its epoch. No window spans two epochs: it would score rows
                along a direction that they helped to find.

        Returns:
            The readings of the window that the batch completes, one for each target; none if it completes none.
        """
        self._window.add(gradients, rows)
        if ends_epoch and not self._window.readable:
            self._window.clear()
            return [self._summed(target, sums, {}, 0) for target, sums in zip(self._targets, self._sums, strict=True)]
        # With private labels, the size of a checkpoint may not depend on which rows are of a rare class.
        if ends_epoch or self._window.complete(() if self._ceilings else self._targets):
            return self._read(ends_epoch)
        return []

    def state(self) -> State:
        """The window so far, and all sums."""
        sums = {str(place): one.state() for place, one in enumerate(self._sums)}
        return join_states({OWN: State({WINDOWS: self._windows}), WINDOW: self._window.state(), **sums})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._windows = int(part_of(state, OWN).values[WINDOWS])
        self._window.set_state(part_of(state, WINDOW))
        for place, one in enumerate(self._sums):
            one.set_state(part_of(state, str(place)))

    def _read(self, ends_epoch: bool) -> list[Reading]:
        gradients, odd, rows = self._window.take()
        some = slice(LARGEST_SAMPLE)  # batches are in random order
        projections = main_projections(gradients[some])
        self._windows += 1
        # Sorting all sums takes long where there are many rows: early, then ever more rarely, and after every epoch.
        sums_too = ends_epoch or self._windows.bit_count() == 1
        readings = []
        for target, sums in zip(self._targets, self._sums, strict=True):
            positive = target.positive[rows]
            scores = direction_scores(gradients, odd, positive)
            values = {}
            if len(rows) >= WINDOW_ROWS and enough_of_both(positive[some], CLASS_ROWS):
                values = {
                    "norm": norm_reading(gradients[some], positive[some]),
                    "spectral": spectral_reading(projections, positive[some]),
                }
                if scores is not None:
                    values["direction"] = area(scores[some], positive[some])
            if scores is not None:
                sums.add(rows, scores)
            if sums_too:
                readings.append(self._summed(target, sums, values, len(rows)))
            else:
                readings.append(self._reading(target, values, len(rows), None))
        return readings

    def _summed(self, target: Target, sums: AccumulatedScores, values: Mapping[str, float], rows: int) -> Reading:
        """A reading with those of the sums of all rows that were scored so far."""
        scores, sampled = sums.sample()
        positive: Flags = target.positive[sampled]
        if not enough_of_both(positive, CLASS_ROWS):
            return self._reading(target, values, rows, None)
        accumulated, agreement = area(scores, positive), sign_agreement(scores, positive)
        ceiling = self._ceilings.get(target.name)
        if ceiling is None:
            level = label_level(accumulated, chance_error(positive))
        else:
            level = private_label_level(agreement, ceiling)
        return self._reading(target, {**values, ACCUMULATED: accumulated, AGREEMENT: agreement.value}, rows, level)

    def _reading(self, target: Target, values: Mapping[str, float], rows: int, level: Level | None) -> Reading:
        lasting = ACCUMULATED if self._windows >= WINDOWS_IN_A_ROW else ""
        return Reading(name=target.name, about=target.about, rows=rows, values=values, level=level, lasting=lasting)
