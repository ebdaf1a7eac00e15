"""Calls over one open stream are answered, refused and ended like calls that come alone."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import grpc
import pytest

import party.transport.server as server_module
from coordinator import connect
from coordinator.call_stream import DEADLINE_CHECK_SECONDS, CallStream
from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import close_clients, open_clients
from coordinator.retry import RetryPolicy
from party.errors import ConnectionLostError, SessionError
from party.pb import party_pb2 as pb
from party.protocol.deferred import Deferred
from party.protocol.label_exchanges import LabelExchanges
from party.runtime.session_manager import SessionManager
from party.transport.call_streams import (
    MAXIMUM_CALLS_AHEAD,
    MAXIMUM_STREAM_THREADS_OF_CALLER,
    MAXIMUM_STREAMS,
    MAXIMUM_STREAMS_OF_OTHERS,
    CallStreams,
)
from tests.support.organisations import COORDINATOR

WAIT_SECONDS = 20.0
NO_SESSION = pb.SessionReference()


@pytest.fixture
def organisations(make_organisations):
    return make_organisations().start_servers()


@pytest.fixture
def alice(organisations):
    configuration = load_coordinator_configuration(organisations.write_run())
    clients = open_clients(configuration)
    assert configuration.coordinator == COORDINATOR
    yield clients["alice"]
    close_clients(clients)


@pytest.fixture
def owned(monkeypatch):
    """The coordinator counts as the owner of the session."""
    monkeypatch.setattr(SessionManager, "owner_name", COORDINATOR)


def no_retry(seconds=0.0):
    return RetryPolicy(seconds, threading.Event())


def stream_to(client, retry_seconds=0.0):
    transport = client.transport.stream
    return CallStream(transport._method, no_retry(retry_seconds), as_error=transport._as_error)


def test_answers_come_in_order_and_errors_keep_the_stream_open(alice):
    for position in (0, 7):
        with pytest.raises(SessionError, match="alice: no such session is open here"):
            alice.begin_forward(NO_SESSION, position)()
    waiting = [
        alice.begin_forward(NO_SESSION, 0),
        alice.begin_backward(NO_SESSION, 0, None),
    ]
    for result in waiting:
        with pytest.raises(SessionError, match="alice: no such session is open here"):
            result()


@pytest.mark.parametrize("method", ["Describe", "Open", "Close", "Nothing", "", "Forward\n"])
def test_only_the_calls_of_batches_can_be_streamed(alice, method):
    stream = stream_to(alice)
    stream.send(method, pb.DescribeRequest())
    with pytest.raises(SessionError, match="cannot be streamed") as refused:
        stream.receive(WAIT_SECONDS)
    assert refused.value.__cause__.code() is grpc.StatusCode.FAILED_PRECONDITION
    stream.close()


def test_what_is_no_call_is_refused(alice):
    bombs = [b"\xff", pb.StreamCallsRequest(method="Forward", request=b"\xff").SerializeToString(), b"\x0a\x00" * 1000]
    raw = alice.transport._channel.stream_stream("/split.v1.Party/StreamCalls")
    answers = [pb.StreamCallsReply.FromString(answer) for answer in raw(iter(bombs), timeout=WAIT_SECONDS)]
    assert [answer.status for answer in answers] == [grpc.StatusCode.FAILED_PRECONDITION.value[0]] * 3
    assert all("request cannot be parsed" in answer.details for answer in answers)


def test_a_party_holds_few_streams_and_a_new_one_ends_the_oldest(alice, owned):
    streams = [stream_to(alice) for _ in range(MAXIMUM_STREAMS + 1)]
    for stream in streams:
        stream.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            stream.receive(WAIT_SECONDS)
    oldest, *others = streams
    oldest.send("Forward", pb.ForwardRequest())
    with pytest.raises(ConnectionLostError):
        oldest.receive(WAIT_SECONDS)
    for stream in others:
        stream.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            stream.receive(WAIT_SECONDS)
    for stream in streams:
        stream.close()


def test_a_stream_that_may_retry_opens_another_one_and_sends_again(alice, owned):
    first = stream_to(alice, WAIT_SECONDS)
    first.send("Forward", pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        first.receive(WAIT_SECONDS)
    others = [stream_to(alice) for _ in range(MAXIMUM_STREAMS)]
    for stream in others:  # which ends the first one's stream
        stream.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            stream.receive(WAIT_SECONDS)
    for method in ("Forward", "Nothing"):
        first.send(method, pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        first.receive(WAIT_SECONDS)
    with pytest.raises(SessionError, match="Nothing cannot be streamed"):
        first.receive(WAIT_SECONDS)
    for stream in (first, *others):
        stream.close()


def test_an_answer_that_does_not_come_ends_the_stream(alice):
    stream = stream_to(alice)
    stream.send("Forward", pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        stream.receive(WAIT_SECONDS)
    with pytest.raises(ConnectionLostError, match="did not answer in time"):  # nothing was sent that could be answered
        stream.receive(DEADLINE_CHECK_SECONDS)
    stream.close()


def test_open_streams_do_not_hold_up_a_party_that_stops(organisations, alice, monkeypatch):
    monkeypatch.setattr(server_module, "SHUTDOWN_GRACE_SECONDS", 100 * WAIT_SECONDS)
    with pytest.raises(SessionError):
        alice.begin_forward(NO_SESSION, 0)()
    stopped = threading.Event()
    thread = threading.Thread(target=lambda: (organisations.stop_server("alice"), stopped.set()))
    thread.start()
    assert stopped.wait(WAIT_SECONDS)
    thread.join()
    alice.transport.stream._retry = no_retry()
    alice.close_stream()
    with pytest.raises(ConnectionLostError):
        alice.begin_forward(NO_SESSION, 0)()


class Ahead:
    """A behaviour whose answers wait until as many further calls have begun as may; notes how many that were."""

    def __init__(self, calls):
        self.calls = calls
        self.begun = self.answered = self.most = 0
        self.moved = threading.Condition()

    def __call__(self, raw, context):
        with self.moved:
            self.begun += 1
            self.most = max(self.most, self.begun - self.answered)
            self.moved.notify_all()
        return Deferred(self.answer)

    def answer(self):
        with self.moved:
            may_begin = min(self.calls, self.answered + 1 + MAXIMUM_CALLS_AHEAD)
            assert self.moved.wait_for(lambda: self.begun >= may_begin, WAIT_SECONDS)
            self.answered += 1
        return b""


@contextmanager
def streaming(streams, threads=1, **serialization):
    """A caller of streams that a server of their own answers."""
    server = grpc.server(ThreadPoolExecutor(threads))
    handler = grpc.stream_stream_rpc_method_handler(streams.serve)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"StreamCalls": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel.stream_stream("/test/StreamCalls", **serialization)
    finally:
        server.stop(None).wait()


FUSE = pb.StreamCallsRequest(method="Fuse").SerializeToString()


def test_calls_of_a_stream_begin_only_so_far_ahead_of_their_answers():
    calls = 3 * MAXIMUM_CALLS_AHEAD
    ahead = Ahead(calls)
    with streaming(
        CallStreams("alice", {"Fuse": ahead}, authorise=lambda context: COORDINATOR, owner=lambda: COORDINATOR)
    ) as call:
        answers = call(iter([FUSE] * calls), timeout=WAIT_SECONDS)
        assert [pb.StreamCallsReply.FromString(answer).status for answer in answers] == [0] * calls
    assert ahead.most <= MAXIMUM_CALLS_AHEAD + 1


def test_a_call_is_sent_when_it_is_made_and_never_over_a_closed_stream():
    arrived = threading.Event()

    def behaviour(raw, context):
        arrived.set()
        return b""

    with streaming(
        CallStreams("alice", {"Fuse": behaviour}, authorise=lambda context: COORDINATOR, owner=lambda: COORDINATOR),
        request_serializer=pb.StreamCallsRequest.SerializeToString,
        response_deserializer=pb.StreamCallsReply.FromString,
    ) as call:
        stream = CallStream(call, no_retry(), as_error=lambda error: ConnectionLostError("lost"))
        stream.send("Fuse", pb.FuseRequest())
        assert arrived.wait(WAIT_SECONDS)
        assert stream.receive(WAIT_SECONDS) == b""
        stream.close()
        with pytest.raises(SessionError, match="the session has ended"):
            stream.send("Fuse", pb.FuseRequest())
        never_used = CallStream(call, no_retry(), as_error=lambda error: ConnectionLostError("lost"))
        never_used.close()
        with pytest.raises(SessionError, match="the session has ended"):
            never_used.send("Fuse", pb.FuseRequest())


def test_own_update_of_a_real_label_party_follows_its_answer(organisations, monkeypatch):
    gone_on = threading.Event()
    finish_update = LabelExchanges.finish_update
    monkeypatch.setattr(LabelExchanges, "finish_update", lambda self: (finish_update(self), gone_on.set()))
    with connect(organisations.write_run({"epochs": 1})) as parties:
        parties.align()
        parties.fit()
    assert gone_on.is_set()


def test_what_can_wait_is_done_after_the_answer_without_a_further_call():
    answered, gone_on = threading.Event(), threading.Event()

    def go_on():
        assert answered.wait(WAIT_SECONDS)
        gone_on.set()

    calls = queue.SimpleQueue()
    calls.put(FUSE)
    streams = CallStreams(
        "alice",
        {"Fuse": lambda raw, context: b"reply"},
        authorise=lambda context: COORDINATOR,
        owner=lambda: COORDINATOR,
        after_answer=go_on,
    )
    with streaming(streams) as call:
        answers = call(iter(calls.get, None), timeout=WAIT_SECONDS)
        assert pb.StreamCallsReply.FromString(next(answers)).reply == b"reply"
        answered.set()
        assert gone_on.wait(WAIT_SECONDS)
        calls.put(None)
        assert list(answers) == []


class Held:
    """Streams to a server of their own, by callers that metadata name."""

    def __init__(self, call):
        self._call = call
        self._calls = queue.SimpleQueue()

    def open(self, caller):
        """Opens a stream that stays open and has its first call answered."""
        calls = iter(self._calls.get, None)
        made = self._call(chain([FUSE], calls), timeout=WAIT_SECONDS, metadata=(("caller", caller),))
        assert pb.StreamCallsReply.FromString(next(made)).reply == b"reply"
        return made


def caller_of(context):
    return dict(context.invocation_metadata())["caller"]


def test_whoever_does_not_own_the_session_holds_one_stream_and_all_of_those_a_few():
    """The owner keeps its own, whatever the others do."""
    answered = {"Fuse": lambda raw, context: b"reply"}
    streams = CallStreams("alice", answered, authorise=caller_of, owner=lambda: COORDINATOR)
    with streaming(streams, threads=MAXIMUM_STREAM_THREADS_OF_CALLER * 2) as call:
        held = Held(call)
        own = [held.open(COORDINATOR) for _ in range(MAXIMUM_STREAMS)]
        others = [held.open(f"other-{number}") for number in range(MAXIMUM_STREAMS_OF_OTHERS)]
        again = held.open("other-1")
        assert others[1].code() is grpc.StatusCode.CANCELLED
        further = held.open("further")
        assert others[0].code() is grpc.StatusCode.CANCELLED
        assert all(one.is_active() for one in (*own, *others[2:], again, further))
        latest = held.open(COORDINATOR)
        assert own[0].code() is grpc.StatusCode.CANCELLED
        assert all(one.is_active() for one in (*own[1:], latest, *others[2:], again, further))
        for one in (*own, *others, again, further, latest):
            one.cancel()


def test_streams_that_were_ended_count_while_a_call_of_theirs_is_computed():
    begun, go_on = threading.Semaphore(0), threading.Event()

    def computed(raw, context):
        begun.release()
        assert go_on.wait(WAIT_SECONDS)
        return b"reply"

    streams = CallStreams("alice", {"Fuse": computed}, authorise=caller_of, owner=lambda: COORDINATOR)
    with streaming(streams, threads=MAXIMUM_STREAM_THREADS_OF_CALLER + 1) as call:
        mine = {"timeout": WAIT_SECONDS, "metadata": (("caller", COORDINATOR),)}
        opened = []  # what is forgotten is cancelled
        for _ in range(MAXIMUM_STREAM_THREADS_OF_CALLER):
            opened.append(call(iter([FUSE]), **mine))
            assert begun.acquire(timeout=WAIT_SECONDS)
        assert call(iter([FUSE]), **mine).code() is grpc.StatusCode.UNAVAILABLE
        go_on.set()
