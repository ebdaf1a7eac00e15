"""Prepares the folders of the containers in deploy/compose.yaml; a prepared folder is left unchanged."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from coordinator.local_folders import LocalFolders
from deploy.demo.federation import PARTIES, scenario_federation
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
    try:
        if LocalFolders(folder).run_path.exists():
            click.echo("prepared before")
            return
        # In no party's folder: the download holds the columns of both parties, and the labels.
        with tempfile.TemporaryDirectory() as cache:
            click.echo(prepare(None, folder, seed=SEED, test_fraction=TEST_FRACTION, rows=None, cache=Path(cache)))
        federation = scenario_federation(folder, TRAINING, listen=dict.fromkeys(PARTIES, f"0.0.0.0:{PORT}"))
        federation.write_run(addresses={party: f"{party}:{PORT}" for party in PARTIES})
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
