"""`party data`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command


@click.command("data")
@configuration_option
@click.option("--remove", "name", default=None, metavar="NAME", help="Remove what is stored under this name.")
@click.option(
    "--remove-unused",
    "days",
    type=click.IntRange(min=0),
    default=None,
    metavar="DAYS",
    help="Remove what no start used for so many days.",
)
@debug_option
def data_command(path: Path, name: str | None, days: int | None, debug: bool) -> None:
    """Lists the columns of large files that this party has on disk, or removes some."""

    def run() -> None:
        from party.security.clock import utc_now  # noqa: PLC0415
        from party.stored_data import remove_stored, remove_unused, stored_lines  # noqa: PLC0415

        lines = [] if name is None else [remove_stored(path, name)]
        if days is not None:
            lines += remove_unused(path, days, utc_now())
        for line in stored_lines(path) if name is None and days is None else lines:
            click.echo(line)

    run_command(run, debug)
