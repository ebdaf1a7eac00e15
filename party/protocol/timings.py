"""Measures the time that a session spends on each activity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Timings:
    """Accumulates seconds by activity.

    Args:
        clock: returns the seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._totals: dict[str, tuple[float, int]] = {}  # tuples, as another thread may read while one is replaced

    @contextmanager
    def measure(self, activity: str) -> Iterator[None]:
        """Adds the duration of the body to an activity.

        Args:
            activity: name of the activity.
        """
        start = self._clock()
        yield
        seconds, count = self._totals.get(activity, (0.0, 0))
        self._totals[activity] = (seconds + self._clock() - start, count + 1)

    def totals(self) -> Mapping[str, tuple[float, int]]:
        """Seconds and number of measurements by activity."""
        return dict(sorted(self._totals.copy().items()))
