"""Reads MovieLens, in any of its published formats, into one table of ratings.

ml-1m     `ratings.dat`, `users.dat`, `movies.dat`, separated by `::`, Latin-1
ml-100k   `u.data`, `u.user`, `u.item`, tabs and bars, Latin-1; genres are flags
RecBole   `ml-100k.inter`, `ml-100k.user`, `ml-100k.item`, tabs with a header, UTF-8; the year is a column

All cells remain the published text. Ages and occupations of ml-1m are codes, those of ml-100k years and names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import pandas as pd

from party.errors import DataError

USER_COLUMNS = ("UserID", "Gender", "Age", "Occupation", "Zip-code")
MOVIE_COLUMNS = ("MovieID", "Title", "Genres")
RATING_COLUMNS = ("UserID", "MovieID", "Rating", "Timestamp")
RATINGS = ("1", "2", "3", "4", "5")
GENRE_SEPARATOR = "|"

# The order of the flags in u.item.
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
FLAGS = {"0": False, "1": True}
ITEM_COLUMNS = ("MovieID", "Title", "ReleaseDate", "VideoReleaseDate", "URL", *GENRES)

# RecBole misspells both the title and the year of the one film that u.item calls unknown and gives no year.
RECBOLE_UNKNOWN = "unkonwn"
UNKNOWN_TITLE = "unknown"

Folder = Path | zipfile.Path


@dataclass(frozen=True)
class TextTable:
    """A text file with one record per line.

    Attributes:
        file: file name.
        separator: of the cells in a line.
        columns: names of the cells in a line.
        encoding: of the text.
        header: expected header line; None if the file has no header.
    """

    file: str
    separator: str
    columns: tuple[str, ...]
    _: KW_ONLY
    encoding: str = "latin-1"
    header: str | None = None

    def read(self, folder: Folder) -> pd.DataFrame:
        """Reads every cell as text.

        Args:
            folder: that contains the file.

        Returns:
            One row per line, with `columns`.

        Raises:
            DataError: the file is missing, unreadable or empty, or a line is malformed.
        """
        path = folder / self.file
        lines = self._lines(path)
        first = 0
        if self.header is not None:
            if lines[:1] != [self.header]:
                raise DataError("has another header", where=str(path), expected=self.header.replace("\t", " "))
            first = 1
        records = [line.split(self.separator) for line in lines[first:]]
        if not records:
            raise DataError("holds no records", where=str(path))
        for number, record in enumerate(records, start=first + 1):
            if len(record) != len(self.columns):
                raise DataError(
                    "line has another number of cells",
                    where=f"{path}:{number}",
                    expected=str(len(self.columns)),
                    received=str(len(record)),
                )
        return pd.DataFrame(records, columns=list(self.columns), dtype=str)

    def _lines(self, path: Folder) -> list[str]:
        if not path.is_file():
            raise DataError("file is missing", where=str(path), fix="give the folder as it was published")
        try:
            text = path.read_bytes().decode(self.encoding)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot be read ({error.__class__.__name__})", where=str(path)) from None
        # Not splitlines(), which splits a title at a Latin-1 control character.
        return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


@dataclass(frozen=True, kw_only=True)
class Form:
    """A published format: three files, and a conversion to the common movie columns.

    Attributes:
        name: for messages.
        ratings: the file of ratings; its presence in a folder identifies the format.
        users: the file of users.
        movies: the file of movies.
        common_movies: converts the cells of `movies` to `MOVIE_COLUMNS`; its second argument is the path for errors.
    """

    name: str
    ratings: TextTable
    users: TextTable
    movies: TextTable
    common_movies: Callable[[pd.DataFrame, str], pd.DataFrame]


def _as_published(movies: pd.DataFrame, where: str) -> pd.DataFrame:
    del where
    return movies


def _from_flags(movies: pd.DataFrame, where: str) -> pd.DataFrame:
    flags = movies[list(GENRES)]
    bad = int((~flags.isin(list(FLAGS))).to_numpy().sum())
    if bad:
        raise DataError(f"{bad} genre flags are neither 0 nor 1", where=where)
    genres = [
        GENRE_SEPARATOR.join(genre for genre, flag in zip(GENRES, row, strict=True) if FLAGS[flag])
        for row in flags.itertuples(index=False, name=None)
    ]
    return movies.assign(Genres=genres)


def _from_recbole(movies: pd.DataFrame, where: str) -> pd.DataFrame:
    del where
    # RecBole moved the last pair of parentheses of every title to the year, whatever it held; this restores the title.
    titles = (movies["Title"] + " (" + movies["Year"] + ")").mask(movies["Year"] == RECBOLE_UNKNOWN, UNKNOWN_TITLE)
    return movies.assign(Title=titles, Genres=movies["Genres"].str.replace(" ", GENRE_SEPARATOR, regex=False))


FORMS = (
    Form(
        name="ml-1m",
        ratings=TextTable("ratings.dat", "::", RATING_COLUMNS),
        users=TextTable("users.dat", "::", USER_COLUMNS),
        movies=TextTable("movies.dat", "::", MOVIE_COLUMNS),
        common_movies=_as_published,
    ),
    Form(
        name="ml-100k",
        ratings=TextTable("u.data", "\t", RATING_COLUMNS),
        users=TextTable("u.user", "|", ("UserID", "Age", "Gender", "Occupation", "Zip-code")),
        movies=TextTable("u.item", "|", ITEM_COLUMNS),
        common_movies=_from_flags,
    ),
    Form(
        name="ml-100k of RecBole",
        ratings=TextTable(
            "ml-100k.inter",
            "\t",
            RATING_COLUMNS,
            encoding="utf-8",
            header="user_id:token\titem_id:token\trating:float\ttimestamp:float",
        ),
        users=TextTable(
            "ml-100k.user",
            "\t",
            ("UserID", "Age", "Gender", "Occupation", "Zip-code"),
            encoding="utf-8",
            header="user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
        ),
        movies=TextTable(
            "ml-100k.item",
            "\t",
            ("MovieID", "Title", "Year", "Genres"),
            encoding="utf-8",
            header="item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        ),
        common_movies=_from_recbole,
    ),
)


def read_movielens(folder: Folder) -> tuple[str, pd.DataFrame]:
    """Reads a MovieLens folder in any of the published formats.

    Args:
        folder: on disk, or inside an archive.

    Returns:
        The name of the format, and one row per rating with the columns of users, movies and ratings, all as text.

    Raises:
        DataError: a file is missing, a line is malformed, or the three files are inconsistent.
    """
    form = next((form for form in FORMS if (folder / form.ratings.file).is_file()), None)
    if form is None:
        names = ", ".join(form.ratings.file for form in FORMS)
        raise DataError("holds no MovieLens ratings", where=str(folder), expected=f"one of {names}")
    movies_path = str(folder / form.movies.file)
    movies = form.common_movies(form.movies.read(folder), movies_path)[list(MOVIE_COLUMNS)]
    movies = movies.assign(Title=movies["Title"].str.strip())
    users = form.users.read(folder)[list(USER_COLUMNS)]
    ratings = form.ratings.read(folder)
    ratings_path = str(folder / form.ratings.file)
    _check_unique(users["UserID"], str(folder / form.users.file))
    _check_unique(movies["MovieID"], movies_path)
    _check_known(ratings["UserID"], users["UserID"], ratings_path)
    _check_known(ratings["MovieID"], movies["MovieID"], ratings_path)
    bad = int((~ratings["Rating"].isin(RATINGS)).sum())
    if bad:
        raise DataError(f"{bad} ratings are not whole numbers of 1 to 5", where=f"{ratings_path} column Rating")
    return form.name, ratings.merge(users, on="UserID", validate="m:1").merge(movies, on="MovieID", validate="m:1")


def _check_unique(ids: pd.Series[str], where: str) -> None:
    repeated = int(ids.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} lines repeat an id", where=f"{where} column {ids.name}")


def _check_known(ids: pd.Series[str], known: pd.Series[str], where: str) -> None:
    unknown = int((~ids.isin(known)).sum())
    if unknown:
        raise DataError(f"{unknown} ratings have an id without a record", where=f"{where} column {ids.name}")
