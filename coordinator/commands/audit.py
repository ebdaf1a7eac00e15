"""`coordinator audit`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import debug_option, run_command
from party.output.results import json_option


@click.command("audit")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--html", "page", type=click.Path(path_type=Path), default=None, help="File for the page.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=None,
    help="The run's YAML file: its authorities must vouch for the parties that signed.",
)
@json_option
@debug_option
def audit_command(*, files: tuple[Path, ...], page: Path | None, path: Path | None, as_json: bool, debug: bool) -> None:
    """Puts the parts of `party audit --part` together. They may be of several runs."""

    def run() -> None:
        from coordinator.audit import joint_audit, read_all  # noqa: PLC0415
        from party.audit.report.written_report import print_report, write_page  # noqa: PLC0415

        audit = joint_audit(read_all(files), path)
        if page is not None:
            write_page(audit.report, page)
        if as_json:
            click.echo(audit.to_json())
        else:
            print_report(audit.report)

    run_command(run, debug)
