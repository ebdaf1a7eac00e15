"""`coordinator accept`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.command_line import configuration_option, debug_option, run_command
from party.invitation.accept_command import make_accept_command

if TYPE_CHECKING:
    from party.invitation.acceptance import Acceptor


def _acceptor(path: Path) -> Acceptor:
    from coordinator.accepting import run_acceptor  # noqa: PLC0415

    return run_acceptor()


accept_command = make_accept_command("coordinator", (configuration_option, debug_option), run_command, _acceptor)
