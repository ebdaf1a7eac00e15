"""Why a party cannot be reached, told from the words of gRPC, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

CANNOT_BE_REACHED = "cannot be reached"


class Cause(NamedTuple):
    """Why no connection came about.

    Attributes:
        words: one of these stands in the lower-case text of gRPC.
        what: what is wrong, in words; `{host}` stands for the host of the address.
        fix: what to do, as an imperative.
    """

    words: tuple[str, ...]
    what: str
    fix: str


PROXY_ANSWERS = Cause(("http proxy returned",), "a proxy refuses to connect there", "")
NO_TLS = Cause(
    ("wrong_version_number", "http_request", "unexpected_message"),
    "what answers there speaks no TLS",
    "check the address: another service may hold the port, or the party runs with insecure: true",
)
UNRESOLVED = Cause(
    ("errors resolving", "dns resolution failed", "domain name not found", "name resolution"),
    "the name {host} does not resolve",
    "correct the address, or ask who runs the names of your network",
)
CAUSES = (
    PROXY_ANSWERS,
    UNRESOLVED,
    Cause(
        ("connection refused",),
        "the connection is refused, so nothing listens there",
        "check that `party serve` runs there, the address and its port, and any firewall between",
    ),
    Cause(
        ("no route to host", "network is unreachable", "network unreachable"),
        "there is no route to {host}",
        "check the address and the network of this machine",
    ),
    Cause(
        ("handshake read failed", "handshake timed out", "handshake timeout"),
        "the connection is taken, but no TLS handshake follows",
        "check the address: another service or a proxy may hold the port",
    ),
    Cause(
        ("timed out", "timeout"),
        "nothing answers in time",
        "check the address, and any firewall between: it may drop what is sent there",
    ),
    Cause(
        ("http1.x server", "failed parsing http/2", "received http2 header with status"),
        "what answers there is no party",
        "check the address: another service holds the port",
    ),
)
UNKNOWN = Cause((), "", "check that `party serve` runs there, the address, and any firewall between")


def cause(details: str, host: str) -> tuple[str, str]:
    """The cause in words and its fix.

    Args:
        details: text of gRPC, in lower case.
        host: host of the address.

    Returns:
        What happened and what to do.
    """
    found = next((one for one in CAUSES if any(word in details for word in one.words)), UNKNOWN)
    what = found.what.format(host=host)
    return f"{CANNOT_BE_REACHED}: {what}" if what else CANNOT_BE_REACHED, found.fix


def is_unresolved(details: str) -> bool:
    """Whether a name does not resolve; the text then speaks of a hostname, as one about certificates does.

    Args:
        details: text of gRPC, in lower case.
    """
    return any(word in details for word in UNRESOLVED.words)


def speaks_no_tls(details: str) -> bool:
    """Whether the other side answered a TLS handshake with something else.

    Args:
        details: text of gRPC, in lower case.
    """
    return any(word in details for word in NO_TLS.words)
