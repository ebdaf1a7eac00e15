"""`party data`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command
from party.output.results import json_option, print_result


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
@json_option
@debug_option
def data_command(path: Path, *, name: str | None, days: int | None, as_json: bool, debug: bool) -> None:
    """Lists the columns of large files that this party has on disk, or removes some."""
    if name is not None and days is not None:
        raise click.UsageError("--remove and --remove-unused exclude each other")

    def run() -> None:
        from party.security.clock import utc_now  # noqa: PLC0415
        from party.stored_data import remove_stored, remove_unused, stored_data  # noqa: PLC0415

        if name is not None:
            print_result("party data", remove_stored(path, name), as_json=as_json)
        elif days is not None:
            print_result("party data", remove_unused(path, days, utc_now()), as_json=as_json)
        else:
            print_result("party data", stored_data(path), as_json=as_json)

    run_command(run, debug)
