"""Proxies of the environment: taken only where the run's file says so, never for this machine; errors name them."""

import os
import socket
import threading
from concurrent import futures
from contextlib import contextmanager
from functools import partial

import grpc
import pytest

from coordinator.proxies import proxy_advice, takes_proxy
from party.configuration.addresses import is_loopback
from party.errors import ConnectionLostError, IdentityError
from party.security.tls import channel_options
from party.transport.errors import error_from_rpc
from tests.support import issuing

NAMES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "no_proxy", "no_grpc_proxy")
SECRET = "http://user:hunter2@proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in NAMES:
        for form in (name, name.upper()):
            monkeypatch.delenv(form, raising=False)


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


@contextmanager
def party():
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Echo()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def answering(reply):
    """A server that answers whatever comes first with these bytes, and closes; yields its port and what it got."""
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(1024))
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], received
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            thread.join()


def call(address, *, use_proxy=False, advice="", credentials=None):
    """The error of a call, or None if it was answered."""
    options = channel_options("shop", use_proxy=use_proxy)
    open_channel = (
        grpc.insecure_channel if credentials is None else partial(grpc.secure_channel, credentials=credentials)
    )
    with open_channel(address, options=options) as channel:
        try:
            channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=20)
        except grpc.RpcError as error:
            return error_from_rpc(error, "alice", address, advice)
    return None


@pytest.mark.parametrize("name", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_a_proxy_of_the_environment_is_taken_only_where_it_is_asked_for(name, monkeypatch):
    """What gRPC does by itself, on which the option and the texts rest."""
    with party() as port, answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (proxy, received):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert call(f"127.0.0.1:{port}") is None
        assert not received
        address = f"localhost:{port}"
        advice = proxy_advice("alice.example:1", True, os.environ)
        error = call(address, use_proxy=True, advice=advice)
        assert type(error) is ConnectionLostError
        assert f"cannot be reached: a proxy refuses to connect there; the way leads through the proxy of {name}" in str(
            error
        )
        assert "add alice.example to no_proxy" in str(error)
        assert received
        monkeypatch.setenv("no_proxy", "localhost")
        assert call(address, use_proxy=True) is None


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY", "ALL_PROXY", "all_proxy"])
def test_other_names_are_not_read_by_grpc(name, monkeypatch):
    with party() as port:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert call(f"127.0.0.1:{port}", use_proxy=True) is None
        advice = proxy_advice("alice.example:1", True, os.environ)
        assert f"{name} is set and not read: proxies are read from grpc_proxy, https_proxy, http_proxy" in advice


def test_this_machine_is_never_behind_a_proxy():
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]"):
        assert is_loopback(host)
        assert not takes_proxy(f"{host}:1", True)
        assert proxy_advice(f"{host}:1", True, {"http_proxy": SECRET}) == ""
    for host in ("alice.example", "10.0.0.1", "[2001:db8::1]", "localhost.example"):
        assert takes_proxy(f"{host}:1", True)
        assert not takes_proxy(f"{host}:1", False)


@pytest.mark.parametrize("use_proxy", [True, False])
def test_an_error_names_the_variable_and_the_way_out_but_never_its_value(use_proxy):
    for name in (*NAMES[:4], *(one.upper() for one in NAMES[:4])):
        advice = proxy_advice("alice.example:1", use_proxy, {name: SECRET})
        assert advice.count(name) >= 1
        assert "hunter2" not in advice
        assert "proxy.example" not in advice
        assert use_proxy or "use_proxy: true" in advice
    assert proxy_advice("alice.example:1", use_proxy, {}) == ""
    assert proxy_advice("alice.example:1", use_proxy, {"http_proxy": ""}) == ""


@pytest.mark.parametrize(
    ("host", "listed", "excepted"),
    [
        *[
            ("alice.example", "alice.example", True),
            ("alice.example", "example", True),
            ("alice.example", ".example", True),
        ],
        *[("alice.example", "a, example", True), ("alice.example", "bob.example", False), ("alice.example", "", False)],
        *[
            ("10.1.2.3", "10.0.0.0/8", True),
            ("11.1.2.3", "10.0.0.0/8", False),
            ("[2001:db8::1]", "2001:db8::/32", True),
        ],
    ],
)
def test_no_proxy_excepts_hosts(host, listed, excepted):
    advice = proxy_advice(f"{host}:1", True, {"http_proxy": SECRET, "no_proxy": listed})
    assert (advice == "") is excepted


def test_a_name_that_does_not_resolve_is_told_from_a_refused_connection():
    error = call("no-such-host.invalid:50051")
    assert type(error) is ConnectionLostError
    assert "cannot be reached: the name no-such-host.invalid does not resolve; correct the address" in str(error)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        error = call(f"127.0.0.1:{taken.getsockname()[1]}")
    assert type(error) is ConnectionLostError
    assert "cannot be reached: the connection is refused, so nothing listens there; check that `party serve`" in str(
        error
    )


def test_what_is_no_party_is_told_from_one():
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as (port, _):
        assert "cannot be reached: what answers there is no party" in str(call(f"127.0.0.1:{port}"))
        credentials = grpc.ssl_channel_credentials(issuing.authority().pem)
        error = call(f"127.0.0.1:{port}", credentials=credentials)
        assert type(error) is IdentityError
        assert "no trusted connection could be made: what answers there speaks no TLS" in str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Failed to connect to remote host: No route to host", "there is no route to alice.example"),
        ("Failed to connect to remote host: Network is unreachable", "there is no route to alice.example"),
        ("connect: Connection timed out (110)", "nothing answers in time"),
        ("tcp handshaker shutdown: handshake timed out", "no TLS handshake follows"),
        ("Handshake read failed (Endpoint closing)", "no TLS handshake follows"),
        ("DNS resolution failed for alice.example:1: C-ares status", "the name alice.example does not resolve"),
        ("something new", "cannot be reached; check that `party serve` runs there"),
    ],
)
def test_other_words_of_grpc_have_their_cause(words, said):
    class Failed(grpc.RpcError):
        def code(self):
            return grpc.StatusCode.UNAVAILABLE

        def details(self):
            return f"failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:1: {words}"

    assert said in str(error_from_rpc(Failed(), "alice", "alice.example:1"))
