"""The command of a program, as every way to start it runs it."""

from __future__ import annotations

import shutil
from typing import Any

import click

from party.output.streams import use_printable_streams

LONGEST_SENTENCE = 1000
NARROW_COLUMNS = 52  # click takes a narrower terminal to be this wide


class Program(click.Group):
    """A group of subcommands whose output any terminal and any encoding can take, from its help on."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the subcommands with the first sentence of each one's help, none of them cut."""
        commands = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
        rows = [(name, one.get_short_help_str(LONGEST_SENTENCE)) for name, one in commands if one is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Runs the program, as `click.Group.main` does."""
        use_printable_streams()
        columns = shutil.get_terminal_size().columns
        if columns < NARROW_COLUMNS:
            options.setdefault("terminal_width", columns)
        return super().main(*arguments, **options)
