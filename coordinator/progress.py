"""Displays of a run's progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

PLAIN_LINE_SECONDS = 5.0


class Display(Protocol):
    """Shows progress, and prints lines above it."""

    def update(self, text: str, done: int, total: int) -> None:
        """Shows progress.

        Args:
            text: describes the current work.
            done: number of completed units.
            total: number of all units.
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

    def update(self, text: str, done: int, total: int) -> None:
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
    """Prints plain lines for logs and pipes; progress at most every few seconds.

    Args:
        write: called with each line.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(self, write: Callable[[str], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._monotonic = monotonic
        self._due_seconds = 0.0

    def update(self, text: str, done: int, total: int) -> None:
        """Prints a line if the last one is old enough, or the work is done."""
        now = self._monotonic()
        if now >= self._due_seconds or done == total:
            self._due_seconds = now + PLAIN_LINE_SECONDS
            self._write(f"{done:,}/{total:,}  {text}")

    def print_line(self, text: str) -> None:
        """Prints the line."""
        self._write(text)


class LiveDisplay:
    """Redraws one live line on a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self._progress = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(compact=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)

    def update(self, text: str, done: int, total: int) -> None:
        """Redraws the line."""
        self._progress.update(self._task, description=text, completed=done, total=total)

    def print_line(self, text: str) -> None:
        """Prints a line above the live one."""
        self._progress.console.print(text, markup=False, emoji=False, highlight=False)

    def __enter__(self) -> Self:
        """Starts drawing the live line."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Removes the live line."""
        self._progress.stop()
