"""Dates and times as cells have them: by the calendar and the clock as written, and as instants."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from party.configuration.datetime_feature import DateFormat, DatetimeFeature, EpochUnit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_NANOSECONDS_IN_A_MICROSECOND = 1_000
_ISO = re.compile(
    r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
    r"(?:[Tt ]([0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?)"
    r"\s?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?\s*",
    re.ASCII,
)
_OFFSET = "%z"
_WITH_POINT = re.compile(r"\s*([0-9]+)\.0*\s*", re.ASCII)
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,20})(?:\.([0-9]{0,20}))?\s*", re.ASCII)


@dataclass(frozen=True)
class Moment:
    """A date and time.

    Attributes:
        written: calendar and clock: in the feature's zone if it names one, else as the cell has them; without a zone.
        instant: the same in UTC; a cell without a zone is in the feature's, else in UTC.
    """

    written: datetime
    instant: datetime


def moment_reader(feature: DatetimeFeature) -> Callable[[str], Moment | None]:
    """Makes the function that reads the cells of a feature.

    Args:
        feature: the feature's section of the configuration.

    Returns:
        From a text to the moment that it is; to None for any other text.
    """
    zone = None if feature.zone is None else ZoneInfo(feature.zone)
    if feature.unit is not None:
        unit = feature.unit
        return lambda text: _placed(_from_epoch(text, unit), zone)
    if feature.format is not None:
        style = feature.format
        return lambda text: _placed(_from_format(text, style) or _from_format(_whole(text), style), zone)
    return lambda text: _placed(iso_moment(text) or iso_moment(_whole(text)), zone)


def iso_moment(text: str) -> datetime | None:
    """Reads a date, or a date and time, in ISO 8601.

    Args:
        text: `2024-01-31` or `20240131`, alone or with a T or a blank and a time after it, with or without seconds, a
            fraction and a zone.

    Returns:
        The moment, with a zone if the text has one; None for any other text.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    date, time, zone = match.groups()
    written = f"{date}T{(time or '00').replace(',', '.')}"
    offset = "" if zone is None else "+00:00" if zone in ("Z", "z", "UTC") else zone
    try:
        return datetime.fromisoformat(written + offset)
    except ValueError:
        return None


def in_format(text: str, style: DateFormat) -> str:
    """Writes the text of a date, or of a date and time, as a feature reads it.

    Args:
        text: as a value has it; any other text stays as it is.
        style: how the feature's cells are written.
    """
    moment = iso_moment(text)
    if moment is None:
        return text
    zone = UTC if style.zone is None else ZoneInfo(style.zone)
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone)
    elif _OFFSET in style.format:
        moment = moment.replace(tzinfo=zone)
    return moment.strftime(style.format)


def _whole(text: str) -> str:
    """A whole number without the point that it has once a column has had an empty cell: 20240131.0 is 20240131."""
    match = _WITH_POINT.fullmatch(text)
    return text if match is None else match[1]


def _from_format(text: str, style: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), style)
    except (ValueError, OverflowError):
        return None


def _from_epoch(text: str, unit: EpochUnit) -> datetime | None:
    """By the digits alone: a binary float could not hold those of nanoseconds."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    whole, fraction = int(match[1]), match[2] or ""
    if unit == "nanoseconds":
        microseconds = whole // _NANOSECONDS_IN_A_MICROSECOND
    else:
        factor = _MICROSECONDS[unit]
        part = int(fraction or "0") * factor // 10 ** len(fraction)
        microseconds = whole * factor + (-part if match[1].startswith("-") else part)
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _placed(moment: datetime | None, zone: tzinfo | None) -> Moment | None:
    if moment is None:
        return None
    try:
        if zone is not None:
            moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
        written = moment.replace(tzinfo=None)
        instant = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # in the first or last day of the calendar, another zone leads out of it
        return None
    return Moment(written, instant)
