"""Dividing one table as two companies would hold it: what every data preparation shares."""

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


@dataclass(frozen=True)
class Summary:
    """What a preparation of one table wrote.

    Attributes:
        source: where the table came from.
        rows: by file, relative to the folder.
        common: rows that both parties hold, by dataset.
        positive: share of those for which a label is true, by label and dataset.
        licence: what the owner of the data asks for.
    """

    source: str
    rows: dict[str, int]
    common: dict[str, int]
    positive: dict[str, dict[str, float]]
    licence: str

    def __str__(self) -> str:
        """Lines for a terminal."""
        lines = [f"source: {self.source}"]
        lines += [f"{file}: {rows:,} rows" for file, rows in self.rows.items()]
        for dataset, rows in self.common.items():
            shares = [f"{share[dataset]:.1%} of them with {label}" for label, share in self.positive.items()]
            lines.append(f"{dataset}: {rows:,} rows in common, {', '.join(shares)}")
        return "\n".join([*lines, self.licence])


def row_id(label: str, *parts: object) -> str:
    """The join key of a row.

    Args:
        label: which data the row is of.
        parts: what tells the row from all others.

    Returns:
        Hexadecimal digits, a pure function of the arguments.
    """
    text = "\0".join([label, *(str(part) for part in parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def check_seed(seed: int) -> None:
    """Refuses a seed that the random orders cannot take.

    Args:
        seed: from 0.

    Raises:
        DataError: it is negative.
    """
    if seed < 0:
        raise DataError("seed is negative", where="seed", expected="0 or more", received=str(seed))


def check_test_fraction(test_fraction: float) -> None:
    """Refuses a share that leaves a dataset empty.

    Args:
        test_fraction: share of the rows that become the dataset `test`.

    Raises:
        DataError: it is not between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise DataError("is no share", where="test fraction", expected="between 0 and 1", received=str(test_fraction))


def random_order(count: int, seed: int, stream: str) -> Order:
    """A random order of rows.

    Args:
        count: number of rows.
        seed: of everything random, from 0.
        stream: name of what the order is for; other names give independent orders.

    Returns:
        Row numbers, a pure function of the arguments.
    """
    name = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    # Raw output of the bit generator: NumPy keeps it stable across versions, and shuffles built on it not.
    keys = np.random.PCG64(np.random.SeedSequence([seed, name])).random_raw(count)
    return np.argsort(np.asarray(keys), kind="stable")


def first_rows(
    table: pd.DataFrame, rows: int | None, seed: int, *, what: str = "rows", stream: str = "rows"
) -> pd.DataFrame:
    """Takes so many random rows.

    Args:
        table: to take from.
        rows: how many; all, in their order, where None.
        seed: of everything random, from 0.
        what: what the rows are called in an error.
        stream: name of the order that they are taken from.

    Returns:
        The rows taken.

    Raises:
        DataError: there are not so many, or none were asked for.
    """
    if rows is None:
        return table
    if not 0 < rows <= len(table):
        raise DataError(f"cannot take so many {what}", where="rows", expected=f"1 to {len(table)}", received=str(rows))
    return table.iloc[random_order(len(table), seed, stream)[:rows]]


def divide(table: pd.DataFrame, seed: int, test_fraction: float) -> dict[str, pd.DataFrame]:
    """Divides a table by chance into the datasets `train` and `test`.

    Args:
        table: all rows.
        seed: of everything random, from 0.
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
    """Refuses a dataset that has no row for each party alone and one for both.

    Args:
        table: its rows.
        dataset: its name.
        fix: what to do about it.

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
    """What each party has of a dataset, in its own order: each lacks rows that the other has.

    Args:
        table: rows of the dataset.
        seed: of everything random, from 0.
        dataset: its name.
        all_common: no party lacks a row; only the orders differ.

    Returns:
        Rows by party, `alice` and `bob`.
    """
    order = random_order(len(table), seed, f"{dataset} lacking")
    lacking = 0 if all_common else max(1, round(len(table) * LACKING_FRACTION))
    kept = {"alice": order[lacking:], "bob": np.concatenate([order[:lacking], order[2 * lacking :]])}
    return {
        party: table.iloc[rows[random_order(len(rows), seed, f"{dataset} order {party}")]]
        for party, rows in kept.items()
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
    """Writes what each party holds of each dataset, as `FOLDER/PARTY/DATASET.EXTENSION`.

    Args:
        folder: to write into, made where absent.
        datasets: all rows, by dataset, with the join column `ID`.
        columns: of each party's files, in their order.
        seed: of everything random, from 0.
        extension: of the files, without the dot.
        encode: makes the bytes of a file.
        all_common: datasets of which no party lacks a row.

    Returns:
        Rows by file, and the rows that both parties hold by dataset.

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
    """A table as a CSV file.

    Args:
        table: its rows, without an index.

    Returns:
        UTF-8 with a header and line feeds on every platform.
    """
    return table.to_csv(index=False, lineterminator="\n").encode()
