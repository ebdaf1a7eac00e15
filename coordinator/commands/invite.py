"""`coordinator invite`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import configuration_option, debug_option, run_command
from party.invitation.options import invite_options
from party.output.results import print_result


@click.command("invite")
@configuration_option
@invite_options
@debug_option
def invite_command(*, path: Path, target: Path | None, force: bool, as_json: bool, debug: bool) -> None:
    """Writes the file to hand to parties. Prints the fingerprint to read to them."""

    def run() -> None:
        from coordinator.new_run import invite_for_coordinator  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        written = invite_for_coordinator(path, target=target, force=force, now=utc_now())
        print_result("coordinator invite", written, as_json=as_json)

    run_command(run, debug)
