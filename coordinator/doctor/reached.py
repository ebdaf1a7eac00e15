"""How far a coordinator comes on its way to each party: name, port, TLS, answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from coordinator.configuration import CoordinatorConfiguration, PartyAddress
from coordinator.connection import close_clients, open_clients
from coordinator.proxies import READ_BY_GRPC
from party.configuration.addresses import is_loopback
from party.diagnosis.machine import Machine
from party.errors import ConnectionLostError, SplitError
from party.pb import party_pb2 as pb
from party.security.clock import utc_now
from party.security.served_certificate import served_certificate

MOST_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far the coordinator came on its way to one party; what follows the first failure is None.

    Attributes:
        party: the party, as the run's file names it.
        proxy: whether the way may lead through a proxy, so that only the last step can be tried.
        resolved: whether the host resolves.
        connection: the error of a TCP connection; None if it was taken.
        certificate: the certificate that is served there.
        described: the party's description of itself.
        refusal: the error in place of a description.
        is_own_fault: whether nobody could be asked, because of a file of the coordinator's own.
        asked: time before the description was asked for.
        answered: time after it.
    """

    party: PartyAddress
    proxy: bool = False
    resolved: bool = True
    connection: OSError | None = None
    certificate: x509.Certificate | None = None
    described: pb.DescribeReply | None = None
    refusal: SplitError | None = None
    is_own_fault: bool = False
    asked: datetime | None = None
    answered: datetime | None = None

    @property
    def where(self) -> str:
        """Name and address, for findings."""
        return f"party {self.party.name} at {self.party.address}"


def reach_all(configuration: CoordinatorConfiguration, machine: Machine) -> Mapping[str, Reached]:
    """Tries the way to every party, several at a time.

    Args:
        configuration: of the run.
        machine: readings of the machine.

    Returns:
        By party, in the order of the file.
    """
    with ThreadPoolExecutor(MOST_AT_ONCE) as threads:
        reached = threads.map(lambda party: _reach(configuration, party, machine), configuration.parties)
        return {one.party.name: one for one in reached}


def _reach(configuration: CoordinatorConfiguration, party: PartyAddress, machine: Machine) -> Reached:
    host, _, port = party.address.rpartition(":")
    address = host.strip("[]"), int(port)
    if _takes_proxy(configuration, host, machine.environment):
        return _described(configuration, Reached(party=party, proxy=True), machine)
    try:
        socket.create_connection(address, machine.wait_seconds).close()
    except socket.gaierror:
        return Reached(party=party, resolved=False)
    except OSError as error:
        return Reached(party=party, connection=error)
    certificate = None if configuration.insecure else _served(address, party, machine)
    return _described(configuration, Reached(party=party, certificate=certificate), machine)


def _takes_proxy(configuration: CoordinatorConfiguration, host: str, environment: Mapping[str, str]) -> bool:
    named = any(environment.get(name) for name in READ_BY_GRPC)
    return configuration.use_proxy and named and not is_loopback(host)


def _served(address: tuple[str, int], party: PartyAddress, machine: Machine) -> x509.Certificate | None:
    """The certificate that is served; None where the call itself will say what is wrong."""
    with suppress(ConnectionLostError, ValueError):
        served = served_certificate(address, f"party {party.name}", machine.wait_seconds)
        return x509.load_der_x509_certificate(served)
    return None


def _described(configuration: CoordinatorConfiguration, reached: Reached, machine: Machine) -> Reached:
    """Asks the party to describe itself, once."""
    others = [one.name for one in configuration.parties if one.name != reached.party.name]
    hurried = configuration.model_copy(update={"timeout_seconds": machine.wait_seconds, "reconnect_seconds": 0.0})
    asked = utc_now()
    try:
        clients = open_clients(hurried, without=others)
    except SplitError as error:
        return replace(reached, refusal=error, is_own_fault=True)
    try:
        described = clients[reached.party.name].describe(configuration.run.to_bytes())
    except SplitError as error:
        return replace(reached, refusal=error)
    finally:
        close_clients(clients)
    return replace(reached, described=described, asked=asked, answered=utc_now())
