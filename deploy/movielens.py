"""Prepares MovieLens as two companies would hold it: users at Alice, ratings and movies at Bob."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import click
import pandas as pd

from deploy.histories import HISTORY, with_histories
from deploy.movielens_download import fetch_movielens
from deploy.movielens_formats import USER_COLUMNS, read_movielens
from deploy.partition import (
    check_rows,
    check_seed,
    check_test_fraction,
    csv_bytes,
    row_id,
    sample_rows,
    split_randomly,
    write_parts,
)
from deploy.reporting import cache_beside, report
from party.errors import DataError

COLUMNS_BY_PARTY = {
    "alice": ("ID", *USER_COLUMNS),
    "bob": ("ID", "MovieID", "Rating", "Title", "Genres", "Timestamp"),
}
ID_LABEL = "splitrain movielens"
POSITIVE_RATINGS = ("4", "5")
LICENCE = (
    "MovieLens belongs to GroupLens: its licence forbids redistribution, and commercial use without permission; "
    "never commit these files"
)


@dataclass(frozen=True, kw_only=True)
class RatingsSummary:
    """Counts of the written files.

    Attributes:
        source: origin of the ratings.
        ratings: number of ratings, before the split and after `rows`.
        users: number of distinct users.
        movies: number of distinct movies.
        rows: number of rows by file, relative to the folder.
        common: number of rows that both parties hold, by dataset.
        positive: share of the common rows with a rating above 3, by dataset.
    """

    source: str
    ratings: int
    users: int
    movies: int
    rows: dict[str, int]
    common: dict[str, int]
    positive: dict[str, float]

    def __str__(self) -> str:
        """Formats the counts as lines for a terminal."""
        lines = [f"source: {self.source}", f"{self.ratings:,} ratings, {self.users:,} users, {self.movies:,} movies"]
        lines += [f"{file}: {rows:,} rows" for file, rows in self.rows.items()]
        lines += [
            f"{dataset}: {rows:,} rows in common, {self.positive[dataset]:.1%} of them with Rating > 3"
            for dataset, rows in self.common.items()
        ]
        return "\n".join([*lines, LICENCE])


def prepare(
    source: Path | None,
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    rows: int | None,
    cache: Path,
    history_length: int = 0,
    by_time: bool = False,
) -> RatingsSummary:
    """Writes `alice` and `bob`, each with `train.csv` and `test.csv`, one row per rating.

    Each party's files have an order of rows of their own, and lack about 1 percent of the ids that the other's have.
    The same source, seed and options give the same bytes.

    Args:
        source: a published MovieLens folder; None downloads ml-100k.
        folder: output folder, created if it does not exist.
        seed: of all random choices, at least 0.
        test_fraction: share of the ratings that become the dataset `test`, between 0 and 1.
        rows: number of ratings to use, chosen by the seed; None for all.
        cache: folder for the downloaded file.
        history_length: largest number of films in a column `History` at bob, the latest that the user had rated before;
            0 for no such column.
        by_time: whether the latest ratings become `test` instead of random ones.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the source is unusable, or an option is invalid.
        StorageError: a file cannot be written.
    """
    check_seed(seed)
    check_test_fraction(test_fraction)
    origin, ratings = identified_ratings(source, cache)
    ratings = sample_rows(ratings, rows, seed, what="ratings")
    columns: dict[str, tuple[str, ...]] = dict(COLUMNS_BY_PARTY)
    if history_length:
        ratings = with_histories(ratings, history_length)
        columns["bob"] = (*columns["bob"], HISTORY)
    datasets = _latest(ratings, test_fraction) if by_time else split_randomly(ratings, seed, test_fraction)
    files, common = write_parts(folder, datasets, columns, seed=seed, extension="csv", encode=csv_bytes)
    positive = {dataset: float(both["Rating"].isin(POSITIVE_RATINGS).mean()) for dataset, both in common.items()}
    counts = {dataset: len(both) for dataset, both in common.items()}
    users, movies = ratings["UserID"].nunique(), ratings["MovieID"].nunique()
    return RatingsSummary(
        source=origin,
        ratings=len(ratings),
        users=users,
        movies=movies,
        rows=files,
        common=counts,
        positive=positive,
    )


def identified_ratings(source: Path | None, cache: Path) -> tuple[str, pd.DataFrame]:
    """Reads all ratings, each with an id; rows are ascending by it.

    Args:
        source: a published MovieLens folder; None downloads ml-100k.
        cache: folder for the downloaded file.

    Returns:
        The origin of the ratings, and the ratings with all columns of users and films.

    Raises:
        DataError: the source is unusable.
    """
    origin, ratings = _read(source, cache)
    return origin, _identified(ratings, origin)


def _read(source: Path | None, cache: Path) -> tuple[str, pd.DataFrame]:
    if source is not None:
        form, ratings = read_movielens(source)
        return f"{source} ({form})", ratings
    archive, path = fetch_movielens(cache)
    with zipfile.ZipFile(path) as file:
        form, ratings = read_movielens(zipfile.Path(file, archive.folder))
    return f"{archive.origin} ({form}), cached as {path}", ratings


def _latest(ratings: pd.DataFrame, test_fraction: float) -> dict[str, pd.DataFrame]:
    """Splits off the latest ratings as `test`; within a second, rows are ordered by id."""
    ordered = ratings.assign(moment=ratings["Timestamp"].astype("int64")).sort_values(["moment", "ID"], kind="stable")
    ordered = ordered.drop(columns="moment")
    test_rows = round(len(ordered) * test_fraction)
    datasets = {"train": ordered.iloc[: len(ordered) - test_rows], "test": ordered.iloc[len(ordered) - test_rows :]}
    for dataset, table in datasets.items():
        check_rows(table, dataset)
    return datasets


def _identified(ratings: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Adds the join key, and sorts by it, so that the result does not depend on the order of the source."""
    ids = [row_id(ID_LABEL, user, movie) for user, movie in zip(ratings["UserID"], ratings["MovieID"], strict=True)]
    ratings = ratings.assign(ID=ids)
    repeated = int(ratings["ID"].duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} ratings repeat an id: a user and a movie meet once", where=origin)
    return ratings.sort_values("ID", ignore_index=True)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where to write.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="A folder as GroupLens publishes it, ml-1m or ml-100k; without it, ml-100k is downloaded.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of all random choices.")
@click.option("--test-fraction", type=float, default=0.1, show_default=True, help="Share of the ratings for test.csv.")
@click.option("--rows", type=int, help="Number of ratings to use.")
@click.option(
    "--history-length",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Add a column with up to this many of the films that the user had rated before, at bob.",
)
@click.option("--by-time", is_flag=True, help="Put the latest ratings into test.csv instead of random ones.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder for downloads; by default `cache` beside --folder.",
)
def main(
    *,
    folder: Path,
    source: Path | None,
    seed: int,
    test_fraction: float,
    rows: int | None,
    cache: Path | None,
    history_length: int,
    by_time: bool,
) -> None:
    """Prepare MovieLens as two companies would hold it: users at Alice, ratings and movies at Bob."""
    report(
        lambda: prepare(
            source,
            folder,
            seed=seed,
            test_fraction=test_fraction,
            rows=rows,
            cache=cache or cache_beside(folder),
            history_length=history_length,
            by_time=by_time,
        )
    )


if __name__ == "__main__":
    main()
