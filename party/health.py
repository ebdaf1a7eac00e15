"""`party health`: checks from the same machine, without a caller's certificate, that this party answers on its port."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from party.configuration.party import PartyConfiguration, load_party_configuration
from party.errors import ConfigurationError, ConnectionLostError, IdentityError
from party.security.certificates import Usage, load_chain
from party.security.clock import utc_now
from party.security.leaf import check_leaf

ANSWER_SECONDS = 20.0
READ_BYTES = 16 * 1024
# Where to reach a server that listens on every address; a machine without IPv6 has no ::1.
LOOPBACK_HOSTS = {4: "127.0.0.1", 6: "localhost"}

Address = tuple[str, int]


def health_line(path: Path, answer_seconds: float = ANSWER_SECONDS) -> str:
    """Asks the port of `listen` for its certificate, and compares that with the party's own.

    Args:
        path: the party's YAML file.
        answer_seconds: longest wait for the answer.

    Returns:
        A line that says who answers where.

    Raises:
        ConfigurationError: there is nothing to check: `listen` has port 0, or the party has no TLS.
        ConnectionLostError: nothing answers with TLS.
        IdentityError: the certificate has expired, or another process answers.
    """
    configuration = load_party_configuration(path)
    host, port = _own_address(configuration)
    where = f"party {configuration.party} at {host}:{port}"
    served = _served_certificate((host, port), where, answer_seconds)
    file = configuration.path(configuration.tls.certificate)
    own = load_chain(file)[0]
    if served != own.public_bytes(Encoding.DER):
        raise IdentityError(
            "answers with another certificate than the configured one",
            where=where,
            expected=f"the first certificate of {file}",
            fix="another process holds the port, or the party could not read a replaced certificate: see its log",
        )
    check_leaf(own, configuration.party, Usage.PARTY, now=utc_now(), where=file)
    return f"party {configuration.party} answers on {host}:{port}"


def _own_address(configuration: PartyConfiguration) -> Address:
    listened, _, port = configuration.listen.rpartition(":")
    host = listened.strip("[]")
    if configuration.insecure:
        raise ConfigurationError("cannot check an insecure party: it has no certificate", where=configuration.party)
    if int(port) == 0:
        raise ConfigurationError("listen has port 0", where=configuration.party, fix="set a fixed port")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host, int(port)
    return (LOOPBACK_HOSTS[address.version] if address.is_unspecified else host), int(port)


def _served_certificate(address: Address, where: str, answer_seconds: float) -> bytes:
    """The certificate that is served at an address, as DER; its server has proven that it holds the key."""
    end_seconds = time.monotonic() + answer_seconds
    try:
        with socket.create_connection(address, answer_seconds) as connection:
            return _handshake(connection, end_seconds)
    except ssl.SSLError:
        raise ConnectionLostError("does not answer with TLS 1.3", where=where, fix="see what holds the port") from None
    except OSError as error:
        raise ConnectionLostError(
            f"does not answer ({error.__class__.__name__})", where=where, fix="see whether `party serve` runs"
        ) from None


def _handshake(connection: socket.socket, end_seconds: float) -> bytes:
    """Runs a handshake up to the server's proof, and sends nothing after it.

    With TLS 1.3 the server proves itself first. The client would then have to answer with a coordinator's certificate;
    without one, the party would log a refused caller at every check.
    """
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _client_context().wrap_bio(received, to_send)
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            connection.sendall(to_send.read())
        left_seconds = end_seconds - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        connection.settimeout(left_seconds)
        content = connection.recv(READ_BYTES)
        if not content:
            raise ConnectionResetError
        received.write(content)
    return client.getpeercert(binary_form=True) or b""


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # No authority is needed: only one certificate is accepted, byte for byte, after the handshake has proven its key.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
