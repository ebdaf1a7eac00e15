"""`coordinator report`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import configuration_option, debug_option, run_command, run_id_argument


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
@debug_option
def report_command(*, run_id: str, path: Path, target: Path | None, debug: bool) -> None:
    """Writes a page about a run for people outside the terminal; asks no party."""

    def run() -> None:
        from coordinator.report.page import run_page  # noqa: PLC0415
        from coordinator.report.stored_run import read_stored_run  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415
        from party.security.files import write_atomically  # noqa: PLC0415

        stored = read_stored_run(path, run_id)
        page = target or stored.folder / "report.html"
        write_atomically(page, run_page(stored, utc_now()).encode())
        click.echo(f"wrote {page}")

    run_command(run, debug)
