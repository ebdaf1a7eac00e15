"""The own invitation: the authority for it, the file, and its fingerprint for the owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from party.configuration.sections import TlsSection
from party.errors import ConfigurationError, IdentityError
from party.invitation.fingerprint import fingerprint
from party.invitation.invitation import SUFFIX, Invitation
from party.security.certificates import Usage, load_chain, own_identity, verify_leaf
from party.security.files import write_atomically
from party.security.trust import load_authorities

COMPARE = "Read the fingerprint to whoever gets the file, over the telephone or face to face; never send both one way."


@dataclass(frozen=True)
class WrittenInvitation:
    """The file to hand over.

    Attributes:
        invitation: the file.
        fingerprint: of the whole file, for the telephone.
    """

    invitation: Path
    fingerprint: str

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields lines for the owner."""
        yield f"wrote {self.invitation}: hand it to each partner"
        yield f"fingerprint  {self.fingerprint}"
        yield COMPARE


def authority_pem(name: str, tls: TlsSection, folder: Path, *, usage: Usage, now: datetime) -> str:
    """The authority that vouches for an organisation's own certificate, to be handed over.

    Args:
        name: certificate name.
        tls: where certificate and key are.
        folder: that these paths are relative to.
        usage: party or coordinator.
        now: the current time, with a time zone.

    Returns:
        One certificate as PEM.

    Raises:
        IdentityError: a file cannot be used, or the authority beside the certificate did not issue it.
    """
    certificate = folder / tls.certificate
    own_identity(name, certificate, folder / tls.key, usage=usage, now=now)
    path = certificate.parent / f"{name}-ca.pem"
    leaf, *intermediates = load_chain(certificate)
    refusals = []
    for one in load_authorities(path):
        try:
            verify_leaf(leaf, intermediates, name=name, ca=(one,), usage=usage, spki_sha256=None, now=now)
        except IdentityError as error:
            refusals.append(error)
        else:
            return one.public_bytes(Encoding.PEM).decode()
    raise refusals[-1]


def write_invitation(invitation: Invitation, target: Path, *, force: bool) -> WrittenInvitation:
    """Writes the file to hand over.

    Args:
        invitation: what it says.
        target: the file.
        force: whether it may replace another one.

    Returns:
        The file, with its fingerprint.

    Raises:
        ConfigurationError: the file exists.
        StorageError: it cannot be written.
    """
    content = invitation.to_bytes()
    refuse_existing([target], force=force)
    write_atomically(target, content)
    return WrittenInvitation(target, fingerprint(content))


def refuse_existing(targets: Sequence[Path], *, force: bool) -> None:
    """Refuses to overwrite files.

    Args:
        targets: files to be written.
        force: whether they may be replaced.

    Raises:
        ConfigurationError: one of them exists.
    """
    present = [target for target in targets if target.exists()]
    if present and not force:
        first, *others = [target.name for target in present]
        what = f"{first} and {others[0]} exist already" if others else f"{first} exists already"
        fix = f"add --force to replace {'them' if others else 'it'}"
        raise ConfigurationError(what, where=present[0].parent, fix=fix)


def invitation_path(name: str, folder: Path) -> Path:
    """Where an organisation's invitation is written by default.

    Args:
        name: certificate name.
        folder: of its configuration.
    """
    return folder / f"{name}{SUFFIX}"
