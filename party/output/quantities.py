"""Counts, sizes and times in the forms that people expect."""

from __future__ import annotations

SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000.0
MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
WHOLE_SECONDS = 10.0  # from here on, tenths of a second tell nothing


def count_text(count: int) -> str:
    """A count with a comma between thousands."""
    return f"{count:,}"


def bytes_text(size: float) -> str:
    """A size in units of a thousand, such as `4.5 MB`.

    Args:
        size: number of bytes.
    """
    place = 0
    while size >= THOUSAND and place < len(SIZE_UNITS) - 1:
        size, place = size / THOUSAND, place + 1
    return f"{size:,.0f} {SIZE_UNITS[0]}" if place == 0 else f"{size:,.1f} {SIZE_UNITS[place]}"


def seconds_text(seconds: float) -> str:
    """A duration, such as `0.35 s`, `12 s`, `4 min 5 s` or `3 h 20 min`.

    Args:
        seconds: at least 0.
    """
    if seconds < WHOLE_SECONDS:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE_SECONDS:
        return f"{whole} s"
    if whole < HOUR_SECONDS:
        return f"{whole // MINUTE_SECONDS} min {whole % MINUTE_SECONDS} s"
    return f"{whole // HOUR_SECONDS:,} h {whole % HOUR_SECONDS // MINUTE_SECONDS} min"


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
