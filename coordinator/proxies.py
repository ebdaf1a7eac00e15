"""Proxies that the environment names: whether the way to a party leads through one, and what to say of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress

from party.configuration.addresses import is_loopback

READ_BY_GRPC = ("grpc_proxy", "https_proxy", "http_proxy")  # in this order, lower case alone
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
KNOWN = (*READ_BY_GRPC, "all_proxy")  # however they are written: other programs read other ways


def takes_proxy(address: str, use_proxy: bool) -> bool:
    """Whether gRPC may take a proxy for an address; never for this machine.

    Args:
        address: host and port.
        use_proxy: `use_proxy` of the run's file.
    """
    return use_proxy and not is_loopback(address.rpartition(":")[0])


def named_proxies(environment: Mapping[str, str]) -> list[str]:
    """The variables that name a proxy for any program, those first that are read here.

    Args:
        environment: variables of this process.
    """
    read = [name for name in READ_BY_GRPC if environment.get(name)]
    others = [name for name, value in environment.items() if value and name.lower() in KNOWN and name not in read]
    return [*read, *sorted(others)]


def proxy_advice(address: str, use_proxy: bool, environment: Mapping[str, str]) -> str:
    """What the environment says of proxies, for an error about an address that cannot be reached.

    The values are not shown: they may hold a password.

    Args:
        address: host and port of the party.
        use_proxy: `use_proxy` of the run's file.
        environment: variables of this process.

    Returns:
        An imperative; empty where no proxy is named or none could matter.
    """
    host = address.rpartition(":")[0]
    named = named_proxies(environment)
    if not named or is_loopback(host):
        return ""
    read = [name for name in READ_BY_GRPC if environment.get(name)]
    if not use_proxy:
        return f"{named[0]} is set and not used: set use_proxy: true if only a proxy leads there; no_proxy names others"
    if not read:
        return f"{named[0]} is set and not read: proxies are read from {', '.join(READ_BY_GRPC)} in lower case"
    if _is_excepted(host, environment):
        return ""
    unread = sorted(name for name, value in environment.items() if value and _is_unread_exception(name))
    if unread:
        return f"{unread[0]} is set and not read: exceptions are read from {' and '.join(EXCEPTIONS)} in lower case"
    return (
        f"the way leads through the proxy of {read[0]}: add {host} to no_proxy, or set use_proxy: false, to go directly"
    )


def _is_unread_exception(name: str) -> bool:
    return name.lower() in EXCEPTIONS and name not in EXCEPTIONS


def _is_excepted(host: str, environment: Mapping[str, str]) -> bool:
    """Whether gRPC goes directly to a host: by the end of its name, or by its range of addresses."""
    listed = next((environment[name] for name in EXCEPTIONS if environment.get(name)), "")
    for entry in filter(None, (one.strip() for one in listed.split(","))):
        if host.endswith(entry):
            return True
        with suppress(ValueError):
            if ipaddress.ip_address(host.strip("[]")) in ipaddress.ip_network(entry, strict=False):
                return True
    return False
