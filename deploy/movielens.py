"""Prepares MovieLens as two companies would hold it: users at Alice, ratings and movies at Bob."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pandas as pd

from deploy.movielens_download import fetch_movielens
from deploy.movielens_formats import USER_COLUMNS, read_movielens
from party.errors import DataError, SplitError
from party.security.files import private_folder, write_atomically

COLUMNS_BY_PARTY = {
    "alice": ("ID", *USER_COLUMNS),
    "bob": ("ID", "MovieID", "Rating", "Title", "Genres", "Timestamp"),
}
ID_LABEL = "splitrain movielens"
ID_DIGITS = 16
LACKING_FRACTION = 0.01
MINIMUM_DATASET_ROWS = 3
POSITIVE_RATINGS = ("4", "5")
LICENCE = (
    "MovieLens belongs to GroupLens: its licence forbids redistribution, and commercial use without permission; "
    "never commit these files"
)

Order = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Summary:
    """What a preparation wrote.

    Attributes:
        source: where the ratings came from.
        ratings: number of them before the split, after `rows`.
        users: number of different users among them.
        movies: number of different movies among them.
        rows: by file, relative to the folder.
        common: rows that both parties hold, by dataset.
        positive: share of those with a rating above 3, by dataset.
    """

    source: str
    ratings: int
    users: int
    movies: int
    rows: dict[str, int]
    common: dict[str, int]
    positive: dict[str, float]

    def __str__(self) -> str:
        """Lines for a terminal."""
        lines = [f"source: {self.source}", f"{self.ratings:,} ratings, {self.users:,} users, {self.movies:,} movies"]
        lines += [f"{file}: {rows:,} rows" for file, rows in self.rows.items()]
        lines += [
            f"{dataset}: {rows:,} rows in common, {self.positive[dataset]:.1%} of them with Rating > 3"
            for dataset, rows in self.common.items()
        ]
        return "\n".join([*lines, LICENCE])


def prepare(
    source: Path | None, folder: Path, *, seed: int, test_fraction: float, rows: int | None, cache: Path
) -> Summary:
    """Writes `alice` and `bob`, each with `train.csv` and `test.csv`, one row a rating.

    Each party's files have their own order of rows, and lack about 1 percent of the ids that the other's have. The
    same source, seed and options give the same bytes.

    Args:
        source: a published MovieLens folder; None downloads ml-100k.
        folder: to write into, made where absent.
        seed: of everything random, from 0.
        test_fraction: share of the ratings that become the dataset `test`, between 0 and 1.
        rows: use only so many ratings, chosen by the seed; all where None.
        cache: folder that keeps the download.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the source, or an option with respect to it, cannot be used.
        StorageError: a file cannot be written.
    """
    if seed < 0:
        raise DataError("seed is negative", where="seed", expected="0 or more", received=str(seed))
    if not 0 < test_fraction < 1:
        raise DataError("is no share", where="test fraction", expected="between 0 and 1", received=str(test_fraction))
    origin, ratings = _read(source, cache)
    ratings = _first(_identified(ratings, origin), rows, seed)
    datasets = _divided(ratings, seed, test_fraction)
    files: dict[str, int] = {}
    common: dict[str, int] = {}
    positive: dict[str, float] = {}
    for dataset, table in datasets.items():
        held = _held(table, seed, dataset)
        for party, part in held.items():
            text = part[list(COLUMNS_BY_PARTY[party])].to_csv(index=False, lineterminator="\n")
            write_atomically(private_folder(folder / party) / f"{dataset}.csv", text.encode())
            files[f"{party}/{dataset}.csv"] = len(part)
        both = held["bob"][held["bob"]["ID"].isin(held["alice"]["ID"])]
        common[dataset] = len(both)
        positive[dataset] = float(both["Rating"].isin(POSITIVE_RATINGS).mean())
    users, movies = ratings["UserID"].nunique(), ratings["MovieID"].nunique()
    return Summary(origin, len(ratings), users, movies, dict(sorted(files.items())), common, positive)


def _read(source: Path | None, cache: Path) -> tuple[str, pd.DataFrame]:
    if source is not None:
        form, ratings = read_movielens(source)
        return f"{source} ({form})", ratings
    archive, path = fetch_movielens(cache)
    with zipfile.ZipFile(path) as file:
        form, ratings = read_movielens(zipfile.Path(file, archive.folder))
    return f"{archive.origin} ({form}), kept as {path}", ratings


def _identified(ratings: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Adds the join key, and sorts by it, so that the order of the source decides nothing."""
    ids = [
        hashlib.sha256(f"{ID_LABEL}\0{user}\0{movie}".encode()).hexdigest()[:ID_DIGITS]
        for user, movie in zip(ratings["UserID"], ratings["MovieID"], strict=True)
    ]
    ratings = ratings.assign(ID=ids)
    repeated = int(ratings["ID"].duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} ratings repeat an id: a user and a movie meet once", where=origin)
    return ratings.sort_values("ID", ignore_index=True)


