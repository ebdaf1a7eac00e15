"""Examines the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from party.diagnosis.finding import Finding, fine
from party.doctor.subject import PartySubject


def examine_ledger(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether the ledger can be read and its chain is whole.

    Args:
        subject: the party.

    Yields:
        One finding.

    Raises:
        StorageError: a line was altered, moved, added or removed, or the file cannot be read.
    """
    lines = len(subject.ledger)
    yield fine(f"{lines:,} line{'' if lines == 1 else 's'}, whole" if lines else "begins at the first start")
