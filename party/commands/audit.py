"""`party audit`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, quiet_native_log, run_command
from party.output.results import json_option


@click.command("audit")
@configuration_option
@click.option("--run", "run_id", default=None, help="The run to audit; default: the latest trained run.")
@click.option("--part", "part_file", type=click.Path(path_type=Path), default=None, help="File for the signed part.")
@click.option("--html", "page", type=click.Path(path_type=Path), default=None, help="File for the page.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the attackers' choices.")
@json_option
@debug_option
def audit_command(
    *,
    path: Path,
    run_id: str | None,
    part_file: Path | None,
    page: Path | None,
    seed: int,
    as_json: bool,
    debug: bool,
) -> None:
    """Attacks what this party sent in a recorded run, and prints what that gives away of its own secrets."""

    def run() -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from party.audit.report.written_report import print_report  # noqa: PLC0415
        from party.configuration.party import load_party_configuration  # noqa: PLC0415

        threads = load_party_configuration(path).threads
        with quiet_native_log():
            from party.engine.numerics import configure_tensorflow  # noqa: PLC0415
            from party.written_audit import write_audit  # noqa: PLC0415

            configure_tensorflow(threads)
        written = write_audit(path, run_id, part_file=part_file, page=page, seed=seed)
        if as_json:
            click.echo(written.to_json())
        else:
            print_report(written.report)

    run_command(run, debug)
