"""`party schema`."""

from __future__ import annotations

import click

from party.command_line import debug_option, run_command


@click.command("schema")
@debug_option
def schema_command(debug: bool) -> None:
    """Prints the JSON Schema of a party's file, for editors."""

    def run() -> None:
        from party.configuration.described_schema import PARTY_TITLE, schema_text  # noqa: PLC0415
        from party.configuration.party import PartyConfiguration  # noqa: PLC0415

        click.echo(schema_text(PartyConfiguration, PARTY_TITLE), nl=False)

    run_command(run, debug)
