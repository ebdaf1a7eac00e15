"""Mutual TLS for gRPC: credentials, who called, and the options of channels and servers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from party.errors import IdentityError
from party.security.certificates import Authorities, Identity, Usage, own_identity, unreadable
from party.security.chains import certificates_from_pem
from party.security.leaf import PARSE_ERRORS
from party.security.trust import TrustedName

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CONNECTION_AGE_MILLISECONDS = 60 * 60 * 1000
MAX_CONNECTION_GRACE_MILLISECONDS = 10 * 60 * 1000
KEEPALIVE_INTERVAL_MILLISECONDS = 30 * 1000
KEEPALIVE_TIMEOUT_MILLISECONDS = 20 * 1000
SHORTEST_PING_INTERVAL_MILLISECONDS = 10 * 1000
MAX_PING_STRIKES = 3
SHORTEST_RECONNECT_MILLISECONDS = 100
LONGEST_RECONNECT_MILLISECONDS = 3 * 1000
IDENTITY_ONLY_BITSET = 1
HANDSHAKE_TIMEOUT_MILLISECONDS = 5 * 1000
MAX_CONNECTIONS = 64
MAX_STREAMS_PER_CONNECTION = 32
CACHED_CALLERS = 64

ChannelOptions = list[tuple[str, int | str]]
FileStamp = tuple[int, int, int]

logger = logging.getLogger(__name__)


def server_credentials(
    name: str,
    certificate: Path,
    key: Path,
    *,
    coordinators: Callable[[], Mapping[str, TrustedName]],
    clock: Callable[[], datetime],
) -> grpc.ServerCredentials:
    """Makes credentials that require a client certificate and use a replaced certificate or list without a restart.

    They accept whatever any of the authorities issued: `CallerNames` must check every call.

    Args:
        name: name of this party.
        certificate: PEM file with its chain, leaf first.
        key: PEM file with its private key.
        coordinators: returns the coordinators that may call at present.
        clock: returns the current time, with a time zone.

    Returns:
        Credentials for `Server.add_secure_port`.

    Raises:
        IdentityError: the certificate or key is unfit.
    """
    rotation = _CertificateRotation(
        name,
        certificate,
        key,
        roots=lambda: b"".join(_pem(one.authorities) for one in coordinators().values()),
        clock=clock,
    )
    return grpc.dynamic_ssl_server_credentials(
        rotation.initial,
        rotation.fetch,  # type: ignore[arg-type]  # the stub omits the documented None
        require_client_authentication=True,
    )


def channel_credentials(identity: Identity, party_authorities: Authorities) -> grpc.ChannelCredentials:
    """Makes the credentials of a coordinator for calls to one party.

    Args:
        identity: the coordinator's identity.
        party_authorities: the authority of that party alone.

    Returns:
        Credentials for `grpc.secure_channel`; `channel_options` names the party.
    """
    return grpc.ssl_channel_credentials(_pem(party_authorities), _key_pem(identity), _pem(identity.chain))


def server_options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> ChannelOptions:
    """Options of a party's server.

    Args:
        max_message_bytes: longest message that is received or sent.

    Returns:
        Options for `grpc.server`.
    """
    return [
        # Two processes on one port would share the calls of one session between them.
        ("grpc.so_reuseport", 0),
        # Whoever reaches the port can connect: without these, idle connections take every file descriptor.
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MILLISECONDS),
        ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
        ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
        # A connection outlives its certificate, so a new handshake is needed from time to time.
        ("grpc.max_connection_age_ms", MAX_CONNECTION_AGE_MILLISECONDS),
        ("grpc.max_connection_age_grace_ms", MAX_CONNECTION_GRACE_MILLISECONDS),
        ("grpc.http2.min_ping_interval_without_data_ms", SHORTEST_PING_INTERVAL_MILLISECONDS),
        ("grpc.http2.max_ping_strikes", MAX_PING_STRIKES),
        *_common_options(max_message_bytes),
    ]


def channel_options(
    party_name: str, max_message_bytes: int = MAX_MESSAGE_BYTES, *, use_proxy: bool = False
) -> ChannelOptions:
    """Options of a coordinator's channel to one party.

    Args:
        party_name: the name that the party's certificate must carry, whatever the address.
        max_message_bytes: longest message that is received or sent.
        use_proxy: whether the channel may go through a proxy that the environment names.

    Returns:
        Options for `grpc.secure_channel`.
    """
    return [
        ("grpc.ssl_target_name_override", party_name),
        # By default gRPC takes a proxy of the environment, even on the way to this machine itself.
        ("grpc.enable_http_proxy", int(use_proxy)),
        # By default a channel waits up to two minutes before it tries again to reach a party that was away.
        ("grpc.initial_reconnect_backoff_ms", SHORTEST_RECONNECT_MILLISECONDS),
        ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MILLISECONDS),
        *_common_options(max_message_bytes),
    ]


class CallerNames:
    """Identifies the coordinator that made a call, by its certificate and that coordinator's own authority.

    gRPC accepts whatever any authority in its bundle issued; one organisation's authority could thus
    issue the name of another.

    Args:
        coordinators: the coordinators that may call.
    """

    def __init__(self, coordinators: Mapping[str, TrustedName]) -> None:
        self._coordinators = coordinators
        self._verified: dict[bytes, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def caller_name(self, auth_context: Mapping[str, Iterable[bytes]], now: datetime) -> str:
        """Verifies the certificate of a call's connection.

        Args:
            auth_context: authentication context of the call's gRPC context.
            now: the current time, with a time zone.

        Returns:
            The coordinator's name.

        Raises:
            IdentityError: there is no certificate, or it is not that of a trusted coordinator.
        """
        leaf_pem = b"".join(auth_context.get("x509_pem_cert", ()))
        chain_pem = b"".join(auth_context.get("x509_pem_cert_chain", ()))
        if not leaf_pem:
            raise IdentityError("came without a certificate", where="call", fix="call with mutual TLS")
        with self._lock:
            name, expiry = self._verified.get(leaf_pem + chain_pem, ("", now))
        if now < expiry:
            return name
        name, expiry = self._verify(leaf_pem, chain_pem, now)
        with self._lock:
            if len(self._verified) >= CACHED_CALLERS:
                self._verified.clear()
            self._verified[leaf_pem + chain_pem] = (name, expiry)
        return name

    def _verify(self, leaf_pem: bytes, chain_pem: bytes, now: datetime) -> tuple[str, datetime]:
        leaf = certificates_from_pem(leaf_pem, "certificate of the caller")[0]
        sent = certificates_from_pem(chain_pem, "certificate of the caller") if chain_pem else (leaf,)
        try:
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            claimed = names.get_values_for_type(x509.DNSName)
        except (*PARSE_ERRORS, x509.ExtensionNotFound):
            raise IdentityError("has no DNS name", where="certificate of the caller") from None
        trusted = [self._coordinators[one] for one in claimed if one in self._coordinators]
        if not trusted:
            raise IdentityError(
                "carries no name that is trusted here",
                where="certificate of the caller",
                expected=f"one of {', '.join(sorted(self._coordinators))}",
                fix="add the coordinator to coordinators, or correct its certificate",
                # Who else is trusted is nothing that a stranger needs to know.
                public_message="certificate of the caller: carries no name that is trusted here",
            )
        intermediates = [certificate for certificate in sent if certificate != leaf]
        return trusted[0].name, trusted[0].verify(leaf, intermediates, Usage.COORDINATOR, now)


class _CertificateRotation:
    """Reads certificate and key again once their files change; keeps the old ones until the new ones fit."""

    def __init__(
        self, name: str, certificate: Path, key: Path, *, roots: Callable[[], bytes], clock: Callable[[], datetime]
    ) -> None:
        self._name = name
        self._certificate = certificate
        self._key = key
        self._roots = roots
        self._clock = clock
        self._lock = threading.Lock()
        self._stamps = self._read_stamps()
        self.initial = self._load()

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before every handshake: gives a new configuration, or None to keep the last one."""
        with self._lock:
            try:
                stamps = self._read_stamps()
                if stamps == self._stamps:
                    return None
                configuration = self._load()
            except IdentityError as error:
                # Certificate and key are replaced one after the other: the next connection tries again.
                logger.warning("the replaced certificate is not used yet: %s", error)
                return None
            self._stamps = stamps
            logger.info("certificate read again from %s", self._certificate)
            return configuration

    def _load(self) -> grpc.ServerCertificateConfiguration:
        identity = own_identity(self._name, self._certificate, self._key, usage=Usage.PARTY, now=self._clock())
        pair = (_key_pem(identity), _pem(identity.chain))
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=self._roots())

    def _read_stamps(self) -> tuple[FileStamp, FileStamp, bytes]:
        return _stamp(self._certificate), _stamp(self._key), self._roots()


def _stamp(path: Path) -> FileStamp:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return status.st_mtime_ns, status.st_ino, status.st_size


def _common_options(max_message_bytes: int) -> ChannelOptions:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        # Without compression a short message cannot unfold into a long one.
        ("grpc.compression_enabled_algorithms_bitset", IDENTITY_ONLY_BITSET),
        ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def _key_pem(identity: Identity) -> bytes:
    return identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
