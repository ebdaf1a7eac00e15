"""Receives the signals of this process in the main thread."""

from __future__ import annotations

import signal
import socket
from types import FrameType


class ReceivedSignals:
    """Waits for signals.

    The kernel may deliver a signal to any thread, for instance after the process was suspended. Python runs handlers in
    the main thread alone, which does not wake up while it waits for a lock. So Python writes the number of each signal
    to a socket, which the main thread reads.

    Args:
        numbers: signals to receive from now on, in place of their default action.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = frozenset(numbers)
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno())
        for number in numbers:
            signal.signal(number, _do_nothing)

    def wait(self) -> int:
        """Waits for the next signal.

        Returns:
            Its number.
        """
        while True:
            number = self._reader.recv(1)[0]
            if number in self._numbers:
                return number


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Replaces the default action; `wait` returns the number."""
