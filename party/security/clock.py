"""The only place that reads the clock: everything else takes the time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present time, with a time zone."""
    return datetime.now(UTC)
