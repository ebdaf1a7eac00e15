"""Two people compare the fingerprint of an invitation before anything trusts what is in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

import click

from party.errors import IdentityError
from party.invitation.fingerprint import normalised
from party.invitation.received import ReceivedInvitation
from party.output.quantities import day_text
from party.security.printable import printable

Ask = Callable[[str], bool]


def confirm(received: Sequence[ReceivedInvitation], fingerprints: Sequence[str], ask: Ask | None) -> None:
    """Lets nothing pass whose fingerprint nobody has confirmed.

    Args:
        received: the invitations, which were shown.
        fingerprints: as their senders told them; each invitation must have one of them. None given: somebody is asked.
        ask: puts a question that is answered by yes or no; None where nobody can be asked.

    Raises:
        ConfigurationError: a text is no fingerprint.
        IdentityError: an invitation has another fingerprint, or nobody has confirmed it.
    """
    told = {normalised(text) for text in fingerprints}
    for one in received:
        name = one.invitation.name
        if told and one.fingerprint not in told:
            raise IdentityError(
                "has another fingerprint than those that were told",
                where=one.path,
                received=one.fingerprint,
                fix=f"do not accept it: ask {name} for the fingerprint and, if it differs, for the file once more",
            )
        if told:
            continue
        if ask is None:
            fix = f"ask {name} for its fingerprint over another channel, and add --fingerprint"
            raise IdentityError("nobody has confirmed its fingerprint", where=one.path, fix=fix)
        if not ask(f"Does {name} read this very fingerprint to you: {one.fingerprint}?"):
            raise IdentityError("was not confirmed", where=one.path, fix=f"ask {name} for its invitation once more")


def terminal_question(*, to_errors: bool = False) -> Ask | None:
    """How to ask whoever sits at the terminal; None without one.

    Args:
        to_errors: whether to ask on standard error, where standard output is for a program.
    """
    return partial(click.confirm, err=to_errors) if sys.stdin.isatty() else None


def invitation_lines(one: ReceivedInvitation) -> list[str]:
    """What an invitation says, for whoever is to confirm it.

    Args:
        one: the invitation.
    """
    said = one.invitation
    offered = [("datasets", said.datasets), ("tables", tuple(table.name for table in said.tables))]
    parts = [f"{said.role_words} {said.name}" + (f" at {said.address}" if said.address else "")]
    parts += [f"{what} {', '.join(names)}" for what, names in offered if names]
    parts.append(f"authority until {day_text(one.authority.not_valid_after_utc)}")
    # The sender may have chosen the file's name too: on a terminal it must not look like a line of this program.
    return [f"{printable(one.path.name)}: {'; '.join(parts)}", f"fingerprint  {one.fingerprint}"]
