"""Connections of strangers over real sockets: too many are ended, and nothing else ever is."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.security.tls import MAX_CONNECTIONS
from party.transport.guard import MAXIMUM_STRANGERS, MAXIMUM_STRANGERS_PER_ADDRESS, ConnectionGuard
from party.transport.peers import peer_at, peer_named
from party.transport.sockets import Accepted, AcceptedSockets
from party.transport.surplus import surplus
from party.transport.vouches import MAXIMUM_VOUCHED, MAXIMUM_VOUCHED_PER_CALLER, REVOKED_SECONDS

FIRST, SECOND, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"
CALLER, OTHER = "coordinator", "auditor"


class Listener:
    """A server of this process that accepts and does nothing; both ends of every connection stay open."""

    def __init__(self, held, family=socket.AF_INET, address="127.0.0.1"):
        self._held = held
        self._address = address
        self.socket = held.enter_context(socket.create_server((address, 0), family=family, backlog=256))
        self.port = self.socket.getsockname()[1]
        self.sockets = AcceptedSockets(self.port)
        self.seconds = 0.0
        self.guard = ConnectionGuard(self.sockets, lambda: self.seconds)

    def connect(self, source=FIRST):
        """The client's and the server's end of a new connection."""
        family = self.socket.family
        client = self._held.enter_context(socket.socket(family))
        if family == socket.AF_INET:
            client.bind((source, 0))
        client.connect((self._address, self.port))
        return client, self._held.enter_context(self.socket.accept()[0])

    def connect_many(self, count, source=FIRST):
        return [self.connect(source) for _ in range(count)]

    def call(self, pair, caller=CALLER):
        """Has an authorised call come over a connection, later than all before."""
        self.seconds += 0.001
        self.guard.vouch(name_of(pair[1]), caller, self.guard.revocations)

    def called(self, count, caller=CALLER):
        """New connections with an authorised call each."""
        pairs = self.connect_many(count)
        for pair in pairs:
            self.call(pair, caller)
        return pairs


@pytest.fixture
def held():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def listener(held):
    return Listener(held)


def name_of(server_end):
    host, port = server_end.getpeername()[:2]
    return f"ipv4:{host}:{port}"


def are_ended(pairs):
    """For each connection, whether the server's end was shut: its client reads the end of it."""
    ended = []
    for client, _ in pairs:
        client.setblocking(False)
        try:
            ended.append(client.recv(1) == b"")
        except BlockingIOError:
            ended.append(False)
    return ended


def test_the_oldest_of_an_address_are_ended_and_as_many_as_are_allowed_stay(listener):
    early = listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS)
    assert listener.guard.check_connections() == 0
    late = listener.connect_many(5)
    assert listener.guard.check_connections() == 5
    assert sum(are_ended(early)) == 5
    assert not any(are_ended(late))


def test_another_address_is_not_touched(listener):
    other = listener.connect(SECOND)
    flood = listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS + 3)
    assert listener.guard.check_connections() == 3
    assert are_ended([other]) == [False]
    assert sum(are_ended(flood)) == 3


def test_a_connection_with_an_authorised_call_is_never_ended_whatever_its_address_does(listener):
    mine = listener.connect()
    listener.call(mine)
    for _ in range(3):
        listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS + 1)
        assert listener.guard.check_connections() > 0
        assert are_ended([mine]) == [False]


def test_a_caller_has_few_connections_and_those_without_a_call_for_long_are_ended(listener):
    others = listener.called(MAXIMUM_VOUCHED_PER_CALLER, OTHER)
    oldest, idle, *rest = listener.called(MAXIMUM_VOUCHED_PER_CALLER)
    listener.guard.check_connections()
    listener.call(oldest)
    latest = listener.called(1)
    assert listener.guard.check_connections() == 1
    assert are_ended([idle]) == [True]
    assert not any(are_ended([oldest, *rest, *latest, *others]))


def test_all_callers_together_leave_room_for_connections_that_are_being_set_up(listener):
    assert MAXIMUM_STRANGERS + MAXIMUM_VOUCHED < MAX_CONNECTIONS
    assert MAXIMUM_VOUCHED_PER_CALLER <= MAXIMUM_VOUCHED // 2
    held = [listener.called(MAXIMUM_VOUCHED_PER_CALLER, f"caller-{number}") for number in range(3)]
    assert sum(map(len, held)) == MAXIMUM_VOUCHED
    single = listener.called(1, OTHER)
    assert listener.guard.check_connections() == 1
    assert are_ended(single) == [False]
    assert are_ended(held[0])[0]


def test_connections_end_soon_after_their_callers_trust_does(listener):
    revoked, mine = listener.called(2, OTHER), listener.called(2)
    listener.guard.check_connections()
    listener.guard.revoke([OTHER])
    assert listener.guard.check_connections() == 0, "a call of this moment is refused by name"
    listener.seconds += REVOKED_SECONDS
    listener.call(revoked[0], OTHER)  # it is trusted again, in another way
    assert listener.guard.check_connections() == 1
    assert are_ended([*revoked, *mine]) == [False, True, False, False]


