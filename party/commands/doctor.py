"""`party doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from party.command_line import configuration_option, debug_option, run_command
from party.diagnosis.command import doctor_command

if TYPE_CHECKING:
    from party.diagnosis.diagnosis import Diagnosis


def examine(path: Path) -> Diagnosis:
    """Examines the party of a configuration file on this machine."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from party.diagnosis.machine import Machine  # noqa: PLC0415
    from party.doctor.examinations import examine_party  # noqa: PLC0415

    return examine_party(path, Machine())


party_doctor_command = doctor_command(
    "Examines this party and its machine, and says what to do; changes nothing.",
    examine,
    run_command,
    configuration_option=configuration_option,
    debug_option=debug_option,
)
