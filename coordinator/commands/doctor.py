"""`coordinator doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.command_line import configuration_option, debug_option, run_command
from party.diagnosis.command import doctor_command

if TYPE_CHECKING:
    from party.diagnosis.diagnosis import Diagnosis


def examine(path: Path) -> Diagnosis:
    """Examines the coordinator of a run's file, and its way to the parties."""
    from coordinator.doctor.examinations import examine_coordinator  # noqa: PLC0415
    from party.diagnosis.machine import Machine  # noqa: PLC0415

    return examine_coordinator(path, Machine())


coordinator_doctor_command = doctor_command(
    "Finds what is wrong, and says what to do. Examines this machine, the way to every party and what each says.",
    examine,
    run_command,
    configuration_option=configuration_option,
    debug_option=debug_option,
)
