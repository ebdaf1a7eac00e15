"""Writes a report where the commands want it: on the terminal and as a page."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from party.audit.report.audit_report import AuditReport
from party.audit.report.html_page import html_page
from party.audit.report.text_page import print_report
from party.security.files import write_atomically

WIDTH = 160  # a table is not cut to the terminal


def show_report(report: AuditReport, page: Path | None) -> None:
    """Prints a report, and writes its page.

    Args:
        report: the report.
        page: HTML file to write; None for none.

    Raises:
        StorageError: the page cannot be written.
    """
    console = Console(highlight=False)
    if not console.is_terminal or console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    print_report(report, console)
    if page is not None:
        write_atomically(page, html_page(report).encode())
