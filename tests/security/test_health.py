"""`party health` against real sockets: who answers on a party's port, and who does not."""

import socket
import ssl
import threading
from concurrent import futures
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from click.testing import CliRunner

from party.cli import main
from party.errors import ConfigurationError, ConnectionLostError, IdentityError
from party.health import healthy_port
from party.security.certificates import Usage
from party.security.issuing import OrganisationFiles, write_organisation
from party.security.tls import server_credentials, server_options
from party.security.trust import TrustedName, load_authorities
from tests.support.organisations import COORDINATOR, Organisations

SHORT_SECONDS = 0.5  # only where nobody may ever answer


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    return Organisations(tmp_path_factory.mktemp("health"))


def files_of(organisations, name):
    return OrganisationFiles(name, organisations.certificates(name))


def port_at(host):
    """0 for any port; at localhost one that is free in both families: gRPC takes the second address only if it can."""
    while host == "localhost" and socket.has_ipv6:
        with socket.socket() as first, socket.socket(socket.AF_INET6) as second, suppress(OSError):
            first.bind(("127.0.0.1", 0))
            second.bind(("::1", first.getsockname()[1]))
            return first.getsockname()[1]
    return 0


@contextmanager
def serving(organisations, files, host="127.0.0.1", start=True):
    """A server with a party's own credentials; what it would answer to a call does not matter here."""
    driver = TrustedName(COORDINATOR, load_authorities(files_of(organisations, COORDINATOR).authority))
    credentials = server_credentials(
        files.name,
        files.certificate,
        files.key,
        coordinators=lambda: {COORDINATOR: driver},
        clock=lambda: datetime.now(UTC),
    )
    server = grpc.server(futures.ThreadPoolExecutor(1), options=server_options())
    port = server.add_secure_port(f"{host}:{port_at(host)}", credentials)
    if start:
        server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def listening_on(organisations, listen, **changes):
    organisations.write_party("alice", listen=listen, **changes)
    return organisations.party_path("alice")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_party_that_answers_is_healthy_wherever_it_listens(organisations, host):
    with serving(organisations, files_of(organisations, "alice"), host) as port:
        done = CliRunner().invoke(main, ["health", "--config", str(listening_on(organisations, f"{host}:{port}"))])
    asked = "localhost" if host == "localhost" else "127.0.0.1"
    assert (done.exit_code, done.output) == (0, f"party alice answers on {asked}:{port}\n")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_every_address_of_both_families_is_asked_at_localhost(organisations):
    with serving(organisations, files_of(organisations, "alice"), "[::]") as port:
        assert (
            healthy_port(listening_on(organisations, f"[::]:{port}")).words
            == f"party alice answers on localhost:{port}"
        )


def test_nobody_on_the_port(organisations):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionLostError, match=f"party alice at 127.0.0.1:{port}: does not answer") as caught:
        healthy_port(listening_on(organisations, f"0.0.0.0:{port}"))
    assert "party serve" in str(caught.value)


def test_port_that_is_bound_but_not_served_is_not_healthy(organisations):
    with serving(organisations, files_of(organisations, "alice"), start=False) as port:
        path = listening_on(organisations, f"127.0.0.1:{port}")
        with pytest.raises(ConnectionLostError, match="does not answer"):
            healthy_port(path, SHORT_SECONDS)


@contextmanager
def answering(content):
    """A listener that reads a little, sends some bytes and hangs up, or says nothing where there are none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(content)
                if not content:
                    ended.wait()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"HTTP/1.1 200 OK\r\n\r\n" * 20, "does not answer with TLS"), (b"\0", "does not answer"), (b"", "TimeoutError")],
)
def test_listener_without_tls_is_not_healthy(organisations, content, reason):
    with answering(content) as port:
        path = listening_on(organisations, f"127.0.0.1:{port}")
        with pytest.raises(ConnectionLostError, match=reason):
            healthy_port(path, SHORT_SECONDS if not content else 20.0)


def test_impostor_of_the_same_name_is_not_healthy(organisations, tmp_path):
    """Another process of the machine took the port, with a certificate of the party's name that it made itself."""
    impostor = write_organisation("alice", Usage.PARTY, tmp_path / "made", now=datetime.now(UTC))
    with serving(organisations, impostor) as port:
        path = listening_on(organisations, f"127.0.0.1:{port}")
        with pytest.raises(IdentityError, match="another certificate than the configured one"):
            healthy_port(path)


def test_party_whose_certificate_expired_is_not_healthy(organisations, tmp_path):
    """It no longer starts, but one that has started goes on to serve; its coordinators refuse it."""
    past = datetime.now(UTC) - timedelta(days=3)
    expired = write_organisation("alice", Usage.PARTY, tmp_path / "made", now=past, days=1)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    pair = (expired.key.read_bytes(), expired.certificate.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        tls = {"certificate": str(expired.certificate), "key": str(expired.key)}
        path = listening_on(organisations, f"127.0.0.1:{port}", tls=tls)
        with pytest.raises(IdentityError, match="expired"):
            healthy_port(path)
    finally:
        server.stop(None).wait()


def test_server_of_an_older_tls_is_not_healthy(organisations):
    """With TLS 1.2 there is no end of the handshake without a certificate of the one who asks."""
    files = files_of(organisations, "alice")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        with futures.ThreadPoolExecutor(1) as threads:
            answered = threads.submit(answer)
            path = listening_on(organisations, f"127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(ConnectionLostError, match="does not answer with TLS"):
                healthy_port(path)
            answered.result()


def test_port_that_nobody_knows_and_party_without_tls_are_refused(organisations):
    with pytest.raises(ConfigurationError, match="listen has port 0; set a fixed port"):
        healthy_port(listening_on(organisations, "127.0.0.1:0"))
    with pytest.raises(ConfigurationError, match="cannot check an insecure party"):
        healthy_port(listening_on(organisations, "127.0.0.1:50051", insecure=True))
