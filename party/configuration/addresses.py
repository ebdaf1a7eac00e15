"""Network addresses in a configuration: HOST:PORT and nothing else."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import Annotated

from pydantic import AfterValidator

MAXIMUM_PORT = 65535
FORM = "such as alice.example.com:50051, 192.0.2.1:50051 or '[2001:db8::1]:50051'"
LOOPBACK_NAMES = frozenset({"localhost"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_UNFIT = re.compile(r"[^A-Za-z0-9._:\[\]%-]")  # such as what turns the direction of text, or steers a terminal
_RESOLVER = re.compile(r"(dns|unix|unix-abstract|ipv4|ipv6|vsock|xds):(?!\d+$)")


def checked_address(address: str) -> str:
    """Refuses what is no address of a port.

    Args:
        address: as configured.

    Returns:
        The same text.

    Raises:
        ValueError: it says what is wrong, and how an address is written.
    """
    fault = _fault(address)
    if fault:
        raise ValueError(f"must be HOST:PORT, {FORM}: {fault}")
    if int(address.rpartition(":")[2]) > MAXIMUM_PORT:
        raise ValueError(f"the port must be at most {MAXIMUM_PORT}")
    return address


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself.

    Args:
        host: name or IP address, an IPv6 address with or without brackets.
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host in LOOPBACK_NAMES


def _fault(address: str) -> str:
    host, _, port = address.rpartition(":")
    faults = {
        "it holds blanks": re.search(r"\s", address),
        "leave out what stands before the host, such as http:// or grpc://": _SCHEME.match(address)
        or _RESOLVER.match(address),
        "leave out the path": "/" in address,
        "leave out the user": "@" in address,
        "several addresses are given, and one is taken": "," in address,
        "an IPv6 address stands in brackets": _is_bare_ipv6(address) or _is_bare_ipv6(host),
        "the port is missing": ":" not in address or address.endswith("]") or not port,
        "the host is missing": not host,
        "the port is no number of at most five digits": not re.fullmatch(r"[0-9]{1,5}", port),
        "the brackets hold no IPv6 address": "[" in host and not _is_bare_ipv6(host[1:-1]),
        "it holds a character that no host has": _UNFIT.search(address),
    }
    return next((fault for fault, holds in faults.items() if holds), "")


def _is_bare_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _reachable(address: str) -> str:
    if int(address.rpartition(":")[2]) == 0:
        raise ValueError("port 0 is for listen: write the port that the party says it listens on")
    return checked_address(address)


Address = Annotated[str, AfterValidator(checked_address)]
ReachableAddress = Annotated[str, AfterValidator(checked_address), AfterValidator(_reachable)]
