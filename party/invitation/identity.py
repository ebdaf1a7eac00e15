"""An organisation's authority and certificate: made once, and kept ever after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from party.security.certificates import Usage, own_identity
from party.security.issuing import OrganisationFiles, write_organisation


@dataclass(frozen=True)
class OwnCertificate:
    """The certificate of an organisation, and the authority that vouches for it.

    Attributes:
        folder: with their files.
        is_new: whether they were made just now.
        authority_key: file of the authority's key.
    """

    folder: Path
    is_new: bool
    authority_key: Path

    @property
    def words(self) -> str:
        """What was done, in a sentence."""
        if not self.is_new:
            return f"kept certificate and authority in {self.folder}"
        key = self.authority_key.name
        return f"made authority and certificate in {self.folder}; keep {key} off this machine if you can"


def made_or_kept(name: str, usage: Usage, folder: Path, *, now: datetime) -> OwnCertificate:
    """Makes authority and certificate of an organisation, unless they are there.

    Args:
        name: certificate name.
        usage: party or coordinator.
        folder: for the four files.
        now: the current time, with a time zone.

    Returns:
        The certificate.

    Raises:
        IdentityError: the name is unfit, or the files that are there cannot be used.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    files = OrganisationFiles(name, folder)
    if files.certificate.exists() and files.key.exists() and files.authority.exists():
        own_identity(name, files.certificate, files.key, usage=usage, now=now)
        return OwnCertificate(folder, is_new=False, authority_key=files.authority_key)
    write_organisation(name, usage, folder, now=now)
    return OwnCertificate(folder, is_new=True, authority_key=files.authority_key)
