"""A party of several coordinators: whatever one of them holds, the others are served."""

import json
import time
from contextlib import ExitStack

import grpc
import pytest

from coordinator import connect
from party.configuration.party import load_party_configuration
from party.pb import party_pb2 as pb
from party.runtime.session_manager import SessionManager
from party.security.tls import MAX_CONNECTIONS
from party.transport.call_places import MAXIMUM_CALLS, MAXIMUM_CALLS_IN_ALL, MAXIMUM_WAITING_CALLS
from party.transport.call_streams import MAXIMUM_STREAM_THREADS, MAXIMUM_STREAMS
from party.transport.server import HANDLER_THREADS
from party.transport.sockets import AcceptedSockets
from party.transport.vouches import MAXIMUM_VOUCHED_PER_CALLER
from tests.support.calling import TAKES_NOTHING, TIMEOUT_SECONDS, Silent, channel_to
from tests.support.organisations import COORDINATOR, Organisations, authority

AUDITOR, STRANGER = "auditor", "stranger"
PROBE = pb.ProbeRequest(reply_bytes=1 << 20).SerializeToString()
FORWARD = pb.StreamCallsRequest(method="Forward").SerializeToString()


def coordinators():
    return [
        {"name": COORDINATOR, "ca": authority(COORDINATOR)},
        {"name": AUDITOR, "ca": authority(AUDITOR), "purposes": ["evaluate"], "datasets": ["train"]},
    ]


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Two parties in this process; the second coordinator may only evaluate."""
    overrides = {name: {"coordinators": coordinators()} for name in ("alice", "bob")}
    training = {"maximum_steps": 2}
    with Organisations(tmp_path_factory.mktemp("shared"), training=training, overrides=overrides) as made:
        made.add_coordinator(AUDITOR)
        made.add_stranger(STRANGER)
        yield made.start_servers()


@pytest.fixture
def held():
    with ExitStack() as stack:
        yield stack


def describe(channel, **options):
    return channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=TIMEOUT_SECONDS, **options)


def stream(channel, held):
    """Opens a stream that stays open, and has a call answered over it."""
    silent = Silent(channel.stream_unary("/split.v1.Party/Describe"), 0)
    held.callback(silent.end)

    def calls():
        yield FORWARD
        yield from silent.message()

    made = channel.stream_stream("/split.v1.Party/StreamCalls")(calls())
    assert pb.StreamCallsReply.FromString(next(made)).status
    return made


def unread_replies(channel, count):
    """Has calls answered whose replies are not taken; the answers' headers have arrived."""
    probe = channel.unary_stream("/split.v1.Party/Probe")
    calls = []
    for _ in range(count):
        calls.append(probe(PROBE))
        assert calls[-1].initial_metadata() is not None
    return calls


def test_there_are_more_threads_than_all_callers_hold():
    assert HANDLER_THREADS > MAXIMUM_CALLS_IN_ALL + MAXIMUM_STREAM_THREADS


@pytest.mark.parametrize("owns", [False, True], ids=["without the session", "with the session"])
def test_another_coordinator_is_served_whatever_one_holds(organisations, held, monkeypatch, owns):
    """Streams, calls whose message does not come, and replies that are not taken, at both parties."""
    if owns:
        monkeypatch.setattr(SessionManager, "owner_name", AUDITOR)
    for party in organisations.names:
        taking, not_taking = (
            held.enter_context(channel_to(organisations, party, AUDITOR, options)) for options in ((), TAKES_NOTHING)
        )
        streams = [stream(taking, held) for _ in range(MAXIMUM_STREAMS)]
        for one in streams[:-1]:
            assert owns or one.code() is grpc.StatusCode.CANCELLED, "the last one took the place of each before"
        silent = Silent(taking.stream_unary("/split.v1.Party/Describe"), MAXIMUM_WAITING_CALLS + 1)
        held.callback(silent.end)
        silent.wait_for_refusals(1)
        held.callback(lambda calls: [one.cancel() for one in calls], unread_replies(not_taking, 2))
        with channel_to(organisations, party) as channel:
            assert describe(channel)
    with connect(organisations.write_run()) as parties:
        parties.align()
        assert parties.fit().run_id


def test_replies_that_are_not_taken_are_bounded(organisations, held):
    with (
        channel_to(organisations, "alice", AUDITOR, TAKES_NOTHING) as not_taking,
        channel_to(organisations, "alice", AUDITOR) as other,
    ):
        calls = unread_replies(not_taking, MAXIMUM_CALLS)
        with pytest.raises(grpc.RpcError) as caught:
            describe(other)
        assert json.loads(caught.value.details())["what"] == "has too many calls of this coordinator under way"
        with channel_to(organisations, "alice") as channel:
            assert describe(channel)
        for one in calls:
            one.cancel()


def test_streams_that_are_refused_hold_no_thread_though_the_refusal_is_not_taken(organisations, held):
    channels = [
        held.enter_context(channel_to(organisations, "alice", STRANGER, TAKES_NOTHING))
        for _ in range(HANDLER_THREADS // 16)
    ]
    streams = [
        channel.stream_stream("/split.v1.Party/StreamCalls")(iter([FORWARD]), timeout=TIMEOUT_SECONDS)
        for channel in channels
        for _ in range(16)
    ]
    assert {one.code() for one in streams} == {grpc.StatusCode.UNAUTHENTICATED}
    with channel_to(organisations, "alice") as channel:
        assert describe(channel)


def wait_until(holds, channel):
    """Makes calls until something holds."""
    end_seconds = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < end_seconds
        assert describe(channel)


def test_connections_of_one_coordinator_leave_room_for_others(organisations, held):
    for _ in range(MAX_CONNECTIONS + 2):
        channel = held.enter_context(channel_to(organisations, "alice", AUDITOR))
        assert describe(channel, wait_for_ready=True)
    accepted = AcceptedSockets(organisations.ports["alice"])
    with channel_to(organisations, "alice") as channel:
        assert describe(channel, wait_for_ready=True)
        wait_until(lambda: len(accepted.all()) <= MAXIMUM_VOUCHED_PER_CALLER + 1, channel)
        assert len(accepted.all()) == MAXIMUM_VOUCHED_PER_CALLER + 1


def test_connections_of_a_coordinator_that_is_removed_end(organisations, held, monkeypatch):
    monkeypatch.setattr("party.transport.vouches.REVOKED_SECONDS", 0.0)
    mine = held.enter_context(channel_to(organisations, "bob"))
    assert describe(mine)
    revoked = []
    for _ in range(MAXIMUM_VOUCHED_PER_CALLER):
        channel = held.enter_context(channel_to(organisations, "bob", AUDITOR))
        assert describe(channel)
        revoked.append(channel)
    held_stream = stream(revoked[0], held)
    organisations.write_party("bob", coordinators=coordinators()[:1])
    configuration = load_party_configuration(organisations.party_path("bob"))
    assert organisations.servers["bob"].revise(configuration).removed == (AUDITOR,)
    assert held_stream.code() is grpc.StatusCode.UNAVAILABLE
    accepted = AcceptedSockets(organisations.ports["bob"])
    wait_until(lambda: len(accepted.all()) == 1, mine)
    with pytest.raises(grpc.RpcError):
        describe(revoked[0])
