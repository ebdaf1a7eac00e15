"""An invitation as it arrived: read strictly, before anything depends on it."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from party.configuration.strict import validate
from party.configuration.yaml_file import parse_yaml, usable_path
from party.errors import ConfigurationError, IdentityError
from party.invitation.fingerprint import fingerprint
from party.invitation.invitation import Invitation
from party.security.authority import check_authority, check_in_force
from party.security.certificates import Usage
from party.security.chains import certificates_from_pem
from party.security.protocol import PROTOCOL

MAXIMUM_BYTES = 32 * 1024
_ONE_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\n?")
_SECRET = re.compile(rb"PRIVATE +KEY", re.IGNORECASE)


@dataclass(frozen=True)
class ReceivedInvitation:
    """An invitation that keeps the rules; whether it is really its sender's, only the fingerprint tells.

    Attributes:
        path: the file that was read.
        invitation: what it says.
        authority: the certificate in it.
        fingerprint: of the whole file.
    """

    path: Path
    invitation: Invitation
    authority: x509.Certificate
    fingerprint: str

    @property
    def pem(self) -> bytes:
        """The authority's certificate, to be written to a file."""
        return self.authority.public_bytes(Encoding.PEM)


def read_invitation(path: Path, now: datetime) -> ReceivedInvitation:
    """Reads an invitation and checks everything that can be checked without its sender.

    Args:
        path: the file.
        now: the current time, with a time zone.

    Returns:
        The invitation.

    Raises:
        ConfigurationError: the file cannot be read, is too long, is no invitation, or is of another version.
        IdentityError: it holds a private key, not exactly one certificate, or one that may not vouch for its role now.
    """
    content = _read(usable_path(path))
    if _SECRET.search(content):
        raise IdentityError(
            "holds a private key",
            where=path,
            expected="an invitation, which holds a certificate alone",
            fix="delete it, tell its sender, and ask for a new invitation made with a new authority",
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("is no invitation", where=path, expected="a text in UTF-8") from None
    invitation = validate(Invitation, parse_yaml(text, path), path)
    if invitation.protocol != PROTOCOL:
        raise ConfigurationError(
            "comes from another version",
            where=path,
            expected=f"protocol {PROTOCOL}",
            received=f"protocol {invitation.protocol}",
            fix="install one version of splitrain at all organisations",
        )
    if not _ONE_CERTIFICATE.fullmatch(invitation.authority):
        raise IdentityError("does not hold exactly one certificate and nothing else", where=path)
    (authority,) = certificates_from_pem(invitation.authority.encode(), path)
    usage = Usage.COORDINATOR if invitation.role == "coordinator" else Usage.PARTY
    check_authority(authority, path)
    check_in_force((authority,), usage, now, path)
    return ReceivedInvitation(path, invitation, authority, fingerprint(content))


def _read(path: Path) -> bytes:
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigurationError("is no file", where=path)
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read ({error.__class__.__name__})", where=path, fix="check the path of the invitation"
        ) from error
    if len(content) > MAXIMUM_BYTES:
        raise ConfigurationError("is too long", where=path, expected=f"an invitation of at most {MAXIMUM_BYTES} bytes")
    return content
