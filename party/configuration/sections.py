"""Sections that the configuration of a party and of a run share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from party.configuration.strict import NAME_PATTERN, StrictModel

MAXIMUM_PORT = 65535


def _check_port(address: str) -> str:
    if int(address.rpartition(":")[2]) > MAXIMUM_PORT:
        raise ValueError(f"the port must be at most {MAXIMUM_PORT}")
    return address


Address = Annotated[str, Field(pattern=r"^\S+:\d{1,5}$"), AfterValidator(_check_port)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class KnownName(StrictModel):
    """A certificate name that this process trusts, and the one authority that may vouch for it.

    Attributes:
        name: the only DNS name of the certificate.
        ca: PEM file with that organisation's authority.
        spki_sha256: hexadecimal digest of the certificate's public key, to pin it.
    """

    name: Name
    ca: str
    spki_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class TlsSection(StrictModel):
    """Own certificate chain, leaf first, and its private key, as PEM files."""

    certificate: str
    key: str
