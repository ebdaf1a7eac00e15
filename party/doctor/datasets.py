"""Examines the party's files: whether each can be used, and what a model cannot learn from in it."""

from __future__ import annotations

from collections.abc import Iterator

from party.check import checked_quality
from party.diagnosis.finding import Finding, fine, of_error, warning
from party.doctor.subject import PartySubject

SEE_FILE = "correct the file or the key of the configuration; `party check` shows more of both"
SEE_QUALITY = "do what it says, or leave it if it is meant so; `party check` has the figures of all features"
PREFIX = "warning: "


def examine_data(subject: PartySubject) -> Iterator[Finding]:
    """Reads every file.

    Args:
        subject: the party.

    Yields:
        The problems of files that cannot be used; of the others the number of rows, and warnings.
    """
    quality = checked_quality(subject.configuration, subject.tables, subject.usable)
    for name, problems in subject.problems.items():
        yield from (of_error(error, SEE_FILE) for error in problems)
        if problems:
            continue
        table = subject.tables.table(name)
        yield fine(f"{table.rows:,} rows", name)
        for line in quality.tell(table)[1]:
            yield warning(line.removeprefix(f"{PREFIX}{name}: "), name, fix=SEE_QUALITY)
