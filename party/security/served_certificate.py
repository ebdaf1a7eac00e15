"""The certificate that is served at an address, asked for without showing one."""

from __future__ import annotations

import socket
import ssl
import time

from party.errors import ConnectionLostError

READ_BYTES = 16 * 1024

Address = tuple[str, int]


def served_certificate(address: Address, where: str, answer_seconds: float) -> bytes:
    """The certificate that is served at an address; its server has proven that it holds the key.

    Args:
        address: host and port.
        where: party and address, for errors.
        answer_seconds: longest wait for the answer.

    Returns:
        The certificate as DER.

    Raises:
        ConnectionLostError: nothing answers there, or not with TLS 1.3.
    """
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
    # No authority is needed: the caller compares or checks the certificate after the handshake has proven its key.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
