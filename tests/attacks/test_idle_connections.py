"""Whoever reaches the port without a certificate: the run's bits, a coordinator that comes, one that is slow."""

import socket

import grpc
import pytest

from tests.attacks.idle_connections import SOURCE, idlers, weights_after
from tests.support.calling import channel_to
from tests.support.organisations import Organisations

AT_ONCE = 300
TIMEOUT_SECONDS = 60
ATTEMPTS = 5  # a coordinator repeats a call whose connection was closed before the party knew who had called


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("idle"), training={"epochs": 4}) as made:
        yield made.start_servers()


def described(organisations):
    """Whether a call over a connection of its own is answered; False if the connection is closed meanwhile."""
    with channel_to(organisations, "alice") as channel:
        grpc.channel_ready_future(channel).result(TIMEOUT_SECONDS)
        try:
            return bool(channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=TIMEOUT_SECONDS))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False


@pytest.mark.parametrize("source", [SOURCE, "127.0.0.1"])
def test_a_coordinator_gets_in_past_those_that_hold_connections(organisations, source):
    """Also from the address that they come from."""
    with idlers(organisations.ports["alice"], at_once=AT_ONCE, source=source):
        for _ in range(3):
            assert any(described(organisations) for _ in range(ATTEMPTS))


def test_a_run_under_attack_ends_with_the_bits_of_an_undisturbed_one(organisations):
    path = organisations.write_run()
    expected, _ = weights_after(organisations, path)
    with (
        idlers(organisations.ports["alice"], at_once=AT_ONCE),
        idlers(organisations.ports["bob"], at_once=AT_ONCE),
    ):
        received, _ = weights_after(organisations, path)
    assert received == expected


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half a ClientHello"])
def test_a_handshake_that_does_not_go_on_is_given_up(organisations, greeting):
    """One connection alone, which no bound on their number touches."""
    with socket.create_connection(("127.0.0.1", organisations.ports["alice"]), TIMEOUT_SECONDS) as made:
        made.sendall(greeting)
        assert made.recv(1) == b""
