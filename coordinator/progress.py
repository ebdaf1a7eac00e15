"""Displays of a run's progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from party.output.quantities import seconds_text

PLAIN_LINE_SECONDS = 5.0
GAP = "  "  # between the parts of a line
WHOLE_PERCENT = 100


class Display(Protocol):
    """Shows progress, and prints lines above it."""

    def update(self, text: str, done: int, total: int, figures: Sequence[str] = ()) -> None:
        """Shows progress.

        Args:
            text: describes the current work.
            done: number of completed units.
            total: number of all units.
            figures: further parts of the line, the most important first: a narrow terminal lacks the last ones.
        """

    def print_line(self, text: str) -> None:
        """Prints a line that remains visible."""

    def __enter__(self) -> Self:
        """Starts the display."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops the display."""


class SilentDisplay:
    """Shows nothing; the default from Python."""

    def update(self, text: str, done: int, total: int, figures: Sequence[str] = ()) -> None:
        """Shows nothing."""

    def print_line(self, text: str) -> None:
        """Prints nothing."""

    def __enter__(self) -> Self:
        """Does nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Does nothing."""


class PlainDisplay(SilentDisplay):
    """Prints plain lines for logs and pipes: progress at most every few seconds, and how far it came at the end.

    Args:
        write: called with each line.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(self, write: Callable[[str], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._monotonic = monotonic
        self._due_seconds = 0.0
        self._pending = ""

    def update(self, text: str, done: int, total: int, figures: Sequence[str] = ()) -> None:
        """Prints a line if the last one is old enough."""
        self._pending = GAP.join(progress_parts(text, done, total, figures))
        if self._monotonic() >= self._due_seconds:
            self._print_pending()

    def print_line(self, text: str) -> None:
        """Prints the line."""
        self._write(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Prints the latest progress if it was not printed."""
        if self._pending:
            self._print_pending()

    def _print_pending(self) -> None:
        line, self._pending = self._pending, ""
        self._due_seconds = self._monotonic() + PLAIN_LINE_SECONDS
        self._write(line)


class Pace:
    """Estimates how long work will take, from how long its units took so far.

    Args:
        done: number of units that are completed before it starts.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(self, done: int = 0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._first = done
        self._started_seconds = monotonic()

    def left_text(self, done: int, total: int) -> str:
        """Says how much time is left, such as `1 min 5 s left`.

        Args:
            done: number of completed units.
            total: number of all units.

        Returns:
            The text; empty while nothing is known, and at the end.
        """
        if not self._first < done < total:
            return ""
        seconds = (self._monotonic() - self._started_seconds) * (total - done) / (done - self._first)
        return f"{seconds_text(seconds)} left"


def progress_parts(text: str, done: int, total: int, figures: Sequence[str]) -> list[str]:
    """The parts of a line of progress, the share that is done first.

    Args:
        text: describes the current work.
        done: number of completed units.
        total: number of all units.
        figures: further parts; empty ones are left out.
    """
    # Rounded down: work that is not done never shows 100 %.
    return [f"{WHOLE_PERCENT * done // max(total, 1):>3} %", text, *filter(None, figures)]
