"""The subcommand `accept` of `party` and `coordinator`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from party.invitation.options import accept_options
from party.output.results import print_result

if TYPE_CHECKING:
    from party.invitation.acceptance import Acceptor

Option = Callable[[Callable[..., None]], Callable[..., None]]


def make_accept_command(
    program: str,
    options: tuple[Option, Option],
    run_command: Callable[[Callable[[], None], bool], None],
    find_acceptor: Callable[[Path], Acceptor],
) -> click.Command:
    """Makes the subcommand for one program.

    Args:
        program: its name.
        options: of the configuration file, and of tracebacks.
        run_command: runs a function and turns its errors into a line and an exit code; its second argument chooses
            tracebacks instead.
        find_acceptor: makes the rules for a configuration file.

    Returns:
        The subcommand.
    """
    configuration_option, debug_option = options

    @click.command("accept")
    @configuration_option
    @accept_options
    @debug_option
    def accept(path: Path, as_json: bool, debug: bool, **given: Any) -> None:
        """Takes partners' invitations into the configuration, once their fingerprints are confirmed."""

        def run() -> None:
            from party.invitation.accepting import accept_files  # noqa: PLC0415

            accepted = accept_files(path, find_acceptor(path), to_errors=as_json, **given)
            print_result(f"{program} accept", accepted, as_json=as_json)

        run_command(run, debug)

    return accept
