"""Limits the calls whose message has not arrived yet, as each of them holds a server thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from party.errors import ConnectionLostError

MAXIMUM_WAITING_CALLS = 4  # of one caller: half of the server's threads
REQUEST_SECONDS = 120.0  # for the longest message over a slow network


class WaitingCalls:
    """Limits how many calls of one caller may wait for their message, and how long.

    Args:
        party: name of this party, for errors.
    """

    def __init__(self, party: str) -> None:
        self._party = party
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def turn(self, caller: str, cancel: Callable[[], object]) -> Iterator[None]:
        """Context in which a call waits for its message.

        Args:
            caller: certificate name of the caller.
            cancel: cancels the call; called if the message takes too long.

        Raises:
            ConnectionLostError: too many calls of the caller are waiting already.
        """
        with self._lock:
            if self._waiting[caller] >= MAXIMUM_WAITING_CALLS:
                raise ConnectionLostError("waits for the messages of too many calls", where=self._party)
            self._waiting[caller] += 1
        timer = threading.Timer(REQUEST_SECONDS, cancel)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._waiting[caller] -= 1
