"""Examines the clock of this machine by what was written here before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from party.diagnosis.finding import Finding, fine, problem
from party.doctor.subject import PartySubject
from party.errors import StorageError
from party.ledger.entry import LedgerEntry
from party.output.quantities import minute_text

TOLERANCE = timedelta(seconds=30)


def examine_clock(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether the latest line of the ledger lies ahead; only a coordinator can compare the clocks of parties.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    now = subject.machine.now
    times = [datetime.fromisoformat(entry.time) for entry in _entries(subject)]
    latest = max(times, default=now)
    if latest > now + TOLERANCE:
        yield problem(
            f"the clock is behind: it says {minute_text(now)}, and a line of the ledger is of {minute_text(latest)}",
            fix="set the clock of this machine, and let NTP correct it",
        )
    else:
        yield fine(f"{minute_text(now)}; `coordinator doctor` compares the clocks of all parties")


def _entries(subject: PartySubject) -> Sequence[LedgerEntry]:
    """The lines of the ledger; none where it cannot be read, which is another examination's finding."""
    try:
        return subject.ledger
    except StorageError:
        return ()
