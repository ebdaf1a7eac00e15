"""The command of a program, as every way to start it runs it."""

from __future__ import annotations

import shutil
from typing import Any

import click

from party.output.streams import use_printable_streams

NARROW_COLUMNS = 52  # click takes a narrower terminal to be this wide


class Program(click.Group):
    """A group of subcommands whose output any terminal and any encoding can take, from its help on."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Runs the program, as `click.Group.main` does."""
        use_printable_streams()
        columns = shutil.get_terminal_size().columns
        if columns < NARROW_COLUMNS:
            options.setdefault("terminal_width", columns)
        return super().main(*arguments, **options)
