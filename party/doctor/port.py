"""Examines the address that the party listens on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from party.configuration.party import PartyConfiguration
from party.diagnosis.finding import Finding, fine, of_error, problem, warning
from party.doctor.subject import PartySubject
from party.errors import SessionError, SplitError
from party.health import health_line
from party.runtime.serving_file import read_serving

OTHER_PORT = "end the process that holds it (ss -ltnp shows which), or choose another port in listen"
FIXES = {
    errno.EACCES: "choose a port from 1024 on in listen: lower ones need rights that a party should not have",
    errno.EADDRNOTAVAIL: "write an address of this machine in listen, or 0.0.0.0 for all of them",
}
WORDS = {
    errno.EACCES: "this user may not listen there",
    errno.EADDRNOTAVAIL: "is no address of this machine",
}


def examine_port(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether the party answers on its address, or could begin to listen there.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    configuration = subject.configuration
    listen, serves = configuration.listen, _serves(subject)
    if listen.endswith(":0"):
        yield warning("has port 0: the system chooses another one at each start", "listen", fix="write a fixed port")
        return
    try:
        code = _listening_error(configuration)
    except socket.gaierror:
        yield problem("its host does not resolve on this machine", listen, fix="write an IP address in listen")
        return
    if code == errno.EADDRINUSE:
        yield _taken(subject, serves)
    elif code:
        words = WORDS.get(code, f"cannot be listened on ({errno.errorcode.get(code, code)})")
        yield problem(words, listen, fix=FIXES.get(code, OTHER_PORT))
    elif serves:
        yield problem("a party serves with this state folder, and not here", listen, fix="restart `party serve`")
    else:
        yield fine("is free; no party serves at present", listen)


def _taken(subject: PartySubject, serves: bool) -> Finding:
    listen = subject.configuration.listen
    if subject.configuration.insecure:
        return fine("a party answers, without TLS", listen) if serves else problem("is taken", listen, fix=OTHER_PORT)
    try:
        return fine(health_line(subject.path, subject.machine.wait_seconds), listen)
    except SplitError as error:
        if serves:
            return of_error(error, "restart `party serve`")
        told = of_error(error, OTHER_PORT)
        return problem(f"is taken by another process, which {told.what}", listen, fix=OTHER_PORT)


def _serves(subject: PartySubject) -> bool:
    try:
        read_serving(subject.state)
    except SessionError:
        return False
    return True


def _listening_error(configuration: PartyConfiguration) -> int:
    """The number of the system's error of whoever would listen on the address; 0 if it is free."""
    host, _, port = configuration.listen.rpartition(":")
    family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as trial:
        # As gRPC does: connections that ended a moment ago do not hold the port.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0
