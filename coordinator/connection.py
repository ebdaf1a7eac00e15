"""Connections to the parties; each is authenticated by its own name and certificate authority."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

import grpc

from coordinator.configuration import CoordinatorConfiguration, PartyAddress
from coordinator.party_client import PartyClient
from coordinator.proxies import proxy_advice, takes_proxy
from coordinator.retry import RetryPolicy
from coordinator.transports import PartyTransport
from party.configuration.addresses import is_loopback
from party.errors import ConfigurationError, ConnectionLostError, SessionLostError
from party.security.authority import check_in_force
from party.security.certificates import Usage, own_identity
from party.security.clock import utc_now
from party.security.tls import channel_credentials, channel_options
from party.security.trust import TrustedName, load_authorities
from party.transport.errors import error_from_rpc

MAXIMUM_ATTEMPTS = 10  # of an alignment, evaluation or prediction that loses the connection to a party

Channel = tuple[grpc.Channel, TrustedName | None]
Result = TypeVar("Result")


def open_clients(
    configuration: CoordinatorConfiguration,
    stopped: threading.Event | None = None,
    notify: Callable[[str], None] = lambda text: None,
    *,
    without: Collection[str] = (),
) -> dict[str, PartyClient]:
    """Creates a client for every party of a run; sends nothing yet.

    Args:
        configuration: of the run.
        stopped: once set, calls are not repeated any more.
        notify: called with a text about a connection that has been lost for more than a moment.
        without: names of parties that get no client.

    Returns:
        Clients by party name, ascending.

    Raises:
        IdentityError: the coordinator's own certificate, or the file of an authority, is unusable.
    """
    stopped = stopped or threading.Event()
    make_channel = _insecure_channel if configuration.insecure else _secure_channel(configuration)
    clients: dict[str, PartyClient] = {}
    for party in sorted(configuration.parties, key=lambda party: party.name):
        if party.name in without:
            continue
        try:
            channel, trusted = make_channel(party)
        except BaseException:
            close_clients(clients)
            raise
        transport = PartyTransport(
            channel,
            RetryPolicy(configuration.reconnect_seconds, stopped, notify=notify),
            timeout_seconds=configuration.timeout_seconds,
            as_error=partial(
                error_from_rpc,
                party=party.name,
                address=party.address,
                advice=proxy_advice(party.address, configuration.use_proxy, os.environ),
            ),
        )
        clients[party.name] = PartyClient(party.name, party.address, transport, trusted=trusted, stopped=stopped)
    return clients


def await_parties(clients: Mapping[str, PartyClient], seconds: float) -> None:
    """Waits until every party answers.

    Args:
        clients: by party name.
        seconds: longest wait for each party.

    Raises:
        ConnectionLostError: a party does not answer in time.
    """
    for client in clients.values():
        client.reach(seconds)


def until_connected(
    attempt: Callable[[], Result], clients: Mapping[str, PartyClient], seconds: float, stopped: threading.Event
) -> Result:
    """Repeats an attempt that lost a connection, once all parties answer; a failed one leaves nothing behind.

    Args:
        attempt: an alignment, an evaluation, a prediction or a plan.
        clients: by party name.
        seconds: longest wait for each party after each loss.
        stopped: once set, no further attempt is made.

    Returns:
        The result of the attempt that succeeded.

    Raises:
        SplitError: the attempt failed otherwise, or lost connections too often.
    """
    for _ in range(MAXIMUM_ATTEMPTS - 1):
        try:
            return attempt()
        except (ConnectionLostError, SessionLostError):
            if stopped.is_set():
                raise
            await_parties(clients, seconds)
    return attempt()


def close_clients(clients: Mapping[str, PartyClient]) -> None:
    """Closes all connections."""
    for client in clients.values():
        client.close()


def _secure_channel(configuration: CoordinatorConfiguration) -> Callable[[PartyAddress], Channel]:
    tls = configuration.tls
    if tls is None:
        raise ConfigurationError("tls is missing", where=configuration.coordinator)
    identity = own_identity(
        configuration.coordinator,
        configuration.path(tls.certificate),
        configuration.path(tls.key),
        usage=Usage.COORDINATOR,
        now=utc_now(),
    )

    def connect(address: PartyAddress) -> Channel:
        authority = configuration.path(address.ca)
        trusted = TrustedName(address.name, load_authorities(authority), address.spki_sha256)
        check_in_force(trusted.authorities, Usage.PARTY, utc_now(), authority)
        credentials = channel_credentials(identity, trusted.authorities)
        options = channel_options(address.name, use_proxy=takes_proxy(address.address, configuration.use_proxy))
        return grpc.secure_channel(address.address, credentials, options=options), trusted

    return connect


def _insecure_channel(address: PartyAddress) -> Channel:
    if not is_loopback(address.address.rpartition(":")[0]):
        raise ConfigurationError(
            "insecure: true is for loopback addresses only", where=f"party {address.name} at {address.address}"
        )
    return grpc.insecure_channel(address.address, options=channel_options(address.name)), None
