"""Examines the party's certificate and the authorities that it trusts."""

from __future__ import annotations

from collections.abc import Iterator

from party.diagnosis.certificates import authorities, own_certificate
from party.diagnosis.finding import Finding, fine
from party.doctor.subject import PartySubject
from party.security.certificates import Usage


def examine_certificate(subject: PartySubject) -> Iterator[Finding]:
    """Looks at the party's own certificate and key.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    configuration = subject.configuration
    if configuration.insecure:
        yield fine("is not used: insecure: true")
        return
    certificate, key = configuration.path(configuration.tls.certificate), configuration.path(configuration.tls.key)
    yield from own_certificate(configuration.party, certificate, key, usage=Usage.PARTY, now=subject.machine.now)


def examine_trust(subject: PartySubject) -> Iterator[Finding]:
    """Looks at the authorities of peers and coordinators.

    Args:
        subject: the party.

    Yields:
        One finding for each name.
    """
    configuration, now = subject.configuration, subject.machine.now
    for known, usage in ((configuration.peers, Usage.PARTY), (configuration.coordinators, Usage.COORDINATOR)):
        yield from authorities(known, configuration.folder, usage=usage, now=now)
