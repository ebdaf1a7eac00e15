"""`coordinator audit`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import debug_option, run_command


@click.command("audit")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--html", "page", type=click.Path(path_type=Path), default=None, help="File for the page.")
@click.option("--json", "target", type=click.Path(path_type=Path), default=None, help="File for all parts together.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=None,
    help="The run's YAML file: its authorities must vouch for the parties that signed.",
)
@debug_option
def audit_command(
    *, files: tuple[Path, ...], page: Path | None, target: Path | None, path: Path | None, debug: bool
) -> None:
    """Puts the parts together that `party audit --part` wrote at each party, of one run or several."""

    def run() -> None:
        from coordinator.audit import audit_report, read_all  # noqa: PLC0415
        from party.audit.report.signed_part import report_to_bytes  # noqa: PLC0415
        from party.audit.report.written_report import print_report, write_page  # noqa: PLC0415
        from party.security.files import write_atomically  # noqa: PLC0415

        parts = read_all(files)
        report = audit_report(parts, path)
        print_report(report)
        if page is not None:
            write_page(report, page)
        if target is not None:
            write_atomically(target, report_to_bytes(parts))

    run_command(run, debug)
