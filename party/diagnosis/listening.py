"""Examines whether this process could listen on an address."""

from __future__ import annotations

import errno
import socket

from party.diagnosis.finding import Finding, fine, problem, warning

OTHER_PORT = "end the process that holds it (ss -ltnp shows which), or choose another port"
FIXED_PORT = "write a fixed port"
FIXES = {
    errno.EACCES: "choose a port from 1024 on: lower ones need rights that this process should not have",
    errno.EADDRNOTAVAIL: "write an address of this machine, or 0.0.0.0 for all of them",
}
WORDS = {
    errno.EACCES: "this user may not listen there",
    errno.EADDRNOTAVAIL: "is no address of this machine",
}


def examine_address(key: str, listen: str) -> Finding | None:
    """Tries to take an address, and gives it back at once.

    Args:
        key: key of the configuration that names it.
        listen: host and port.

    Returns:
        The finding; None if a process holds the address.
    """
    where = f"{key} {listen}"
    if listen.endswith(":0"):
        return warning("has port 0: the system chooses another one at each start", where, fix=FIXED_PORT)
    try:
        code = _listening_error(listen)
    except socket.gaierror:
        return problem("its host does not resolve on this machine", where, fix="write an IP address")
    if code == errno.EADDRINUSE:
        return None
    if code:
        words = WORDS.get(code, f"cannot be listened on ({errno.errorcode.get(code, code)})")
        return problem(words, where, fix=FIXES.get(code, OTHER_PORT))
    return fine("is free", where)


def examine_monitoring(key: str, listen: str, serves: bool) -> Finding:
    """Examines a port for probes or metrics.

    Args:
        key: key of the configuration that names it.
        listen: host and port.
        serves: whether a process of this configuration runs, which may hold it.
    """
    found = examine_address(key, listen)
    if found is not None:
        return found
    where = f"{key} {listen}"
    return fine("is held while this process serves", where) if serves else problem("is taken", where, fix=OTHER_PORT)


def _listening_error(listen: str) -> int:
    """The number of the system's error of whoever would listen on the address; 0 if it is free."""
    host, _, port = listen.rpartition(":")
    family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as trial:
        # As gRPC does: connections that ended a moment ago do not hold the port.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0
