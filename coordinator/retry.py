"""How long to repeat an attempt that failed because of a connection, and how long to wait in between."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from party.errors import ConnectionLostError
from party.output.quantities import seconds_text

FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 3.0
GROWTH = 2.0
NOTIFY_AFTER_SECONDS = 2.0  # of failures: shorter interruptions are not reported

Result = TypeVar("Result")


class RetryPolicy:
    """Repeats an attempt that failed because of a connection, with growing delays of random length.

    The delays are random so that many clients that lost the same connection do not all reconnect at once.

    Args:
        seconds: how long to repeat after the first failure.
        stopped: once set, no further attempt is made.
        notify: called once with a text about a failure that lasts.
        monotonic: returns seconds of a monotonic clock.
        draw: returns a random number from 0 to 1.

    Attributes:
        repeated: number of attempts that were repeated.
    """

    def __init__(
        self,
        seconds: float,
        stopped: threading.Event,
        *,
        notify: Callable[[str], None] = lambda text: None,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._seconds = seconds
        self._stopped = stopped
        self._notify = notify
        self._monotonic = monotonic
        self._draw = draw
        self.repeated = 0

    def run(self, attempt: Callable[[], Result]) -> Result:
        """Repeats an attempt until it succeeds.

        Args:
            attempt: function to call; safe to repeat.

        Returns:
            Its result.

        Raises:
            ConnectionLostError: of the last attempt, once the time has run out or `stopped` is set.
            SplitError: any other error of an attempt, at once.
        """
        delays: Iterator[float] | None = None
        notify_seconds = 0.0
        while True:
            try:
                return attempt()
            except ConnectionLostError as error:
                if delays is None:
                    delays, notify_seconds = self.delays(), self._monotonic() + NOTIFY_AFTER_SECONDS
                delay_seconds = next(delays, None)
                if delay_seconds is None or self._stopped.wait(delay_seconds):
                    raise
                self.repeated += 1
                if self._monotonic() >= notify_seconds:
                    self._notify(f"trying again for up to {seconds_text(self._seconds)}: {error}")
                    notify_seconds = math.inf

    def delays(self) -> Iterator[float]:
        """Yields delays in seconds, until the time has run out."""
        end_seconds = self._monotonic() + self._seconds
        longest = FIRST_DELAY_SECONDS
        while self._monotonic() < end_seconds:
            yield longest * (0.5 + 0.5 * self._draw())
            longest = min(LONGEST_DELAY_SECONDS, longest * GROWTH)
