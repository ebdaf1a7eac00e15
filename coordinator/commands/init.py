"""`coordinator init`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from coordinator.command_line import debug_option, run_command
from party.invitation.options import fingerprint_option, force_option, schema_option
from party.output.results import json_option, print_result

DEFAULT_NAME = "coordinator"


@click.command("init")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Name in the coordinator's certificate.")
@click.option("--output", "target", type=click.Path(path_type=Path), default=Path("run.yaml"), show_default=True)
@fingerprint_option
@schema_option
@force_option
@json_option
@debug_option
def init_command(
    *,
    files: tuple[Path, ...],
    name: str,
    target: Path,
    fingerprints: tuple[str, ...],
    writes_schema: bool,
    force: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Writes certificate, run's file and invitation. Takes parties' invitations at once."""

    def run() -> None:
        from coordinator.new_run import NewRun, create_run  # noqa: PLC0415
        from party.invitation.accepting import received_invitations  # noqa: PLC0415
        from party.invitation.confirming import terminal_question  # noqa: PLC0415
        from party.output.terminal import show  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        now, ask = utc_now(), terminal_question(to_errors=as_json)
        received = received_invitations(files, now, partial(show, to_errors=as_json))
        new = NewRun(name=name, target=target, writes_schema=writes_schema, force=force)
        created = create_run(new, received, fingerprints=fingerprints, ask=ask, now=now)
        print_result("coordinator init", created, as_json=as_json)

    run_command(run, debug)