def test_a_call_that_was_authorised_before_trust_ended_keeps_no_connection(listener):
    before = listener.guard.revocations
    pair = listener.connect()
    listener.guard.revoke([OTHER])
    listener.guard.vouch(name_of(pair[1]), OTHER, before)
    listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS)
    assert listener.guard.check_connections() == 1
    assert are_ended([pair]) == [True]


def test_many_addresses_together_have_a_bound_too(listener):
    for source in (FIRST, SECOND, THIRD):
        listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS, source)
    single = listener.connect("127.0.0.9")
    assert listener.guard.check_connections() == 3 * MAXIMUM_STRANGERS_PER_ADDRESS + 1 - MAXIMUM_STRANGERS
    assert are_ended([single]) == [False]


def test_what_was_authorised_does_not_pass_on_to_the_next_connection_of_the_same_port(held, listener):
    client, server = listener.connect()
    source = client.getsockname()
    listener.call((client, server))
    listener.guard.check_connections()
    server.close()  # the side that closes first is the one whose port stays taken for a while
    client.close()
    again = held.enter_context(socket.socket())
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    again.bind(source)
    try:
        again.connect(("127.0.0.1", listener.port))
    except OSError:
        pytest.skip("this system keeps the port of a closed connection")
    accepted = held.enter_context(listener.socket.accept()[0])
    listener.guard.check_connections()
    listener.connect_many(MAXIMUM_STRANGERS_PER_ADDRESS)
    assert listener.guard.check_connections() == 1
    assert are_ended([(again, accepted)]) == [True]


def test_connections_of_others_listeners_and_other_sockets_are_not_seen(held, listener):
    elsewhere = Listener(held)
    elsewhere.connect_many(3)
    outgoing = held.enter_context(socket.create_connection(("127.0.0.1", elsewhere.port)))
    one, other = socket.socketpair()
    held.enter_context(one)
    held.enter_context(other)
    mine = listener.connect()
    assert [found.descriptor for found in listener.sockets.all()] == [mine[1].fileno()]
    assert outgoing.fileno() not in [found.descriptor for found in elsewhere.sockets.all()]


def test_whatever_takes_the_place_of_a_descriptor_is_left_alone(held, listener):
    """Between finding a connection and ending it, its number may come to mean another one."""
    _, server = listener.connect()
    bystander = listener.connect(SECOND)
    found = next(one for one in listener.sockets.all() if one.descriptor == server.fileno())
    os.dup2(bystander[1].fileno(), server.fileno())
    assert not listener.sockets.end(found)
    assert are_ended([bystander]) == [False]
    server.close()
    with socket.socket() as unconnected, Path(os.devnull).open() as file:
        for number in (unconnected.fileno(), file.fileno()):
            assert not listener.sockets.end(Accepted(number, found.inode, found.peer))
    assert not listener.sockets.end(found)


def test_ipv6_is_seen_under_the_name_that_grpc_has_for_it(held):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no IPv6")
    listener = Listener(held, socket.AF_INET6, "::1")
    client, _ = listener.connect()
    (found,) = listener.sockets.all()
    assert found.peer == peer_named(f"ipv6:%5B::1%5D:{client.getsockname()[1]}")


@pytest.mark.parametrize(
    ("name", "host", "port", "network"),
    [
        ("ipv4:192.0.2.7:4321", "192.0.2.7", 4321, "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:80", "2001:db8::1", 80, "2001:db8::/64"),
        ("ipv6:[2001:db8:0:1::1]:80", "2001:db8:0:1::1", 80, "2001:db8:0:1::/64"),
        ("ipv6:[fe80::1%25eth0]:80", "fe80::1%eth0", 80, "fe80::/64"),
        ("ipv6:[::ffff:192.0.2.7]:80", "::ffff:192.0.2.7", 80, "192.0.2.7"),
    ],
)
def test_peers_are_written_in_one_way(name, host, port, network):
    assert peer_named(name) == peer_at(host, port)
    assert peer_named(name).network == network


addresses = st.integers(0, 5).map(lambda number: f"192.0.2.{number}")


@given(st.lists(addresses, max_size=80))
def test_what_is_left_is_within_the_bounds_and_no_more_is_ended_than_must_be(hosts):
    strangers = [Accepted(number, number, peer_at(host, 1024 + number)) for number, host in enumerate(hosts)]
    chosen = surplus(
        strangers, lambda one: one.peer.network, each=MAXIMUM_STRANGERS_PER_ADDRESS, total=MAXIMUM_STRANGERS
    )
    left = [one for one in strangers if one not in chosen]
    by_host = {host: sum(one.peer.network == host for one in left) for host in hosts}
    assert len(left) <= MAXIMUM_STRANGERS
    assert all(count <= MAXIMUM_STRANGERS_PER_ADDRESS for count in by_host.values())
    allowed = sum(min(hosts.count(host), MAXIMUM_STRANGERS_PER_ADDRESS) for host in set(hosts))
    assert len(left) == min(allowed, MAXIMUM_STRANGERS)
    for one in chosen:  # no younger one of its network was ended in its place
        assert all(
            other in chosen or other.inode > one.inode for other in strangers if other.peer.host == one.peer.host
        )
