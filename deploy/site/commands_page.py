"""A page with every command, its arguments and its options, from what the commands themselves say."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

import click

from coordinator.cli import main as coordinator_command
from party.cli import main as party_command

PROGRAMS: Mapping[str, click.Command] = {"party": party_command, "coordinator": coordinator_command}


def commands_page(programs: Mapping[str, click.Command] = PROGRAMS) -> str:
    """Writes the page.

    Args:
        programs: commands by the name under which they are called.

    Returns:
        Markdown.
    """
    lines = ["# Commands", "", "Every command and option, as `--help` prints them.", ""]
    for name, command in programs.items():
        lines += _command(click.Context(command, info_name=name))
    return "\n".join(lines)


def _command(context: click.Context) -> Iterator[str]:
    """Describes one command, and then its subcommands."""
    command = context.command
    level = "##" if context.parent is None else "###"
    yield from (f"{level} {context.command_path}", "", inspect.cleandoc(command.help or "").replace("\b", ""), "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _command(click.Context(inner, info_name=name, parent=context))
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    yield from ("| option | meaning |", "|---|---|")
    for option, meaning in records:
        if meaning:  # most arguments have no text of their own, and the usage shows them
            yield f"| `{_cell(option)}` | {_cell(meaning)} |"
    yield ""


def _cell(text: str) -> str:
    """Writes a text for a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")
