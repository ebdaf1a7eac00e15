"""What the canonical text of a value is, computed by the decimal and datetime modules alone."""

import datetime
import decimal
import re

PLAIN = 20
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")
EVERY_DIGIT = decimal.Context(prec=5000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def number_text(number):
    """Of a Decimal, an integer, or a text that Decimal reads."""
    value = decimal.Decimal(number)
    if value.is_nan():
        return ""
    if value.is_infinite():
        return "inf" if value > 0 else "-inf"
    if not value:
        return "0"
    value = value.normalize(EVERY_DIGIT)
    return f"{value:f}" if abs(value.adjusted()) <= PLAIN else f"{value:e}"


def moment_text(moment):
    """Of a datetime, a date or a time."""
    if isinstance(moment, datetime.datetime):
        zone = "" if moment.tzinfo is None else "Z"
        naive = moment if not zone else moment.astimezone(datetime.UTC).replace(tzinfo=None)
        if not zone and naive.time() == datetime.time():
            return f"{naive.date():%Y-%m-%d}".zfill(10)
        return f"{naive.date().isoformat()} {clock_text(naive.time())}{zone}"
    return moment.isoformat() if isinstance(moment, datetime.date) else clock_text(moment)


def clock_text(time):
    whole = f"{time.hour:02}:{time.minute:02}:{time.second:02}"
    return whole + (f".{time.microsecond:06}".rstrip("0") if time.microsecond else "")


def seconds_text(duration):
    microseconds = (duration.days * 86400 + duration.seconds) * 10**6 + duration.microseconds
    return number_text(decimal.Decimal(microseconds).scaleb(-6))
