"""Prepares the folders of the containers in deploy/compose.yaml; a prepared folder is left unchanged."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import pandas as pd

from coordinator.local_folders import LocalFolders
from deploy.demo.federation import DATASETS, scenario_federation
from deploy.demo.scenarios import DEEPFM, USERS, Company
from deploy.movielens import prepare
from deploy.partition import csv_bytes
from party.errors import SplitError
from party.security.files import private_folder, write_atomically

PORT = 50051
SEED = 7
TEST_FRACTION = 0.1
TRAINING: dict[str, object] = {"seed": SEED, "epochs": 3}
MOVED = ("Occupation", "Zip-code")  # columns of users that a third company has instead of alice
THREE_COMPANIES = replace(
    DEEPFM,
    companies={
        "alice": Company([one for one in USERS if one["column"] not in MOVED]),
        "bob": DEEPFM.companies["bob"],
        "carol": Company([one for one in USERS if one["column"] in MOVED]),
    },
)
PARTIES = tuple(THREE_COMPANIES.companies)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Writes data, certificates and configurations below FOLDER."""
    try:
        if LocalFolders(folder).run_path.exists():
            click.echo("prepared before")
            return
        # In no party's folder: the download holds the columns of all parties, and the labels.
        with tempfile.TemporaryDirectory() as cache:
            click.echo(prepare(None, folder, seed=SEED, test_fraction=TEST_FRACTION, rows=None, cache=Path(cache)))
        _move_columns(folder)
        listen = dict.fromkeys(PARTIES, f"0.0.0.0:{PORT}")
        federation = scenario_federation(folder, TRAINING, scenario=THREE_COMPANIES, listen=listen)
        federation.write_run(addresses={party: f"{party}:{PORT}" for party in PARTIES})
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def _move_columns(folder: Path) -> None:
    """Moves columns from alice's files to carol's, whose rows have the same ids."""
    private_folder(folder / "carol")
    for dataset in DATASETS:
        path = folder / "alice" / f"{dataset}.{THREE_COMPANIES.extension}"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        write_atomically(folder / "carol" / path.name, csv_bytes(table[["ID", *MOVED]]))
        write_atomically(path, csv_bytes(table.drop(columns=list(MOVED))))


if __name__ == "__main__":
    main()
