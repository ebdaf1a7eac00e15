"""Progress on a terminal: one line, drawn over itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from coordinator.progress import GAP, progress_parts
from party.output.terminal import HANGING, LEAST_COLUMNS, terminal_columns, text_columns, wrapped

REDRAW_SECONDS = 0.1
BAR_CHARACTERS = 20
BAR_COLUMNS = 100  # a narrower terminal needs its columns for figures
CUT = "..."


class LiveDisplay:
    """Draws one line over itself, with no more than a carriage return: nothing to restore whenever the process ends.

    Args:
        stream: the terminal.
        columns: returns the width of the terminal; None to ask the terminal.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        stream: TextIO,
        columns: Callable[[], int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._columns = columns or (lambda: terminal_columns(stream) or LEAST_COLUMNS)
        self._monotonic = monotonic
        self._lock = threading.Lock()  # an alignment tells of several parties at once
        self._progress: tuple[str, int, int, Sequence[str]] | None = None
        self._drawn = ""
        self._due_seconds = 0.0

    def update(self, text: str, done: int, total: int, figures: Sequence[str] = ()) -> None:
        """Redraws the line if it is old enough."""
        with self._lock:
            self._progress = (text, done, total, figures)
            if self._monotonic() >= self._due_seconds:
                self._write(self._over(self._line()))

    def print_line(self, text: str) -> None:
        """Prints a line above the live one."""
        with self._lock:
            line = self._line()
            first, *rest = broken(text, self._columns())
            self._write("\n".join([self._over(first), *rest, line]))
            self._drawn = line

    def __enter__(self) -> Self:
        """Draws nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leaves the latest state as a line."""
        with self._lock:
            if self._progress is not None:
                self._write(f"{self._over(self._line())}\n")
                self._progress, self._drawn = None, ""

    def _line(self) -> str:
        return "" if self._progress is None else live_text(*self._progress, columns=self._columns() - 1)

    def _over(self, text: str) -> str:
        """What draws a text over the current line, of which nothing remains."""
        rest = " " * (text_columns(self._drawn) - text_columns(text))
        start = "\r" if self._drawn else ""
        self._drawn = text
        return f"{start}{text}{rest}"

    def _write(self, text: str) -> None:
        self._due_seconds = self._monotonic() + REDRAW_SECONDS
        self._stream.write(text)
        self._stream.flush()


def live_text(text: str, done: int, total: int, figures: Sequence[str], *, columns: int) -> str:
    """Makes the line that fits a terminal.

    Args:
        text: describes the current work.
        done: number of completed units.
        total: number of all units.
        figures: further parts, the most important first.
        columns: of the terminal; a cursor behind the last one would begin another line.
    """
    percent, *parts = progress_parts(text, done, total, figures)
    line = percent
    if columns >= BAR_COLUMNS:
        full = BAR_CHARACTERS * done // max(total, 1)
        line += f" [{'#' * full}{'-' * (BAR_CHARACTERS - full)}]"
    for part in parts:
        longer = f"{line}{GAP}{part}"
        if text_columns(longer) > columns:
            return line if part is not parts[0] else _shortened(longer, columns)
        line = longer
    return line


def broken(text: str, columns: int) -> list[str]:
    """Breaks a line that a terminal would cut: between its parts, where it has some, and else between words.

    Args:
        text: a line; gaps separate its parts.
        columns: of the terminal.
    """
    lines: list[str] = []
    for number, part in enumerate(text.split(GAP)):
        longer = f"{lines[-1]}{GAP}{part}" if number else part
        if number and text_columns(longer) > columns:
            lines += wrapped(HANGING + part, columns)
        else:
            lines[-1:] = wrapped(longer, columns)
    return lines


def _shortened(text: str, columns: int) -> str:
    while text and text_columns(text) > columns - len(CUT):
        text = text[:-1]
    return text + CUT
