"""The other ends of connections, in one form for sockets and gRPC."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote

IPV6_NETWORK_BITS = 64  # a host can use any address within its /64 network


@dataclass(frozen=True)
class Peer:
    """The other end of a connection.

    Attributes:
        host: IP address.
        port: TCP port.
    """

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @property
    def network(self) -> str:
        """The range of addresses of one sender: an IPv4 address, or an IPv6 network."""
        if isinstance(self.host, ipaddress.IPv4Address):
            return str(self.host)
        return str(ipaddress.ip_network((self.host.packed, IPV6_NETWORK_BITS), strict=False))


def peer_at(host: str, port: int) -> Peer:
    """The peer at an address as sockets give it; an IPv4-mapped IPv6 address becomes the IPv4 address.

    Args:
        host: IPv4 or IPv6 address.
        port: TCP port.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return Peer(mapped or address, port)


def peer_named(name: str) -> Peer:
    """The peer of a call as gRPC names it: `ipv4:127.0.0.1:50051`, or `ipv6:[::1]:50051`, its brackets encoded."""
    host, _, port = unquote(name).partition(":")[2].rpartition(":")
    return peer_at(host.strip("[]"), int(port))
