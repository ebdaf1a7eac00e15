"""The result of a command: one object that is printed as lines for people or as one document for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import click

from party.output.json_document import json_document
from party.output.terminal import print_lines, terminal_columns

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class PrintedResult(Protocol):
    """A dataclass whose fields are what a command found, in the order of its document."""

    def lines(self, columns: int | None) -> Iterable[str]:
        """The same as lines.

        Args:
            columns: of the terminal; None for a pipe.
        """
        ...


def print_result(command: str, result: PrintedResult, *, as_json: bool) -> None:
    """Prints a result on standard output.

    Args:
        command: as it was typed, such as `party check`.
        result: what it found.
        as_json: whether as one JSON document.
    """
    if as_json:
        click.echo(json_document(command, result))
        return
    print_lines(result.lines(terminal_columns()))
