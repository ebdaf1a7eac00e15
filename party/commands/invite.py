"""`party invite`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command
from party.invitation.options import invite_options
from party.output.results import print_result


@click.command("invite")
@configuration_option
@click.option("--address", default=None, metavar="HOST:PORT", help="As partners reach this party.  [default: listen]")
@invite_options
@debug_option
def invite_command(
    *, path: Path, address: str | None, target: Path | None, force: bool, as_json: bool, debug: bool
) -> None:
    """Writes the file to hand to partners, and prints the fingerprint to read to them."""

    def run() -> None:
        from party.invitation.of_party import invite_for_party  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        written = invite_for_party(path, address, target=target, force=force, now=utc_now())
        print_result("party invite", written, as_json=as_json)

    run_command(run, debug)
