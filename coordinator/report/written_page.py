"""`coordinator report`: the page of a run as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coordinator.report.page import run_page
from coordinator.report.stored_run import read_stored_run
from party.security.files import write_atomically

PAGE_FILE = "report.html"


@dataclass(frozen=True, kw_only=True)
class WrittenPage:
    """The page of a run.

    Attributes:
        run_id: in hexadecimal.
        page: the file.
        size_bytes: of the file.
    """

    run_id: str
    page: Path
    size_bytes: int

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields where the page is."""
        yield f"wrote {self.page}"


def write_page(path: Path, run_id: str, target: Path | None, *, now: datetime) -> WrittenPage:
    """Writes the page of a run.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.
        target: the file; None for one in the run's folder.
        now: the current time, with a time zone.

    Raises:
        ConfigurationError: no run, or more than one, has this run_id.
        StorageError: a file of the run is damaged, or the page cannot be written.
    """
    stored = read_stored_run(path, run_id)
    page, content = target or stored.folder / PAGE_FILE, run_page(stored, now).encode()
    write_atomically(page, content)
    return WrittenPage(run_id=stored.entry.run_id, page=page, size_bytes=len(content))
