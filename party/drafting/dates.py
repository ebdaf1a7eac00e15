"""Whether a column holds dates or times, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from party.data.kinds.moments import iso_moment
from party.drafting.column import MARKERS, Column
from party.drafting.guess import Guess

MOST_MALFORMED = 0.02
TIME_WORDS = frozenset(("time", "timestamp", "date", "datetime", "ts", "at", "created", "updated", "epoch", "unix"))
_DAYS = (
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S")
FORMATS = tuple(day + time for day in _DAYS for time in _TIMES)
_SWAPPED = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}
_TRIED_TEXTS = 200  # of a column: most formats are ruled out by the first of them
_DIGITS = re.compile(r"[0-9]+")
_EIGHT_DIGITS = re.compile(r"(?:19|20)[0-9]{6}")
# The years 1990 to 2049, and how many of a unit are a second.
_UNITS = {"seconds": (631_152_000, 2_524_608_000, 1), "milliseconds": (631_152_000_000, 2_524_608_000_000, 1000)}
_CLOCK = re.compile(r"[0-9]:[0-9]")


def guess_date(column: Column) -> Guess | None:
    """Guesses that a column holds dates or times.

    Args:
        column: the column.

    Returns:
        The feature; None if the column holds something else.
    """
    return _iso(column) or _counted(column) or _formatted(column)


def _iso(column: Column) -> Guess | None:
    if column.words.isdisjoint(TIME_WORDS) and all(map(_DIGITS.fullmatch, column.given)):
        return None  # eight digits may as well be any number

    def moment(text: str) -> datetime | None:
        is_number = _DIGITS.fullmatch(text) is not None and _EIGHT_DIGITS.fullmatch(text) is None
        return None if is_number else iso_moment(text)

    has_time = any(_CLOCK.search(text) for text in column.given)
    return _guess(column, moment, {}, has_time=has_time, why="dates and times" if has_time else "dates")


def _counted(column: Column) -> Guess | None:
    if column.words.isdisjoint(TIME_WORDS):
        return None
    guesses = (
        _guess(column, _counter(unit), {"unit": unit}, has_time=True, why=f"{unit} since 1970, by name and size")
        for unit in _UNITS
    )
    return next((guess for guess in guesses if guess is not None), None)


def _counter(unit: str) -> Callable[[str], datetime | None]:
    first, last, per_second = _UNITS[unit]

    def moment(text: str) -> datetime | None:
        count = int(text) if _DIGITS.fullmatch(text) and len(text) <= len(str(last)) else 0
        return datetime.fromtimestamp(count // per_second, UTC) if first <= count < last else None

    return moment


def _formatted(column: Column) -> Guess | None:
    tried = list(islice(column.given, _TRIED_TEXTS))
    for style in FORMATS:
        read = _reader(style)
        unread = [text for text in tried if read(text) is None and text not in MARKERS]
        if len(unread) > MOST_MALFORMED * len(tried):
            continue
        guess = _guess(column, read, {"format": style}, has_time="%H" in style, why=_words(column, style))
        if guess is not None:
            return guess
    return None


def _words(column: Column, style: str) -> str:
    words = "dates and times" if "%H" in style else "dates"
    day = style.partition("%Y")[0] + "%Y" if "%Y" in style else style
    swapped = _SWAPPED.get(day)
    if swapped is None:
        return words
    read = _reader(style.replace(day, swapped))
    if any(read(text) is None and text not in MARKERS for text in column.given):
        return words
    return f"{words}; whether the day or the month comes first cannot be told: check format"


def _guess(
    column: Column, moment: Callable[[str], datetime | None], keys: dict[str, object], *, has_time: bool, why: str
) -> Guess | None:
    def holds(text: str) -> bool:
        return moment(text) is not None

    markers = column.markers(holds)
    plain = column.without(markers)
    share = plain.share(holds) if plain.given else 0.0
    if share < 1 - MOST_MALFORMED:
        return None
    years = len({found.year for found in map(moment, plain.given) if found is not None})
    section: dict[str, object] = {"kind": "datetime", **keys}
    section["parts"] = [*(["hour"] if has_time else []), "weekday", "month", *(["year"] if years > 1 else [])]
    if share < 1:
        section["malformed"] = "missing"
        why += "; some rows hold something else, which counts as missing"
    return Guess(section, why, markers)


def _reader(style: str) -> Callable[[str], datetime | None]:
    def read(text: str) -> datetime | None:
        try:
            return datetime.strptime(text.strip(), style)
        except (ValueError, OverflowError):
            return None

    return read
