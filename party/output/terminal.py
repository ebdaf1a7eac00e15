"""What a terminal shows: lines that end between words, as wide as it is; a pipe gets each line whole."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from typing import TextIO

import click

HANGING = "  "  # before what continues a line
WIDE = "WF"  # East Asian letters that take two columns
WITHOUT_WIDTH = ("Mn", "Me", "Cf")
LEAST_COLUMNS = 20


def terminal_columns(stream: TextIO | None = None) -> int | None:
    """The width of the terminal that a stream writes to; None for a file or a pipe.

    Args:
        stream: None means standard output.
    """
    written = sys.stdout if stream is None else stream
    return max(_terminal_columns(written), LEAST_COLUMNS) if written.isatty() else None


def show(text: str, *, to_errors: bool = False) -> None:
    """Prints lines; on a terminal each is wrapped between words.

    Args:
        text: one or more lines.
        to_errors: whether to standard error instead of standard output.
    """
    columns = terminal_columns(sys.stderr if to_errors else sys.stdout)
    for line in text.split("\n"):
        for part in (line,) if columns is None else wrapped(line, columns):
            click.echo(part, err=to_errors)


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines on standard output, as `show` does.

    Args:
        lines: to print.
    """
    for line in lines:
        show(line)


def wrapped(line: str, columns: int, hanging: str = HANGING) -> list[str]:
    """Breaks a line between words; a word that is longer than the terminal stays whole, so that it can be copied.

    Args:
        line: may begin with spaces, which all its parts then do.
        columns: of the terminal.
        hanging: further spaces before all parts but the first.
    """
    return hung(line, columns, line[: len(line) - len(line.lstrip(" "))] + hanging)


def hung(line: str, columns: int, before: str) -> list[str]:
    """Breaks a line between words.

    Args:
        line: its runs of spaces stay as they are.
        columns: of the terminal.
        before: spaces before all parts but the first.
    """
    parts: list[str] = []
    rest = line
    while text_columns(rest) > columns:
        end = _last_space(rest, columns)
        if end is None:
            break
        parts.append(rest[:end].rstrip(" "))
        rest = before + rest[end:].lstrip(" ")
    return [*parts, rest]


def _terminal_columns(stream: TextIO) -> int:
    columns = shutil.get_terminal_size().columns
    if os.environ.get("COLUMNS"):
        return columns
    # shutil asks standard output alone, which may be a pipe while standard error is a terminal.
    try:
        return os.get_terminal_size(stream.fileno()).columns or columns
    except (OSError, ValueError, AttributeError):
        return columns


def _last_space(line: str, columns: int) -> int | None:
    """Where to break a line: at its last space on the terminal, or else at the first one after a longer word."""
    begin = len(line) - len(line.lstrip(" "))
    fitting = longer = None
    width = begin
    for place in range(begin, len(line)):
        if line[place] == " ":
            if width > columns:
                longer = place
                break
            fitting = place
        width += text_columns(line[place])
    return longer if fitting is None else fitting


def text_columns(text: str) -> int:
    """The number of columns that a text takes on a terminal.

    Args:
        text: of one line.
    """
    return len(text) if text.isascii() else sum(map(_letter_columns, text))


def _letter_columns(letter: str) -> int:
    if unicodedata.category(letter) in WITHOUT_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in WIDE else 1
