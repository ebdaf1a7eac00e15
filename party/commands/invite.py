"""`party invite`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command
from party.invitation.options import invite_options


@click.command("invite")
@configuration_option
@click.option("--address", default=None, metavar="HOST:PORT", help="As partners reach this party.  [default: listen]")
@invite_options
@debug_option
def invite_command(*, path: Path, address: str | None, target: Path | None, force: bool, debug: bool) -> None:
    """Writes the file to hand to partners, and prints the fingerprint to read to them."""

    def run() -> None:
        from party.invitation.of_party import invite_for_party  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        for line in invite_for_party(path, address, target=target, force=force, now=utc_now()):
            click.echo(line)

    run_command(run, debug)
