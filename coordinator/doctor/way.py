"""Examines the way to every party: proxies, names, ports, TLS in both directions."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator

from coordinator.doctor.reached import Reached
from coordinator.doctor.subject import CoordinatorSubject
from coordinator.proxies import named_proxies, proxy_advice
from party.configuration.addresses import is_loopback
from party.diagnosis.certificates import day, expiring
from party.diagnosis.finding import Finding, fine, of_error, problem, warning
from party.errors import IdentityError
from party.security.certificates import Usage
from party.security.leaf import check_leaf

ADDRESS = "check the address in parties, and any firewall between"
FIREWALL = "open the port for this machine in the firewalls between, which drop what is sent there; check the address"
LISTENS = "start `party serve` there, and check the address and its port"
OWN_FAULT = "correct this coordinator's own file first: see the findings on certificate and trust"
ANY_ADDRESS = ("0.0.0.0", "[::]")  # noqa: S104 - that nobody can be reached at
NAME_MACHINE = "write the name or the address of the party's machine"
ROUTE = "check the address and the network of this machine"
WORDS = {
    errno.ECONNREFUSED: ("the connection is refused: nothing listens there", LISTENS),
    errno.ENETUNREACH: ("there is no route to it", ROUTE),
    errno.EHOSTUNREACH: ("there is no route to it", ROUTE),
}


def examine_proxies(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks at the proxies that the environment names; their values are not shown.

    Args:
        subject: the coordinator.

    Yields:
        A warning for each party whose way a proxy may bar; or one finding that there is none.
    """
    environment = subject.machine.environment
    named = named_proxies(environment)
    found = False
    for party in subject.configuration.parties:
        advice = proxy_advice(party.address, subject.configuration.use_proxy, environment)
        reached = subject.reached[party.name]
        if advice and reached.described is None:
            found = True
            yield warning(f"{named[0]} is set, and the party does not answer", reached.where, fix=advice)
    if not found:
        local = all(is_loopback(party.address.rpartition(":")[0]) for party in subject.configuration.parties)
        yield fine(
            f"{', '.join(named)} set{', and bars no way' if not local else ''}" if named else "no variable names any"
        )


def examine_names(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the hosts of all parties resolve.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party.
    """
    addresses = Counter(party.address for party in subject.configuration.parties)
    for one in subject.reached.values():
        host = one.party.address.rpartition(":")[0]
        if addresses[one.party.address] > 1:
            yield problem("several parties have this address", one.where, fix="correct the addresses in parties")
        elif host in ANY_ADDRESS:
            yield problem(f"{host} is an address to listen on, of no machine", one.where, fix=NAME_MACHINE)
        elif not one.resolved:
            fix = "correct the address, or ask who runs the names of your network"
            yield problem(f"the name {host} does not resolve", one.where, fix=fix)
        elif one.proxy:
            yield fine("is left to the proxy", one.where)
        else:
            yield fine(f"{host} resolves", one.where)


def examine_ports(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the port of every party takes connections.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party whose host resolves and that is reached without a proxy.
    """
    for one in subject.reached.values():
        if not one.resolved or one.proxy:
            continue
        if one.connection is None:
            yield fine("takes connections", one.where)
        elif isinstance(one.connection, TimeoutError):
            yield problem(f"nothing answers within {subject.machine.wait_seconds:g} s", one.where, fix=FIREWALL)
        else:
            code = one.connection.errno or 0
            unknown = f"takes no connection ({type(one.connection).__name__})", ADDRESS
            what, fix = WORDS.get(code, unknown)
            yield problem(what, one.where, fix=fix)


def examine_tls(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks at the certificates that parties serve, and whether each accepts the coordinator's.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party whose port takes connections.
    """
    for one in subject.reached.values():
        if one.resolved and one.connection is None:
            yield _tls_finding(subject, one)


def _tls_finding(subject: CoordinatorSubject, one: Reached) -> Finding:
    now, name = subject.machine.now, one.party.name
    if one.certificate is not None:
        try:
            check_leaf(one.certificate, name, Usage.PARTY, now=now, where=f"{one.where}: its certificate")
        except IdentityError as error:
            fix = f"{name} must have another one issued, see `party certificate`"
            others = [party.name for party in subject.configuration.parties if f"'{party.name}'" in error.received]
            if others:
                fix = f"correct the address in parties: {others[0]} answers there; if it is right, {fix}"
            return of_error(error, fix)
    if one.refusal is not None and one.is_own_fault:
        return of_error(one.refusal, OWN_FAULT)
    if one.refusal is not None:
        return of_error(one.refusal, f"ask the owner of {name} for what its log says")
    ends = None if one.certificate is None else expiring(one.certificate, now)
    if ends is not None:
        return warning(f"its certificate {ends}", one.where, fix=f"{name} should renew it: `party certificate`")
    if one.certificate is None:
        return fine("answers", one.where)
    return fine(f"each accepts the other's certificate; its own is valid until {day(one.certificate)}", one.where)
