"""Examines the addresses that the party listens on."""

from __future__ import annotations

from collections.abc import Iterator

from party.diagnosis.finding import Finding, Severity, fine, of_error, problem
from party.diagnosis.listening import OTHER_PORT, examine_address, examine_monitoring
from party.doctor.subject import PartySubject
from party.errors import SessionError, SplitError
from party.health import healthy_port
from party.runtime.serving_file import read_serving

LISTEN = "listen"
RESTART = "restart `party serve`"


def examine_ports(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether the party answers on its address, or could begin to listen there; also on those for monitoring.

    Args:
        subject: the party.

    Yields:
        One finding for each address.
    """
    configuration, serves = subject.configuration, _serves(subject)
    found = examine_address(LISTEN, configuration.listen)
    if found is None:
        yield _taken(subject, serves)
    elif serves and found.severity is Severity.OK:
        yield problem("a party serves with this state folder, and not here", found.where, fix=RESTART)
    else:
        yield found
    for key, port in (("health.listen", configuration.health), ("prometheus.listen", configuration.prometheus)):
        if port is not None:
            yield examine_monitoring(key, port.listen, serves)


def _taken(subject: PartySubject, serves: bool) -> Finding:
    where = f"{LISTEN} {subject.configuration.listen}"
    if subject.configuration.insecure:
        return fine("a party answers, without TLS", where) if serves else problem("is taken", where, fix=OTHER_PORT)
    try:
        return fine(healthy_port(subject.path, subject.machine.wait_seconds).words, where)
    except SplitError as error:
        if serves:
            return of_error(error, RESTART)
        return problem(f"is taken by another process, which {error.what}", where, fix=OTHER_PORT)


def _serves(subject: PartySubject) -> bool:
    try:
        read_serving(subject.state)
    except SessionError:
        return False
    return True
