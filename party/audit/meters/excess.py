"""Windows above the owner's limit, in a row: a single one may be chance."""

from __future__ import annotations

from party.cut.state import State

WINDOWS_IN_A_ROW = 3
COUNTS = "counts"


class Excess:
    """Counts, for each meter and what it measures, the latest windows in a row that were above the limit."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def note(self, measured: str, above: bool) -> bool:
        """Notes a reading.

        Args:
            measured: identifies the meter and what it measures.
            above: whether the reading is above the limit.

        Returns:
            Whether so many windows in a row are.
        """
        self._counts[measured] = self._counts.get(measured, 0) + 1 if above else 0
        return self._counts[measured] >= WINDOWS_IN_A_ROW

    def state(self) -> State:
        """The counts."""
        return State({COUNTS: dict(self._counts)})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._counts = {str(measured): int(count) for measured, count in state.values[COUNTS].items()}
