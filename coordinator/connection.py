"""Connections to the parties, each under its own name and authority."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from coordinator.configuration import CoordinatorConfiguration, PartyAddress
from coordinator.line import Line, LineMethod
from coordinator.patience import Patience
from party import __version__
from party.errors import ConfigurationError, ConnectionLostError, HandshakeError, IdentityError, SplitError
from party.pb import party_pb2 as pb
from party.pb.party_pb2_grpc import PartyStub
from party.security.certificates import Usage, own_identity
from party.security.clock import utc_now
from party.security.tls import channel_credentials, channel_options
from party.security.trust import TrustedName, load_authorities
from party.transport.errors import error_from_rpc

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

STREAMED = {
    "Forward": pb.ForwardReply,
    "Fuse": pb.FuseReply,
    "Backward": pb.BackwardReply,
    "Snapshot": pb.SnapshotReply,
}

Reply = TypeVar("Reply", bound=Message)


class PartyConnection:
    """One party, as seen by the coordinator.

    Args:
        address: of the party.
        channel: to it.
        trusted: who may speak under its name; None without TLS.
        timeout_seconds: longest wait for an answer.
        patience: how long to repeat calls whose connection failed.
        stopped: whoever sets it wants no call repeated any more.
    """

    def __init__(
        self,
        address: PartyAddress,
        channel: grpc.Channel,
        trusted: TrustedName | None,
        timeout_seconds: float,
        patience: Patience,
        stopped: threading.Event,
    ) -> None:
        self.name = address.name
        self.address = address.address
        self.trusted = trusted
        self.stub = PartyStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        self._converse = self.stub.Converse
        self._line: Line | None = None
        for name, reply in STREAMED.items():
            setattr(self.stub, name, LineMethod(self._open_line, name, reply))
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._patience = patience
        self._stopped = stopped

    def call(self, method: Callable[..., Reply], request: Message) -> Reply:
        """Calls a method of the stub that may be repeated, and waits for its answer.

        Raises:
            SplitError: what the party answered, or what the connection did once patience was over.
        """
        has_own_patience = isinstance(method, LineMethod)
        return (
            self.call_once(method, request)
            if has_own_patience
            else self._patience.insist(lambda: self.call_once(method, request))
        )

    def call_once(self, method: Callable[..., Reply], request: Message) -> Reply:
        """Calls a method of the stub and waits for its answer.

        Raises:
            SplitError: what the party answered, or what the connection did.
        """
        try:
            return method(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise self._as_error(error) from error

    def begin(self, method: grpc.UnaryUnaryMultiCallable[Message, Reply], request: Message) -> Callable[[], Reply]:
        """Calls a method that may be repeated without waiting; the result waits for the answer."""
        future = method.future(request, timeout=self._timeout_seconds)

        def result() -> Reply:
            try:
                reply: Reply = future.result()
                return reply
            except grpc.RpcError as error:
                failed = self._as_error(error)
                if not isinstance(failed, ConnectionLostError):
                    raise failed from error
            return self.call(method, request)

        return result

    def reach(self, patience_seconds: float) -> pb.DescribeReply:
        """Waits until the party answers, and checks that it is the one that is meant.

        Args:
            patience_seconds: how long a party may take to come up.

        Returns:
            What the party says of itself.

        Raises:
            ConnectionLostError: it does not answer.
            IdentityError: somebody else answers.
            HandshakeError: it runs another version.
        """
        patience = Patience(patience_seconds, self._stopped)
        described: pb.DescribeReply = patience.insist(lambda: self.call_once(self.stub.Describe, pb.DescribeRequest()))
        if described.party != self.name:
            raise IdentityError("another party answers", where=f"party {self.name} at {self.address}")
        if described.code_version != __version__:
            raise HandshakeError(
                "runs another version",
                where=f"party {self.name} at {self.address}",
                expected=__version__,
                received=described.code_version[:32],
                fix="install the same version everywhere",
            )
        return described

    def hang_up(self) -> None:
        """Ends the stream that carried the batches of a session, if there is one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def close(self) -> None:
        """Closes the channel."""
        self.hang_up()
        self._channel.close()

    def _open_line(self) -> Line:
        if self._line is None:
            self._line = Line(self._converse, self._patience, self._as_error)
        return self._line

    def _as_error(self, error: grpc.RpcError) -> SplitError:
        return error_from_rpc(error, self.name, self.address)


def open_connections(
    configuration: CoordinatorConfiguration,
    stopped: threading.Event | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, PartyConnection]:
    """Makes the connections of a run; nothing is sent yet.

    Args:
        configuration: of the run.
        stopped: whoever sets it wants no call repeated any more.
        tell: told of a connection that stays away for more than a moment.

    Returns:
        Connections by party, ascending.

    Raises:
        IdentityError: own certificate, or an authority's file, cannot be used.
    """
    stopped = stopped or threading.Event()
    make_channel = _insecure_channel if configuration.insecure else _secure_channel(configuration)
    connections = {}
    for address in sorted(configuration.parties, key=lambda party: party.name):
        channel, trusted = make_channel(address)
        patience = Patience(configuration.reconnect_seconds, stopped, tell)
        connections[address.name] = PartyConnection(
            address, channel, trusted, configuration.timeout_seconds, patience, stopped
        )
    return connections


def await_parties(connections: Mapping[str, PartyConnection], patience_seconds: float) -> None:
    """Waits until every party answers.

    Args:
        connections: by party.
        patience_seconds: longest wait for each.

    Raises:
        ConnectionLostError: one does not.
    """
    for connection in connections.values():
        connection.reach(patience_seconds)


def close_connections(connections: Mapping[str, PartyConnection]) -> None:
    """Closes all channels."""
    for connection in connections.values():
        connection.close()


Channel = tuple[grpc.Channel, TrustedName | None]


def _secure_channel(configuration: CoordinatorConfiguration) -> Callable[[PartyAddress], Channel]:
    tls = configuration.tls
    if tls is None:
        raise ConfigurationError("tls is missing", where=configuration.coordinator)
    identity = own_identity(
        configuration.coordinator,
        configuration.path(tls.certificate),
        configuration.path(tls.key),
        Usage.COORDINATOR,
        utc_now(),
    )

    def connect(address: PartyAddress) -> Channel:
        trusted = TrustedName(address.name, load_authorities(configuration.path(address.ca)), address.spki_sha256)
        credentials = channel_credentials(identity, trusted.authorities)
        return grpc.secure_channel(address.address, credentials, options=channel_options(address.name)), trusted

    return connect


def _insecure_channel(address: PartyAddress) -> Channel:
    if address.address.rpartition(":")[0] not in LOOPBACK_HOSTS:
        raise ConfigurationError(
            "insecure: true is for loopback addresses only", where=f"party {address.name} at {address.address}"
        )
    return grpc.insecure_channel(address.address, options=channel_options(address.name)), None
