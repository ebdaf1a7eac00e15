"""`party doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command


@click.command("doctor")
@configuration_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
def doctor_command(path: Path, as_json: bool, debug: bool) -> None:
    """Examines this party and its machine, and says what to do; changes nothing."""

    def run() -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from party.diagnosis.machine import Machine  # noqa: PLC0415
        from party.doctor.examinations import examine_party  # noqa: PLC0415

        examine_party(path, Machine()).show(click.echo, as_json=as_json)

    run_command(run, debug)
