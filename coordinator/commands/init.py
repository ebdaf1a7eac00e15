"""`coordinator init`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import debug_option, run_command
from party.invitation.options import fingerprint_option, force_option, schema_option

DEFAULT_NAME = "coordinator"


@click.command("init")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Name in the coordinator's certificate.")
@click.option("--output", "target", type=click.Path(path_type=Path), default=Path("run.yaml"), show_default=True)
@fingerprint_option
@schema_option
@force_option
@debug_option
def init_command(
    *,
    files: tuple[Path, ...],
    name: str,
    target: Path,
    fingerprints: tuple[str, ...],
    writes_schema: bool,
    force: bool,
    debug: bool,
) -> None:
    """Writes a coordinator's certificate, a run's file and the invitation; takes parties' invitations at once."""

    def run() -> None:
        from coordinator.new_run import NewRun, create_run  # noqa: PLC0415
        from party.invitation.accepting import received_invitations  # noqa: PLC0415
        from party.invitation.confirming import terminal_question  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        now, ask = utc_now(), terminal_question()
        received = received_invitations(files, now, click.echo)
        new = NewRun(name=name, target=target, writes_schema=writes_schema, force=force)
        for line in create_run(new, received, fingerprints=fingerprints, ask=ask, now=now):
            click.echo(line)

    run_command(run, debug)
