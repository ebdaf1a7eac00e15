"""`party accept`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from party.command_line import configuration_option, debug_option, run_command
from party.invitation.options import accept_options


@click.command("accept")
@configuration_option
@accept_options
@debug_option
def accept_command(path: Path, debug: bool, **given: Any) -> None:
    """Takes partners' invitations into the configuration, once their fingerprints are confirmed."""

    def run() -> None:
        from party.invitation.accepting import accept_files  # noqa: PLC0415
        from party.invitation.at_party import party_acceptor  # noqa: PLC0415

        for line in accept_files(path, party_acceptor(path), **given):
            click.echo(line)

    run_command(run, debug)
