"""An organisation's authority and certificate: made once, and kept ever after."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from party.security.certificates import Usage, own_identity
from party.security.issuing import OrganisationFiles, write_organisation


def made_or_kept(name: str, usage: Usage, folder: Path, *, now: datetime) -> str:
    """Makes authority and certificate of an organisation, unless they are there.

    Args:
        name: certificate name.
        usage: party or coordinator.
        folder: for the four files.
        now: the current time, with a time zone.

    Returns:
        A line for the owner.

    Raises:
        IdentityError: the name is unfit, or the files that are there cannot be used.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    files = OrganisationFiles(name, folder)
    if files.certificate.exists() and files.key.exists() and files.authority.exists():
        own_identity(name, files.certificate, files.key, usage=usage, now=now)
        return f"kept certificate and authority in {folder}"
    write_organisation(name, usage, folder, now=now)
    return f"made authority and certificate in {folder}; keep {files.authority_key.name} off this machine if you can"
