"""The subcommand `doctor` of `party` and of `coordinator`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from party.output.results import json_option

if TYPE_CHECKING:
    from party.diagnosis.diagnosis import Diagnosis

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def doctor_command(
    summary: str,
    examine: Callable[[Path], Diagnosis],
    run_command: Callable[[Callable[[], None], bool], None],
    *,
    configuration_option: Decorator,
    debug_option: Decorator,
) -> click.Command:
    """Makes the subcommand of one side.

    Args:
        summary: its help.
        examine: examines the owner of a configuration file.
        run_command: turns errors into one line and an exit code.
        configuration_option: adds the parameter `path`.
        debug_option: adds the parameter `debug`.
    """

    @click.command("doctor", help=summary)
    @configuration_option
    @json_option
    @debug_option
    def doctor(path: Path, as_json: bool, debug: bool) -> None:
        run_command(lambda: examine(path).show(as_json=as_json), debug)

    return doctor
