"""The invitation of a party, from its configuration."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from party.configuration.drafts import load_draft
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import ConfigurationError
from party.invitation.invitation import VERSION, Invitation
from party.invitation.sending import WrittenInvitation, authority_pem, invitation_path, write_invitation
from party.security.certificates import Usage
from party.security.protocol import PROTOCOL

ANY_HOST = ("0.0.0.0", "[::]")  # noqa: S104 - recognised, never bound


def party_invitation(configuration: PartyConfiguration, address: str, now: datetime) -> Invitation:
    """Makes the invitation of a party.

    Args:
        configuration: the party's, whose partners may be unknown yet.
        address: host and port at which the coordinator reaches the party.
        now: the current time, with a time zone.

    Raises:
        ConfigurationError: the address is none that others can reach.
        IdentityError: certificate, key or authority cannot be used.
    """
    data, name = configuration.data, configuration.party
    tables = [
        {"name": table, "key_columns": len(data.id_columns), "transforms": data.transforms} for table in data.tables
    ]
    content = {
        "invitation": VERSION,
        "name": name,
        "role": "label_party" if configuration.holds_labels else "feature_party",
        "protocol": PROTOCOL,
        "address": address,
        "datasets": tuple(data.datasets),
        "tables": tuple(tables),
        "authority": authority_pem(name, configuration.tls, configuration.folder, usage=Usage.PARTY, now=now),
    }
    return validate(Invitation, content, f"the invitation of {name}")


def invite_for_party(
    path: Path, address: str | None, *, target: Path | None, force: bool, now: datetime
) -> WrittenInvitation:
    """Writes the invitation of a party.

    Args:
        path: the party's file.
        address: host and port; None takes those of `listen`.
        target: the file to write; None names it after the party.
        force: whether it may replace another one.
        now: the current time, with a time zone.

    Returns:
        The file, with its fingerprint.

    Raises:
        ConfigurationError: the configuration cannot be used, or nobody can reach what `listen` names.
        IdentityError: certificate, key or authority cannot be used.
        StorageError: the file cannot be written.
    """
    configuration = load_draft(path)
    if address is None and configuration.listen.rpartition(":")[0] in ANY_HOST:
        raise ConfigurationError(
            "listen names no host that others can reach", where=path, fix="add --address HOST:PORT, as partners see it"
        )
    invitation = party_invitation(configuration, address or configuration.listen, now)
    return write_invitation(invitation, target or invitation_path(invitation.name, path.parent), force=force)
