"""Trusted names: each with the one authority that may vouch for it, and for nobody else."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from party.configuration.sections import KnownName
from party.errors import IdentityError
from party.ownership import loose_mode
from party.security.authority import check_authority
from party.security.certificates import Authorities, Usage, load_chain, verify_leaf


@dataclass(frozen=True)
class TrustedName:
    """A name that this process trusts.

    Attributes:
        name: the only DNS name of its certificates.
        authorities: that organisation's authority; two while it replaces one by the next.
        spki_sha256: hexadecimal digest of its public key, where pinned.
    """

    name: str
    authorities: Authorities
    spki_sha256: str | None = None

    def verify(
        self, leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], usage: Usage, now: datetime
    ) -> datetime:
        """Verifies that a certificate belongs to this name.

        Args:
            leaf: the certificate.
            intermediates: further certificates that its owner sent.
            usage: party or coordinator.
            now: the current time, with a time zone.

        Returns:
            When the first certificate of the verified chain expires.

        Raises:
            IdentityError: it does not; see `verify_leaf`.
        """
        return verify_leaf(
            leaf,
            intermediates,
            name=self.name,
            ca=self.authorities,
            usage=usage,
            spki_sha256=self.spki_sha256,
            now=now,
        )


def load_trusted(known: Sequence[KnownName], folder: Path) -> dict[str, TrustedName]:
    """Loads a configuration's list of peers or of coordinators.

    Args:
        known: the list.
        folder: the folder that the list's paths are relative to.

    Returns:
        The trusted names by name.

    Raises:
        IdentityError: an authority's file cannot be used.
    """
    return {one.name: TrustedName(one.name, load_authorities(folder / one.ca), one.spki_sha256) for one in known}


def load_authorities(path: Path) -> Authorities:
    """Reads the authority that vouches for one name.

    Args:
        path: PEM file as the other organisation handed it over.

    Returns:
        The authority's certificates; several while it is being replaced.

    Raises:
        IdentityError: the file cannot be read, every user may change it, or one in it is no authority's.
    """
    authorities = load_chain(path)
    received = loose_mode(path.stat(), stat.S_IWOTH)
    if received is not None:
        # Whoever can write an authority decides who is trusted.
        raise IdentityError("can be changed by every user", where=path, received=received, fix=f"run chmod o-w {path}")
    for certificate in authorities:
        check_authority(certificate, path)
    return authorities
