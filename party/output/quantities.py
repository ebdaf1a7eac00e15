"""Counts, sizes and times in the forms that people expect."""

from __future__ import annotations

import math
from datetime import UTC, datetime

SHOWN_DIGITS = 4  # significant ones of a figure
LEAST_PLACE, MOST_PLACE = -4, 12  # powers of ten of figures that are written without one
LEAST_SHARE = 0.001
SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000.0
SHOWN_DECIMALS = 1
MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
HOUR_MINUTES = 60
DAY_HOURS = 24
DAY_MINUTES = 1440
SHORT_SECONDS = 0.01  # below it, milliseconds
WHOLE_SECONDS = 10.0  # from here on, tenths of a second tell nothing


def count_text(count: int) -> str:
    """A count with a comma between thousands."""
    return f"{count:,}"


def figure_text(figure: float) -> str:
    """A number in four significant digits, such as `-38,990` or `0.0312`.

    Args:
        figure: finite or not.
    """
    if not math.isfinite(figure):
        return str(figure)
    place = math.floor(math.log10(abs(figure))) if figure else 0
    if not LEAST_PLACE <= place <= MOST_PLACE:
        return f"{figure:.{SHOWN_DIGITS}g}"
    decimals = SHOWN_DIGITS - 1 - place
    text = f"{round(figure, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, one: str, several: str = "") -> str:
    """A count with its noun, such as `1 row` or `1,200 rows`.

    Args:
        count: how many.
        one: the noun for one.
        several: for all other counts; by default with an `s`.
    """
    return f"{count_text(count)} {one if count == 1 else several or f'{one}s'}"


def share_text(part: float, whole: float) -> str:
    """A share in percent, which never rounds something to nothing or to all.

    Args:
        part: at least 0.
        whole: at least the part.
    """
    if not whole:
        return "-"
    share = part / whole
    if 0 < share < LEAST_SHARE:
        return f"< {_percent(LEAST_SHARE)}"
    if 1 - LEAST_SHARE < share < 1:
        return f"> {_percent(1 - LEAST_SHARE)}"
    return _percent(share)


def day_text(moment: datetime) -> str:
    """The day of a point in time, in UTC.

    Args:
        moment: with its zone.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def minute_text(moment: datetime) -> str:
    """A point in time to the minute, in UTC.

    Args:
        moment: with its zone.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def bytes_text(size: float) -> str:
    """A size in units of a thousand, such as `4.5 MB`.

    Args:
        size: number of bytes.
    """
    if round(size) < THOUSAND:
        return f"{size:,.0f} {SIZE_UNITS[0]}"
    place = 0
    # What rounds to a thousand of a unit is one of the next.
    while round(size, SHOWN_DECIMALS if place else 0) >= THOUSAND and place < len(SIZE_UNITS) - 1:
        size, place = size / THOUSAND, place + 1
    return f"{size:,.{SHOWN_DECIMALS}f} {SIZE_UNITS[place]}"


def seconds_text(seconds: float) -> str:
    """A duration, such as `5 ms`, `0.35 s`, `12 s`, `4 min 5 s`, `3 h 20 min` or `2 d 4 h`.

    Args:
        seconds: at least 0.
    """
    if seconds < SHORT_SECONDS:
        return f"{seconds * THOUSAND:.2g} ms" if seconds else "0 s"
    if round(seconds, 1) < WHOLE_SECONDS:
        return f"{seconds:.2g} s" if round(seconds, 2) < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE_SECONDS:
        return f"{whole} s"
    if whole < HOUR_SECONDS:
        return f"{whole // MINUTE_SECONDS} min {whole % MINUTE_SECONDS} s"
    minutes = round(seconds / MINUTE_SECONDS)
    if minutes < DAY_MINUTES:
        return f"{minutes // HOUR_MINUTES} h {minutes % HOUR_MINUTES} min"
    hours = round(minutes / HOUR_MINUTES)
    return f"{hours // DAY_HOURS:,} d {hours % DAY_HOURS} h"


def time_text(moment: str) -> str:
    """A point in time to the second, without its letters.

    Args:
        moment: ISO 8601 with its zone; other texts stay as they are.
    """
    day, separator, rest = moment.partition("T")
    if not separator:
        return moment
    zone = " UTC" if rest.endswith(("+00:00", "Z")) else ""
    return f"{day} {rest[:8]}{zone}"


def _percent(share: float) -> str:
    return f"{100 * share:.{SHOWN_DECIMALS}f} %"
