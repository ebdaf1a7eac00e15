"""Whether a column holds dates or times, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import islice

from party.data.kinds.moments import iso_moment
from party.drafting.column import Column
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
# Seconds and milliseconds since 1970 of the years 1990 to 2050.
_UNITS = {"seconds": (631_152_000, 2_524_608_000), "milliseconds": (631_152_000_000, 2_524_608_000_000)}
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
    def holds(text: str) -> bool:
        is_number = _DIGITS.fullmatch(text) is not None
        return iso_moment(text) is not None and (not is_number or _EIGHT_DIGITS.fullmatch(text) is not None)

    if column.words.isdisjoint(TIME_WORDS) and all(map(_DIGITS.fullmatch, column.given)):
        return None  # eight digits may as well be any number
    has_time = any(_CLOCK.search(text) for text in column.given)
    return _guess(column, holds, {}, has_time=has_time, why="dates and times" if has_time else "dates")


def _counted(column: Column) -> Guess | None:
    if column.words.isdisjoint(TIME_WORDS):
        return None
    for unit, (first, last) in _UNITS.items():

        def holds(text: str, first: int = first, last: int = last) -> bool:
            return _DIGITS.fullmatch(text) is not None and first <= int(text[:20]) < last

        guess = _guess(column, holds, {"unit": unit}, has_time=True, why=f"{unit} since 1970, by name and size")
        if guess is not None:
            return guess
    return None


def _formatted(column: Column) -> Guess | None:
    tried = list(islice(column.given, _TRIED_TEXTS))
    for style in FORMATS:
        fits = _reader(style)
        if sum(map(fits, tried)) < len(tried) * (1 - MOST_MALFORMED) - len(column.markers(fits)):
            continue
        why = "dates" if "%H" not in style else "dates and times"
        day = style.partition("%Y")[0] + "%Y" if "%Y" in style else style
        other = _SWAPPED.get(day)
        if other is not None and column.share(_reader(style.replace(day, other))) == 1.0:
            why += "; whether the day or the month comes first cannot be told: check format"
        guess = _guess(column, fits, {"format": style}, has_time="%H" in style, why=why)
        if guess is not None:
            return guess
    return None


def _guess(
    column: Column, holds: Callable[[str], bool], keys: dict[str, object], *, has_time: bool, why: str
) -> Guess | None:
    markers = column.markers(holds)
    plain = column.without(markers)
    share = plain.share(holds) if plain.given else 0.0
    if share < 1 - MOST_MALFORMED:
        return None
    section: dict[str, object] = {"kind": "datetime", **keys}
    section["parts"] = ["hour", "weekday", "month"] if has_time else ["weekday", "month"]
    if share < 1:
        section["malformed"] = "missing"
        why += "; some rows hold something else, which counts as missing"
    return Guess(section, why, markers)


def _reader(style: str) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            datetime.strptime(text.strip(), style)
        except (ValueError, OverflowError):
            return False
        return True

    return fits
