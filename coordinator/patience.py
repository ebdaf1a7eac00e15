"""How long to go on trying what may yet succeed, and how long to pause in between."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from party.errors import ConnectionLostError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 3.0
GROWTH = 2.0
TOLD_AFTER_SECONDS = 2.0  # of failures: a connection that comes back sooner is nobody's concern

Result = TypeVar("Result")


class Patience:
    """Repeats what failed because of a connection, with growing pauses of random length.

    Pauses are drawn at random so that many who lost the same connection do not come back all at once.

    Args:
        seconds: how long to go on after the first failure.
        stopped: whoever sets it wants no further try.
        tell: told once of a failure that lasts.
        monotonic: seconds of a monotonic clock.
        draw: a number from 0 to 1.
    """

    def __init__(
        self,
        seconds: float,
        stopped: threading.Event,
        tell: Callable[[str], None] = lambda text: None,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._seconds = seconds
        self._stopped = stopped
        self._tell = tell
        self._monotonic = monotonic
        self._draw = draw

    def insist(self, attempt: Callable[[], Result]) -> Result:
        """Tries until it succeeds.

        Args:
            attempt: what to try; safe to repeat.

        Returns:
            Its result.

        Raises:
            ConnectionLostError: of the last attempt, once patience is over.
            SplitError: any other error of an attempt, at once.
        """
        pauses: Iterator[float] | None = None
        told_seconds = 0.0
        while True:
            try:
                return attempt()
            except ConnectionLostError as error:
                if pauses is None:
                    pauses, told_seconds = self.pauses(), self._monotonic() + TOLD_AFTER_SECONDS
                pause_seconds = next(pauses, None)
                if pause_seconds is None or self._stopped.wait(pause_seconds):
                    raise
                if self._monotonic() >= told_seconds:
                    self._tell(f"trying again for up to {self._seconds:,.0f} s: {error}")
                    told_seconds = math.inf

    def pauses(self) -> Iterator[float]:
        """Lengths of pauses in seconds, until patience is over."""
        end_seconds = self._monotonic() + self._seconds
        longest = FIRST_PAUSE_SECONDS
        while self._monotonic() < end_seconds:
            yield longest * (0.5 + 0.5 * self._draw())
            longest = min(LONGEST_PAUSE_SECONDS, longest * GROWTH)
