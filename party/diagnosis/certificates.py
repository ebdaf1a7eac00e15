"""Examines the own certificate and key, and the authorities of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from party.configuration.sections import KnownName
from party.diagnosis.finding import Finding, fine, of_error, warning
from party.errors import SplitError
from party.output.quantities import day_text
from party.security.authority import check_in_force
from party.security.certificates import Usage, own_identity
from party.security.trust import load_authorities

SOON = timedelta(days=30)
REPLACE = "replace the file; docs/operations.md says what a certificate needs, and how to make one"


def own_certificate(name: str, certificate: Path, key: Path, *, usage: Usage, now: datetime) -> Iterator[Finding]:
    """Examines the certificate and the key of this process.

    Args:
        name: of the party or coordinator.
        certificate: PEM file with the chain, leaf first.
        key: PEM file with the leaf's private key.
        usage: the role of this process.
        now: the current time, with a time zone.

    Yields:
        One finding.
    """
    try:
        identity = own_identity(name, certificate, key, usage=usage, now=now)
    except SplitError as error:
        yield of_error(error, REPLACE)
        return
    ends = expiring(identity.chain[0], now)
    renew = f"run `{usage.name.lower()} certificate {name} --renew`, or have your authority issue another one"
    yield (
        fine(f"is valid until {day(identity.chain[0])}", certificate)
        if ends is None
        else warning(ends, certificate, fix=renew)
    )


def authorities(known: Sequence[KnownName], folder: Path, *, usage: Usage, now: datetime) -> Iterator[Finding]:
    """Examines the authorities that this process trusts, each for its name.

    Args:
        known: the names with their files.
        folder: the folder that the files are relative to.
        usage: the role of the names.
        now: the current time, with a time zone.

    Yields:
        One finding for each name.
    """
    for one in known:
        path = (folder / one.ca).resolve()
        try:
            found = load_authorities(path)
            check_in_force(found, usage, now, path)
        except SplitError as error:
            yield of_error(error, f"ask {one.name} for its authority, and replace the file")
            continue
        last = max(found, key=lambda certificate: certificate.not_valid_after_utc)
        ends = expiring(last, now)
        yield (
            fine(f"authority of {one.name}, valid until {day(last)}", path)
            if ends is None
            else warning(
                f"authority of {one.name}: {ends}",
                path,
                fix=f"ask {one.name} for its next authority, and add it to the file",
            )
        )


def expiring(certificate: x509.Certificate, now: datetime) -> str | None:
    """When a certificate ends, in words, if that is soon.

    Args:
        certificate: one that is valid now.
        now: the current time, with a time zone.
    """
    left = certificate.not_valid_after_utc - now
    return f"expires in {left.days} days, on {day(certificate)}" if left < SOON else None


def day(certificate: x509.Certificate) -> str:
    """The last day of a certificate."""
    return day_text(certificate.not_valid_after_utc)
