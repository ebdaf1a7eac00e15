"""The forms in which MovieLens is published, read into one table of ratings.

ml-1m     `ratings.dat`, `users.dat`, `movies.dat`, separated by `::`, Latin-1
ml-100k   `u.data`, `u.user`, `u.item`, tabs and bars, Latin-1; genres are flags
RecBole   `ml-100k.inter`, `ml-100k.user`, `ml-100k.item`, tabs with a header, UTF-8; the year is a column

All cells stay the published text. Ages and occupations of ml-1m are codes, those of ml-100k years and names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
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
    """A text file with one record a line.

    Attributes:
        file: its name.
        separator: what stands between two cells.
        columns: names for the cells of a line.
        encoding: of the text.
        header: the first line, where there is one that is no record.
    """

    file: str
    separator: str
    columns: tuple[str, ...]
    encoding: str = "latin-1"
    header: str | None = None

    def read(self, folder: Folder) -> pd.DataFrame:
        """Reads every cell as text.

        Args:
            folder: where the file is.

        Returns:
            One row a line, with `columns`.

        Raises:
            DataError: the file is missing, unreadable or empty, or a line does not have the form.
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
        # Not splitlines(), which breaks a title at a Latin-1 control character.
        return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


@dataclass(frozen=True)
class Form:
    """One published form: three files, and what makes the common movie columns out of its own.

    Attributes:
        name: for messages.
        ratings: the file of ratings; its presence in a folder tells the form.
        users: the file of users.
        movies: the file of movies.
        common_movies: from the cells of `movies`, and its path for errors, to `MOVIE_COLUMNS`.
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
    # RecBole cut the last pair of parentheses off the title, whatever it held: putting it back restores the title.
    titles = (movies["Title"] + " (" + movies["Year"] + ")").mask(movies["Year"] == RECBOLE_UNKNOWN, UNKNOWN_TITLE)
    return movies.assign(Title=titles, Genres=movies["Genres"].str.replace(" ", GENRE_SEPARATOR, regex=False))


FORMS = (
    Form(
        "ml-1m",
        TextTable("ratings.dat", "::", RATING_COLUMNS),
        TextTable("users.dat", "::", USER_COLUMNS),
        TextTable("movies.dat", "::", MOVIE_COLUMNS),
        _as_published,
    ),
    Form(
        "ml-100k",
        TextTable("u.data", "\t", RATING_COLUMNS),
        TextTable("u.user", "|", ("UserID", "Age", "Gender", "Occupation", "Zip-code")),
        TextTable("u.item", "|", ITEM_COLUMNS),
        _from_flags,
    ),
    Form(
        "ml-100k of RecBole",
        TextTable(
            "ml-100k.inter",
            "\t",
            RATING_COLUMNS,
            "utf-8",
            "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        ),
        TextTable(
            "ml-100k.user",
            "\t",
            ("UserID", "Age", "Gender", "Occupation", "Zip-code"),
            "utf-8",
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
        ),
        TextTable(
            "ml-100k.item",
            "\t",
            ("MovieID", "Title", "Year", "Genres"),
            "utf-8",
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        ),
        _from_recbole,
    ),
)


def read_movielens(folder: Folder) -> tuple[str, pd.DataFrame]:
    """Reads a folder of MovieLens in any of the published forms.

    Args:
        folder: on disk, or inside an archive.

    Returns:
        Name of the form, and one row a rating with the columns of users, movies and ratings, all of them text.

    Raises:
        DataError: a file is missing, a line does not have the form, or the three files do not fit together.
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
