"""`party accept`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from party.command_line import configuration_option, debug_option, run_command
from party.invitation.accept_command import make_accept_command

if TYPE_CHECKING:
    from party.invitation.acceptance import Acceptor


def _acceptor(path: Path) -> Acceptor:
    from party.invitation.at_party import party_acceptor  # noqa: PLC0415

    return party_acceptor(path)


accept_command = make_accept_command("party", (configuration_option, debug_option), run_command, _acceptor)
