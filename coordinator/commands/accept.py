"""`coordinator accept`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coordinator.command_line import configuration_option, debug_option, run_command
from party.invitation.options import accept_options


@click.command("accept")
@configuration_option
@accept_options
@debug_option
def accept_command(path: Path, debug: bool, **given: Any) -> None:
    """Takes parties' invitations into the run's file, once their fingerprints are confirmed."""

    def run() -> None:
        from coordinator.accepting import run_acceptor  # noqa: PLC0415
        from party.invitation.accepting import accept_files  # noqa: PLC0415

        for line in accept_files(path, run_acceptor(), **given):
            click.echo(line)

    run_command(run, debug)
