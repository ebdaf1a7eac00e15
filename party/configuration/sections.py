"""Sections that the configuration of a party and of a run share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from party.configuration.paths import FilePath
from party.configuration.patterns import DIGEST_PATTERN, NAME_PATTERN
from party.configuration.strict import StrictModel

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class KnownName(StrictModel):
    """A certificate name that this process trusts, and the one authority that may vouch for it.

    Attributes:
        name: the only DNS name of the certificate.
        ca: PEM file with that organisation's authority.
        spki_sha256: hexadecimal digest of the certificate's public key, to pin it.
    """

    name: Name
    ca: FilePath
    spki_sha256: str | None = Field(default=None, pattern=DIGEST_PATTERN)


class TlsSection(StrictModel):
    """Own certificate chain and private key, as PEM files.

    Attributes:
        certificate: the chain, leaf first.
        key: the leaf's private key, which its owner alone may read.
    """

    certificate: FilePath
    key: FilePath
