"""Prepares MovieLens as three organisations hold it in life: users at alice, films at charlie, ratings at bob."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from deploy.movielens import LICENCE, identified_ratings
from deploy.movielens_formats import MOVIE_COLUMNS, RATING_COLUMNS, USER_COLUMNS
from deploy.partition import csv_bytes, random_order, split_randomly
from party.errors import DataError
from party.security.files import private_folder, write_atomically

TABLES = {"alice": ("users", USER_COLUMNS), "charlie": ("films", MOVIE_COLUMNS)}
RATINGS_HOLDER = "bob"


@dataclass(frozen=True)
class TablesSummary:
    """Counts of the written files.

    Attributes:
        source: origin of the ratings.
        rows: number of rows by file, relative to the folder.
        unknown_users: number of users of the ratings that alice does not know.
    """

    source: str
    rows: dict[str, int]
    unknown_users: int

    def __str__(self) -> str:
        """Formats the counts as lines for a terminal."""
        lines = [f"source: {self.source}", *(f"{file}: {rows:,} rows" for file, rows in self.rows.items())]
        return "\n".join([*lines, f"{self.unknown_users:,} users that alice does not know", LICENCE])


def prepare_tables(
    source: Path | None, folder: Path, *, seed: int, test_fraction: float, cache: Path, unknown_fraction: float = 0.0
) -> TablesSummary:
    """Writes `alice/users.csv`, `charlie/films.csv` and `bob`, with one row per rating in `train.csv` and `test.csv`.

    The split of the ratings is that of `deploy.movielens.prepare` with the same seed.

    Args:
        source: a published MovieLens folder; None downloads ml-100k.
        folder: output folder, created if it does not exist.
        seed: of all random choices, at least 0.
        test_fraction: share of the ratings that become the dataset `test`, between 0 and 1.
        cache: folder for the downloaded file.
        unknown_fraction: share of the users that alice does not know, chosen by the seed.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the source is unusable, or an option is invalid.
        StorageError: a file cannot be written.
    """
    if not 0 <= unknown_fraction < 1:
        raise DataError(
            "is no share", where="unknown fraction", expected="from 0, below 1", received=str(unknown_fraction)
        )
    origin, ratings = identified_ratings(source, cache)
    files: dict[str, pd.DataFrame] = {}
    for dataset, rows in split_randomly(ratings, seed, test_fraction).items():
        files[f"{RATINGS_HOLDER}/{dataset}.csv"] = rows[list(RATING_COLUMNS)]
    for holder, (name, columns) in TABLES.items():
        files[f"{holder}/{name}.csv"] = ratings[list(columns)].drop_duplicates(columns[0])
    users = files["alice/users.csv"].sort_values("UserID", ignore_index=True)
    unknown = round(len(users) * unknown_fraction)
    files["alice/users.csv"] = users.iloc[random_order(len(users), seed, "users known")[unknown:]]
    for file, table in files.items():
        private_folder((folder / file).parent)
        write_atomically(folder / file, csv_bytes(table))
    return TablesSummary(origin, {file: len(table) for file, table in files.items()}, unknown)
