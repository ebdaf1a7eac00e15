"""`party report`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command
from party.output.results import json_option, print_result


@click.command("report")
@configuration_option
@click.option("--run", "run_id", default=None, help="run_id or its beginning; default: the run that changed last.")
@click.option("--output", "page", type=click.Path(path_type=Path), required=True, help="File for the page.")
@click.option(
    "--curves",
    default=None,
    metavar="DATASET",
    help="At the label party: also draw ROC and reliability of the predictions of this dataset; reads its labels.",
)
@json_option
@debug_option
def report_command(
    path: Path, *, run_id: str | None, page: Path, curves: str | None, as_json: bool, debug: bool
) -> None:
    """Writes a page about a run for this organisation: exact figures, and what left the building."""

    def run() -> None:
        from party.own_report.written_page import write_page  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        written = write_page(path, run_id, page, curves=curves, now=utc_now())
        print_result("party report", written, as_json=as_json)

    run_command(run, debug)
