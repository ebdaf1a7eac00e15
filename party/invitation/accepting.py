"""Invitations of others: shown, confirmed, and taken into the configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from party.errors import ConfigurationError
from party.invitation.acceptance import Acceptance, Acceptor
from party.invitation.accepted import AcceptedPartners
from party.invitation.confirming import Ask, confirm, invitation_lines, terminal_question
from party.invitation.received import ReceivedInvitation, read_invitation
from party.output.terminal import show
from party.security.clock import utc_now

Say = Callable[[str], None]


def received_invitations(files: Sequence[Path], now: datetime, say: Say) -> list[ReceivedInvitation]:
    """Reads several invitations and shows each.

    Args:
        files: the files.
        now: the current time, with a time zone.
        say: shows a line.

    Returns:
        The invitations, which nobody has confirmed yet.

    Raises:
        ConfigurationError: a file is no invitation, or two come from one organisation.
        IdentityError: the certificate of one cannot be used.
    """
    received = [read_invitation(path, now) for path in files]
    names = [one.invitation.name for one in received]
    if len(set(names)) < len(names):
        raise ConfigurationError("two invitations come from one organisation", expected="one of each")
    for one in received:
        for line in invitation_lines(one):
            say(line)
    return received


def accept(
    path: Path,
    acceptor: Acceptor,
    received: Sequence[ReceivedInvitation],
    *,
    fingerprints: Sequence[str],
    replace: bool,
    ask: Ask | None,
    text: str | None = None,
) -> AcceptedPartners:
    """Takes invitations into a configuration once their fingerprints are confirmed: all of them, or none.

    Args:
        path: the configuration file.
        acceptor: how it names partners.
        received: the invitations, which were shown.
        fingerprints: as their senders told them.
        replace: whether another authority may take the place of a known one.
        ask: how to ask for confirmation; None where nobody can be asked.
        text: of the configuration, where the file is yet to be written.

    Returns:
        What was done.

    Raises:
        ConfigurationError: an invitation does not fit the configuration.
        IdentityError: a fingerprint is not confirmed, or a name is known with another authority.
        StorageError: a file cannot be written.
    """
    acceptance = Acceptance(path, acceptor, replace=replace, text=text)
    # First what needs no person: nobody should telephone for an invitation that cannot be accepted.
    # The label party first: what others are follows from it.
    for one in sorted(received, key=lambda one: one.invitation.role != "label_party"):
        acceptance.add(one)
    confirm(received, fingerprints, ask)
    acceptance.write()
    return AcceptedPartners(path, tuple(acceptance.partners))


def accept_files(
    path: Path,
    acceptor: Acceptor,
    *,
    files: Sequence[Path],
    fingerprints: Sequence[str],
    replace: bool,
    to_errors: bool,
) -> AcceptedPartners:
    """Does what the commands `accept` do: shows invitations, has them confirmed and takes them into a configuration.

    Args:
        path: the configuration file.
        acceptor: how it names partners.
        files: the invitations.
        fingerprints: as their senders told them; none where somebody at the terminal is asked.
        replace: whether another authority may take the place of a known one.
        to_errors: whether invitations are shown, and confirmed, on standard error.

    Returns:
        What was done.

    Raises:
        ConfigurationError: a file is no invitation, or does not fit the configuration.
        IdentityError: an authority cannot be used, a fingerprint is not confirmed, or a name is known with another one.
        StorageError: a file cannot be written.
    """
    received = received_invitations(files, utc_now(), partial(show, to_errors=to_errors))
    ask = terminal_question(to_errors=to_errors)
    return accept(path, acceptor, received, fingerprints=fingerprints, replace=replace, ask=ask)
