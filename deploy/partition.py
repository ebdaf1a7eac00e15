"""Partitions one table as two companies would hold it; shared by all data preparations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.errors import DataError
from party.security.files import private_folder, write_atomically

ID_DIGITS = 16
LACKING_FRACTION = 0.01
MINIMUM_DATASET_ROWS = 3

Order = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class TableSummary:
    """Counts of the written files.

    Attributes:
        source: origin of the table.
        rows: number of rows by file, relative to the folder.
        common: number of rows that both parties hold, by dataset.
        positive: share of the common rows for which a label is true, by label and dataset.
        licence: terms of the owner of the data.
    """

    source: str
    rows: dict[str, int]
    common: dict[str, int]
    positive: dict[str, dict[str, float]]
    licence: str

    def __str__(self) -> str:
        """Formats the counts as lines for a terminal."""
        lines = [f"source: {self.source}"]
        lines += [f"{file}: {rows:,} rows" for file, rows in self.rows.items()]
        for dataset, rows in self.common.items():
            shares = [f"{share[dataset]:.1%} of them with {label}" for label, share in self.positive.items()]
            lines.append(f"{dataset}: {rows:,} rows in common, {', '.join(shares)}")
        return "\n".join([*lines, self.licence])


def row_id(label: str, *parts: object) -> str:
    """Returns the join key of a row.

    Args:
        label: of the data set.
        parts: values that identify the row.

    Returns:
        Hexadecimal digits, a pure function of the arguments.
    """
    text = "\0".join([label, *(str(part) for part in parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def check_seed(seed: int) -> None:
    """Checks that a seed is valid.

    Args:
        seed: at least 0.

    Raises:
        DataError: it is negative.
    """
    if seed < 0:
        raise DataError("seed is negative", where="seed", expected="0 or more", received=str(seed))


def check_test_fraction(test_fraction: float) -> None:
    """Checks that a share leaves no dataset empty.

    Args:
        test_fraction: share of the rows that become the dataset `test`.

    Raises:
        DataError: it is not between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise DataError("is no share", where="test fraction", expected="between 0 and 1", received=str(test_fraction))


def random_order(count: int, seed: int, stream: str) -> Order:
    """Returns a random order of rows.

    Args:
        count: number of rows.
        seed: of all random choices, at least 0.
        stream: name of the random stream; different names give independent orders.

    Returns:
        Row numbers, a pure function of the arguments.
    """
    name = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    # Raw output of the bit generator, which NumPy keeps stable across versions, unlike its shuffles.
    keys = np.random.PCG64(np.random.SeedSequence([seed, name])).random_raw(count)
    return np.argsort(np.asarray(keys), kind="stable")


def sample_rows(
    table: pd.DataFrame, rows: int | None, seed: int, *, what: str = "rows", stream: str = "rows"
) -> pd.DataFrame:
    """Samples random rows of a table.

    Args:
        table: to sample from.
        rows: number of rows; None for all, in their order.
        seed: of all random choices, at least 0.
        what: name of the rows in an error.
        stream: name of the random stream.

    Returns:
        The sampled rows.

    Raises:
        DataError: `rows` is less than 1, or more than the rows of the table.
    """
    if rows is None:
        return table
    if not 0 < rows <= len(table):
        raise DataError(f"cannot take so many {what}", where="rows", expected=f"1 to {len(table)}", received=str(rows))
    return table.iloc[random_order(len(table), seed, stream)[:rows]]


def split_randomly(table: pd.DataFrame, seed: int, test_fraction: float) -> dict[str, pd.DataFrame]:
    """Splits a table at random into the datasets `train` and `test`.

    Args:
        table: all rows.
        seed: of all random choices, at least 0.
        test_fraction: share of the rows that become `test`, between 0 and 1.

    Returns:
        Rows by dataset.

    Raises:
        DataError: a dataset would have too few rows.
    """
    order = random_order(len(table), seed, "test")
    test_rows = round(len(table) * test_fraction)
    datasets = {"train": table.iloc[order[test_rows:]], "test": table.iloc[order[:test_rows]]}
    for dataset, part in datasets.items():
        check_rows(part, dataset, fix="use more rows or another test fraction")
    return datasets


def check_rows(table: pd.DataFrame, dataset: str, *, fix: str = "use more rows") -> None:
    """Checks that a dataset has enough rows: one for each party alone and one for both.

    Args:
        table: rows of the dataset.
        dataset: name of the dataset.
        fix: advice in the error.

    Raises:
        DataError: it has too few rows.
    """
    if len(table) < MINIMUM_DATASET_ROWS:
        raise DataError(
            "has too few rows",
            where=f"dataset {dataset}",
            expected=f"at least {MINIMUM_DATASET_ROWS}",
            received=str(len(table)),
            fix=fix,
        )


def held_by_party(table: pd.DataFrame, seed: int, dataset: str, *, all_common: bool = False) -> dict[str, pd.DataFrame]:
    """Returns the rows of each party in an order of its own; each lacks rows that the other has.

    Args:
        table: rows of the dataset.
        seed: of all random choices, at least 0.
        dataset: name of the dataset.
        all_common: whether both parties have all rows, so that only the orders differ.

    Returns:
        Rows by party, `alice` and `bob`.
    """
    order = random_order(len(table), seed, f"{dataset} lacking")
    lacking = 0 if all_common else max(1, round(len(table) * LACKING_FRACTION))
    held = {"alice": order[lacking:], "bob": np.concatenate([order[:lacking], order[2 * lacking :]])}
    return {
        party: table.iloc[rows[random_order(len(rows), seed, f"{dataset} order {party}")]]
        for party, rows in held.items()
    }


def write_parts(
    folder: Path,
    datasets: Mapping[str, pd.DataFrame],
    columns: Mapping[str, Sequence[str]],
    *,
    seed: int,
    extension: str,
    encode: Callable[[pd.DataFrame], bytes],
    all_common: Sequence[str] = (),
) -> tuple[dict[str, int], dict[str, pd.DataFrame]]:
    """Writes the part of each party in each dataset, as `FOLDER/PARTY/DATASET.EXTENSION`.

    Args:
        folder: output folder, created if it does not exist.
        datasets: all rows, by dataset, with the join column `ID`.
        columns: of each party's files, in their order.
        seed: of all random choices, at least 0.
        extension: of the files, without the dot.
        encode: returns the bytes of a file.
        all_common: datasets of which both parties have all rows.

    Returns:
        The number of rows by file, and the rows that both parties hold by dataset.

    Raises:
        StorageError: a file cannot be written.
    """
    files: dict[str, int] = {}
    common: dict[str, pd.DataFrame] = {}
    for dataset, table in datasets.items():
        held = held_by_party(table, seed, dataset, all_common=dataset in all_common)
        for party, part in held.items():
            file = f"{party}/{dataset}.{extension}"
            private_folder(folder / party)
            write_atomically(folder / file, encode(part[list(columns[party])]))
            files[file] = len(part)
        common[dataset] = held["bob"][held["bob"]["ID"].isin(held["alice"]["ID"])]
    return dict(sorted(files.items())), common


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Encodes a table as CSV.

    Args:
        table: to encode; its index is left out.

    Returns:
        UTF-8 text with a header, and line feeds on every platform.
    """
    return table.to_csv(index=False, lineterminator="\n").encode()
