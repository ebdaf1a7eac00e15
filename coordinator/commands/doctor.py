"""`coordinator doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from coordinator.command_line import configuration_option, debug_option, run_command


@click.command("doctor")
@configuration_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
def doctor_command(path: Path, as_json: bool, debug: bool) -> None:
    """Examines this machine, the way to every party and what each says of itself, and says what to do."""

    def run() -> None:
        from coordinator.doctor.examinations import examine_coordinator  # noqa: PLC0415
        from party.diagnosis.machine import Machine  # noqa: PLC0415

        examine_coordinator(path, Machine()).show(click.echo, as_json=as_json)

    run_command(run, debug)
