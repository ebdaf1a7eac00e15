"""Writes a report where the commands want it: on the terminal and as a page."""

from __future__ import annotations

from pathlib import Path

from party.audit.report.audit_report import AuditReport
from party.audit.report.html_page import html_page
from party.audit.report.text_page import report_lines
from party.output.terminal import print_lines, terminal_columns
from party.security.files import write_atomically


def print_report(report: AuditReport) -> None:
    """Prints a report.

    Args:
        report: the report.
    """
    print_lines(report_lines(report, terminal_columns()))


def write_page(report: AuditReport, page: Path) -> None:
    """Writes the page of a report.

    Args:
        report: the report.
        page: HTML file to write.

    Raises:
        StorageError: the page cannot be written.
    """
    write_atomically(page, html_page(report).encode())
