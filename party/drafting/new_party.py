"""Everything that a new party needs: certificate, configuration and the invitation for its partners."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from party.configuration.addresses import checked_address
from party.configuration.described_schema import PARTY_TITLE, schema_text
from party.configuration.party import PartyConfiguration
from party.configuration.schema_file import schema_path, with_schema_line
from party.drafting.draft import DataRequest, Questions, draft_party
from party.drafting.party_text import PartyPlace
from party.errors import ConfigurationError
from party.invitation.identity import OwnCertificate, made_or_kept
from party.invitation.of_party import party_invitation
from party.invitation.sending import WrittenInvitation, invitation_path, refuse_existing, write_invitation
from party.security.certificates import Usage
from party.security.files import write_atomically
from party.security.issuing import check_certificate_name

LOCALHOST = "localhost"


@dataclass(frozen=True, kw_only=True)
class NewParty:
    """What the owner of a new party said.

    Attributes:
        name: certificate name.
        address: host and port at which the coordinator reaches the party.
        model: kind of the base model; None leaves the default.
        writes_schema: whether the JSON Schema is written beside the configuration.
        data: of its data.
    """

    name: str
    address: str
    model: str | None
    writes_schema: bool
    data: DataRequest


@dataclass(frozen=True, kw_only=True)
class CreatedParty:
    """What was written for a new party.

    Attributes:
        party: name of the party.
        configuration: its file.
        certificate: its own.
        invitation: for its partners.
        found: what its data is like, in sentences.
    """

    party: str
    configuration: Path
    certificate: OwnCertificate
    invitation: WrittenInvitation
    found: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields what was done, in sentences."""
        yield from self.found
        yield self.certificate.words
        yield f"wrote {self.configuration}: look at its comments"
        yield from self.invitation.lines(columns)
        accept, serve = (f"party {command} --config {self.configuration}" for command in ("accept", "serve"))
        yield f"then: {accept} INVITATION..., and {serve}"


def create_party(new: NewParty, target: Path, questions: Questions, *, force: bool, now: datetime) -> CreatedParty:
    """Writes certificate, configuration and invitation of a party.

    Args:
        new: what its owner said.
        target: path of the configuration; the other files are written beside it.
        questions: asks for what was not said.
        force: whether configuration and invitation may be replaced; certificates never are.
        now: the current time, with a time zone.

    Returns:
        What was written.

    Raises:
        ConfigurationError: a file exists, or an option cannot be used.
        DataError: a data file cannot be read, or there is nothing to learn from.
        IdentityError: the name is unfit, or certificates that are there cannot be used.
        StorageError: a file cannot be written.
    """
    check_certificate_name(new.name)
    invitation = invitation_path(new.name, target.parent)
    refuse_existing([target, invitation], force=force)
    folder = Path("certs") / new.name
    tls = {"certificate": f"{folder}/{new.name}.pem", "key": f"{folder}/{new.name}-key.pem"}
    place = PartyPlace(name=new.name, listen=_listen(new.address), address=new.address, tls=tls, model=new.model)
    draft = draft_party(place, new.data, target, questions)
    certificate = made_or_kept(new.name, Usage.PARTY, target.parent / folder, now=now)
    text = draft.text
    if new.writes_schema:
        write_atomically(schema_path(target), schema_text(PartyConfiguration, PARTY_TITLE).encode())
        text = with_schema_line(text, target)
    write_atomically(target, text.encode())
    written = write_invitation(party_invitation(draft.configuration, new.address, now), invitation, force=force)
    return CreatedParty(
        party=new.name, configuration=target, certificate=certificate, invitation=written, found=draft.lines
    )


def _listen(address: str) -> str:
    """What to open for an address as partners see it: this machine alone where they are on it too."""
    try:
        checked_address(address)
    except ValueError as error:
        raise ConfigurationError(str(error), where="--address") from None
    host, _, port = address.rpartition(":")
    return address if _is_loopback(host) else f"0.0.0.0:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return host == LOCALHOST or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
