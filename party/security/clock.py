"""The time, in one place: everything else has it passed in."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)
