"""Prepares the folders of the containers in deploy/compose.yaml; a folder that is ready is left as it is."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from deploy.demo.configurations import (
    PARTIES,
    run_file,
    write_certificates,
    write_party_configurations,
    write_run_configuration,
)
from deploy.movielens import prepare
from party.errors import SplitError

PORT = 50051
SEED = 7
TEST_FRACTION = 0.1
TRAINING: dict[str, object] = {"seed": SEED, "epochs": 3}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Writes data, certificates and configurations below FOLDER."""
    if run_file(folder).exists():
        click.echo("prepared before")
        return
    try:
        cache = folder / "coordinator" / "cache"
        click.echo(prepare(None, folder, seed=SEED, test_fraction=TEST_FRACTION, rows=None, cache=cache))
        write_certificates(folder, datetime.now(UTC))
        write_party_configurations(folder, dict.fromkeys(PARTIES, f"0.0.0.0:{PORT}"))
        write_run_configuration(folder, {party: f"{party}:{PORT}" for party in PARTIES}, TRAINING)
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
