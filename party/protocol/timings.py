"""Where the time of a session goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Timings:
    """Adds up seconds by activity.

    Args:
        clock: seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    @contextmanager
    def measure(self, activity: str) -> Iterator[None]:
        """Adds the time that the body takes."""
        start = self._clock()
        yield
        self._seconds[activity] = self._seconds.get(activity, 0.0) + self._clock() - start
        self._counts[activity] = self._counts.get(activity, 0) + 1

    def totals(self) -> Mapping[str, tuple[float, int]]:
        """Seconds and number of measurements by activity."""
        return {activity: (self._seconds[activity], self._counts[activity]) for activity in sorted(self._seconds)}
