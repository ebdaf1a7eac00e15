"""`party report`: the organisation's own page as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from party.own_report.page import own_page
from party.security.files import write_atomically


@dataclass(frozen=True)
class WrittenOwnPage:
    """The organisation's own page about a run.

    Attributes:
        page: the file.
        size_bytes: of the file.
    """

    page: Path
    size_bytes: int

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields where the page is."""
        yield f"wrote {self.page}"


def write_page(path: Path, run_id: str | None, page: Path, *, curves: str | None, now: datetime) -> WrittenOwnPage:
    """Writes the page of a run.

    Args:
        path: the party's YAML file.
        run_id: in hexadecimal, possibly shortened; None for the run that changed last.
        page: the file.
        curves: a dataset whose predictions to draw curves of, at the label party; None for none.
        now: the current time, with a time zone.

    Raises:
        SessionError: no run, or more than one, has this run_id.
        SplitError: a file is not valid, damaged or was altered, or the page cannot be written.
    """
    content = own_page(path, run_id, now, curves).encode()
    write_atomically(page, content)
    return WrittenOwnPage(page, len(content))
