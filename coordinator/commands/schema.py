"""`coordinator schema`."""

from __future__ import annotations

import click

from coordinator.command_line import debug_option, run_command


@click.command("schema")
@debug_option
def schema_command(debug: bool) -> None:
    """Prints the JSON Schema of a run's file, for editors."""

    def run() -> None:
        from coordinator.configuration import CoordinatorConfiguration  # noqa: PLC0415
        from party.configuration.described_schema import RUN_TITLE, schema_text  # noqa: PLC0415

        click.echo(schema_text(CoordinatorConfiguration, RUN_TITLE), nl=False)

    run_command(run, debug)
