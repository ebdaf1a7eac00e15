"""The subcommand `completion` of `party` and `coordinator`: the script by which a shell completes their commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


def completion_command(program: str) -> click.Command:
    """Makes the subcommand for one program.

    Args:
        program: its name.

    Returns:
        The subcommand.
    """

    @click.command("completion", short_help="Prints the script by which a shell completes commands.")
    @click.argument("shell", type=click.Choice(SHELLS))
    @click.pass_context
    def completion(context: click.Context, shell: str) -> None:
        kind = get_completion_class(shell)
        if kind is None:
            raise click.UsageError(f"this version of click knows no completion for {shell}")
        command = context.find_root().command
        click.echo(kind(command, {}, program, f"_{program.upper()}_COMPLETE").source())

    completion.help = (
        f"Prints the script by which a shell completes the commands of {program}.\n\n"
        f'In ~/.bashrc: eval "$({program} completion bash)"'
    )
    return completion
