"""The display of the work that is under way, if any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coordinator.progress import Display


class CurrentDisplay:
    """Shows one piece of work after the other, and prints lines above what is shown.

    Args:
        make: creates the display of a piece of work.
    """

    def __init__(self, make: Callable[[], Display]) -> None:
        self._make = make
        self._shown: Display | None = None

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Shows a display within the context."""
        with self._make() as display:
            self._shown = display
            try:
                yield display
            finally:
                self._shown = None

    def notify(self, text: str) -> None:
        """Prints a line above what is shown; does nothing if nothing is."""
        display = self._shown
        if display is not None:
            display.print_line(text)

    def say(self, text: str) -> None:
        """Prints a line above what is shown, or on a display of its own."""
        (self.notify_alone if self._shown is None else self.notify)(text)

    def notify_alone(self, text: str) -> None:
        """Prints a line on a display of its own."""
        with self._make() as display:
            display.print_line(text)
