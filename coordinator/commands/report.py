"""`coordinator report`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import configuration_option, debug_option, run_command, run_id_argument
from party.output.results import json_option, print_result


@click.command("report")
@run_id_argument
@configuration_option
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    default=None,
    help="File for the page; default: report.html in the run's folder.",
)
@json_option
@debug_option
def report_command(*, run_id: str, path: Path, target: Path | None, as_json: bool, debug: bool) -> None:
    """Writes a page about a run; asks no party. It is for people outside the terminal."""

    def run() -> None:
        from coordinator.report.written_page import write_page  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        print_result("coordinator report", write_page(path, run_id, target, now=utc_now()), as_json=as_json)

    run_command(run, debug)
