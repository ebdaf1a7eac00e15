"""Examines the encodings and the time zone of this process."""

from __future__ import annotations

import re
import zoneinfo
from codecs import lookup
from collections.abc import Iterator

from party.diagnosis.finding import Finding, fine, warning
from party.diagnosis.machine import Machine

UTF_8 = "utf-8"
OFFSET = re.compile(r"(<[\w+-]+>|[A-Za-z]{3,})[+-]?\d.*")  # a zone that states its own offset, as in POSIX
ZONE_VARIABLE = "TZ"


def examine_locale(machine: Machine) -> Iterator[Finding]:
    """Looks whether texts and times of this process are what they look like.

    Args:
        machine: readings of the machine.

    Yields:
        A finding on encodings, and one on the time zone.
    """
    other = sorted({name for name in machine.encodings if lookup(name).name != UTF_8})
    if other:
        yield warning(
            f"texts are written as {', '.join(other)}: names of files and columns may be unreadable",
            fix="set LC_ALL=C.UTF-8 in the environment of the process",
        )
    else:
        yield fine("texts are UTF-8")
    zone = machine.environment.get(ZONE_VARIABLE, "").removeprefix(":")
    if not zone or zone.startswith("/") or OFFSET.fullmatch(zone) or _is_known(zone):
        yield fine(f"time zone {zone or 'of the machine'}; times in files and messages are UTC")
    else:
        yield warning(
            f"the variable {ZONE_VARIABLE} names no time zone, and times of the log are UTC instead",
            fix=f"unset {ZONE_VARIABLE}, or set it to a name such as Europe/Berlin",
        )


def _is_known(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
