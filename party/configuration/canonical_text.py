"""The one text of a value: what a text that is written down means, whatever notation it was written in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from datetime import time as time_of_day

MOST_PLAIN_EXPONENT = 20  # a number from 1e-20 to below 1e21 is written without an exponent
VALUE_SEPARATOR = "\x1f"  # after each element of a list: the unit separator, which is in no text that people write
BOOLEANS = {"true": "1", "True": "1", "TRUE": "1", "false": "0", "False": "0", "FALSE": "0"}

# Digits of an exponent are bounded: a longer one is no number that anybody writes.
NUMBER_PATTERN = r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?"
TIME_PATTERN = r"([0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]+)"
MOMENT_PATTERN = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2}){0,2})?)?"
)
UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

_NUMBER = re.compile(NUMBER_PATTERN)
_TIME = re.compile(TIME_PATTERN)
_MOMENT = re.compile(MOMENT_PATTERN)
_UUID = re.compile(UUID_PATTERN)
_MIDNIGHT = " 00:00:00"


def canonical_text(text: str) -> str:
    """The text that stands for a value, the same for all notations of the value.

    Args:
        text: a cell, or a text of the configuration that is compared with cells.

    Returns:
        Numbers without needless zeros and, from 1e-20 to below 1e21, without an exponent; 1 and 0 for true and false;
        dates and times as `2024-01-01 12:30:00`, with a Z where the text names a zone; UUIDs in lower case. Any other
        text as it is.
    """
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return _number(number)
    if text in BOOLEANS:
        return BOOLEANS[text]
    moment = _MOMENT.fullmatch(text)
    if moment is not None:
        return _moment(moment) or text
    time = _TIME.fullmatch(text)
    if time is not None:
        return _time(time) or text
    return text.lower() if _UUID.fullmatch(text) is not None else text


def _number(match: re.Match[str]) -> str:
    """By the digits alone: a binary float could not hold them all."""
    sign, whole, fraction, written = match.groups()
    digits = whole + (fraction or "")
    exponent = int(written or 0) - len(fraction or "")
    shortened = digits.rstrip("0")
    exponent += len(digits) - len(shortened)
    digits = shortened.lstrip("0")
    if not digits:
        return "0"
    leading = exponent + len(digits) - 1
    if abs(leading) > MOST_PLAIN_EXPONENT:
        mantissa = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits
        return f"{sign}{mantissa}e{leading:+d}"
    if exponent >= 0:
        return sign + digits + "0" * exponent
    if leading < 0:
        return f"{sign}0.{'0' * (-leading - 1)}{digits}"
    return f"{sign}{digits[: leading + 1]}.{digits[leading + 1 :]}"


def _moment(match: re.Match[str]) -> str | None:
    """None where no calendar has such a date, or no day such a time."""
    date, minutes, seconds, fraction, zone = match.groups()
    written = f"{date} {minutes or '00:00'}:{seconds or '00'}"
    offset = "" if zone in (None, "Z") else zone.replace(":", "").ljust(5, "0")
    try:
        moment = datetime.fromisoformat(written + offset)
        text = (moment.astimezone(UTC).replace(tzinfo=None) if offset else moment).isoformat(" ")
    except (ValueError, OverflowError):
        return None
    if not offset and text != written:  # later versions of Python take 24:00 for the next day
        return None
    text += _fraction(fraction)
    return text.removesuffix(_MIDNIGHT) if zone is None else f"{text}Z"


def _time(match: re.Match[str]) -> str | None:
    """None where no day has such a time."""
    try:
        time_of_day.fromisoformat(match[1])
    except ValueError:
        return None
    return match[1] + _fraction(match[2])


def _fraction(digits: str | None) -> str:
    kept = (digits or "").rstrip("0")
    return f".{kept}" if kept else ""
