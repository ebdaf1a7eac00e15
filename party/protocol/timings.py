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
        self._totals: dict[str, tuple[float, int]] = {}  # pairs, as another thread may read while one is added to

    @contextmanager
    def measure(self, activity: str) -> Iterator[None]:
        """Adds the time that the body takes."""
        start = self._clock()
        yield
        seconds, count = self._totals.get(activity, (0.0, 0))
        self._totals[activity] = (seconds + self._clock() - start, count + 1)

    def totals(self) -> Mapping[str, tuple[float, int]]:
        """Seconds and number of measurements by activity."""
        return dict(sorted(self._totals.copy().items()))