def _order(count: int, seed: int, stream: str) -> Order:
    """A random order of `count` rows, a pure function of the seed and the stream's name."""
    name = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    # Raw output of the bit generator: NumPy keeps it stable across versions, and shuffles built on it not.
    keys = np.random.PCG64(np.random.SeedSequence([seed, name])).random_raw(count)
    return np.argsort(np.asarray(keys), kind="stable")


def _first(ratings: pd.DataFrame, rows: int | None, seed: int) -> pd.DataFrame:
    if rows is None:
        return ratings
    if not 0 < rows <= len(ratings):
        raise DataError(
            "cannot take so many ratings", where="rows", expected=f"1 to {len(ratings)}", received=str(rows)
        )
    return ratings.iloc[_order(len(ratings), seed, "rows")[:rows]]


def _divided(ratings: pd.DataFrame, seed: int, test_fraction: float) -> dict[str, pd.DataFrame]:
    order = _order(len(ratings), seed, "test")
    test_rows = round(len(ratings) * test_fraction)
    datasets = {"train": ratings.iloc[order[test_rows:]], "test": ratings.iloc[order[:test_rows]]}
    for dataset, table in datasets.items():
        if len(table) < MINIMUM_DATASET_ROWS:
            raise DataError(
                "has too few rows",
                where=f"dataset {dataset}",
                expected=f"at least {MINIMUM_DATASET_ROWS}",
                received=str(len(table)),
                fix="use more rows or another test fraction",
            )
    return datasets


def _held(table: pd.DataFrame, seed: int, dataset: str) -> dict[str, pd.DataFrame]:
    """What each party has of a dataset, in its own order: each lacks rows that the other has."""
    order = _order(len(table), seed, f"{dataset} lacking")
    lacking = max(1, round(len(table) * LACKING_FRACTION))
    kept = {"alice": order[lacking:], "bob": np.concatenate([order[:lacking], order[2 * lacking :]])}
    return {
        party: table.iloc[rows[_order(len(rows), seed, f"{dataset} order {party}")]] for party, rows in kept.items()
    }


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where to write.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="A folder as GroupLens publishes it, ml-1m or ml-100k; without it, ml-100k is downloaded.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Of everything random.")
@click.option("--test-fraction", type=float, default=0.1, show_default=True, help="Share of the ratings for test.csv.")
@click.option("--rows", type=int, help="Use only so many ratings.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Keeps the download; `cache` beside --folder by default."
)
def main(
    folder: Path, source: Path | None, seed: int, test_fraction: float, rows: int | None, cache: Path | None
) -> None:
    """Prepare MovieLens as two companies would hold it: users at Alice, ratings and movies at Bob."""
    cache = cache or folder.absolute().parent / "cache"
    try:
        summary = prepare(source, folder, seed=seed, test_fraction=test_fraction, rows=rows, cache=cache)
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(str(summary))


if __name__ == "__main__":
    main()
