"""Prepares MovieLens as two companies would hold it: users at Alice, ratings and movies at Bob."""

from __future__ import annotations

import sys
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
    divide,
    first_rows,
    row_id,
    write_parts,
)
from party.errors import DataError, SplitError

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
    source: Path | None,
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    rows: int | None,
    cache: Path,
    history_length: int = 0,
    by_time: bool = False,
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
        history_length: where above 0, bob also has the latest films that the user had rated before, at most so many.
        by_time: whether the latest ratings become `test`, in place of random ones.

    Returns:
        Counts of what was written.

    Raises:
        DataError: the source, or an option with respect to it, cannot be used.
        StorageError: a file cannot be written.
    """
    check_seed(seed)
    check_test_fraction(test_fraction)
    origin, ratings = _read(source, cache)
    ratings = first_rows(_identified(ratings, origin), rows, seed, what="ratings")
    columns: dict[str, tuple[str, ...]] = dict(COLUMNS_BY_PARTY)
    if history_length:
        ratings = with_histories(ratings, history_length)
        columns["bob"] = (*columns["bob"], HISTORY)
    datasets = _latest(ratings, test_fraction) if by_time else divide(ratings, seed, test_fraction)
    files, common = write_parts(folder, datasets, columns, seed=seed, extension="csv", encode=csv_bytes)
    positive = {dataset: float(both["Rating"].isin(POSITIVE_RATINGS).mean()) for dataset, both in common.items()}
    counts = {dataset: len(both) for dataset, both in common.items()}
    users, movies = ratings["UserID"].nunique(), ratings["MovieID"].nunique()
    return Summary(origin, len(ratings), users, movies, files, counts, positive)


def _read(source: Path | None, cache: Path) -> tuple[str, pd.DataFrame]:
    if source is not None:
        form, ratings = read_movielens(source)
        return f"{source} ({form})", ratings
    archive, path = fetch_movielens(cache)
    with zipfile.ZipFile(path) as file:
        form, ratings = read_movielens(zipfile.Path(file, archive.folder))
    return f"{archive.origin} ({form}), kept as {path}", ratings


def _latest(ratings: pd.DataFrame, test_fraction: float) -> dict[str, pd.DataFrame]:
    """The latest ratings as `test`; of one second, those with the lower ids first."""
    ordered = ratings.assign(moment=ratings["Timestamp"].astype("int64")).sort_values(["moment", "ID"], kind="stable")
    ordered = ordered.drop(columns="moment")
    test_rows = round(len(ordered) * test_fraction)
    datasets = {"train": ordered.iloc[: len(ordered) - test_rows], "test": ordered.iloc[len(ordered) - test_rows :]}
    for dataset, table in datasets.items():
        check_rows(table, dataset)
    return datasets


def _identified(ratings: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Adds the join key, and sorts by it, so that the order of the source decides nothing."""
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
@click.option("--seed", type=int, default=7, show_default=True, help="Of everything random.")
@click.option("--test-fraction", type=float, default=0.1, show_default=True, help="Share of the ratings for test.csv.")
@click.option("--rows", type=int, help="Use only so many ratings.")
@click.option(
    "--history-length",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Give bob so many of the films that the user had rated before.",
)
@click.option("--by-time", is_flag=True, help="Take the latest ratings for test.csv, in place of random ones.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Keeps the download; `cache` beside --folder by default."
)
def main(
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
    cache = cache or folder.absolute().parent / "cache"
    try:
        summary = prepare(
            source,
            folder,
            seed=seed,
            test_fraction=test_fraction,
            rows=rows,
            cache=cache,
            history_length=history_length,
            by_time=by_time,
        )
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(str(summary))


if __name__ == "__main__":
    main()
