"""Calls over one open stream are answered, refused and ended like calls that come alone."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from organisations import COORDINATOR

import party.transport.server as server_module
from coordinator import connect
from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import open_connections
from coordinator.line import DEADLINE_CHECK_SECONDS, Line
from coordinator.patience import Patience
from party.errors import ConnectionLostError, SessionError
from party.pb import party_pb2 as pb
from party.protocol.deferred import Deferred
from party.protocol.label_exchanges import LabelExchanges
from party.transport.conversations import MAXIMUM_CALLS_AHEAD, MAXIMUM_CONVERSATIONS, Conversations

WAIT_SECONDS = 20.0


@pytest.fixture
def organisations(make_organisations):
    return make_organisations().start_servers()


@pytest.fixture
def alice(organisations):
    configuration = load_coordinator_configuration(organisations.write_run())
    connections = open_connections(configuration)
    assert configuration.coordinator == COORDINATOR
    yield connections["alice"]
    for connection in connections.values():
        connection.close()


def line_to(connection, patience_seconds=0.0):
    return Line(connection._converse, Patience(patience_seconds, threading.Event()), connection._as_error)


def test_answers_come_in_order_and_errors_keep_the_line_open(alice):
    for position in (0, 7):
        with pytest.raises(SessionError, match="alice: no such session is open here"):
            alice.call(alice.stub.Forward, pb.ForwardRequest(position=position))
    waiting = [
        alice.begin(alice.stub.Forward, pb.ForwardRequest()),
        alice.begin(alice.stub.Backward, pb.BackwardRequest()),
    ]
    for result in waiting:
        with pytest.raises(SessionError, match="alice: no such session is open here"):
            result()


@pytest.mark.parametrize("method", ["Describe", "Open", "Close", "Nothing", "", "Forward\n"])
def test_only_the_calls_of_batches_can_be_streamed(alice, method):
    line = line_to(alice)
    line.send(method, pb.DescribeRequest())
    with pytest.raises(SessionError, match="cannot be streamed") as refused:
        line.receive(WAIT_SECONDS)
    assert refused.value.__cause__.code() is grpc.StatusCode.FAILED_PRECONDITION
    line.close()


def test_what_is_no_call_is_refused(alice):
    bombs = [b"\xff", pb.ConverseRequest(method="Forward", request=b"\xff").SerializeToString(), b"\x0a\x00" * 1000]
    raw = alice._channel.stream_stream("/split.v1.Party/Converse")
    answers = [pb.ConverseReply.FromString(answer) for answer in raw(iter(bombs), timeout=WAIT_SECONDS)]
    assert [answer.status for answer in answers] == [grpc.StatusCode.FAILED_PRECONDITION.value[0]] * 3
    assert all("request cannot be parsed" in answer.details for answer in answers)


def test_a_party_holds_few_streams_and_a_new_one_ends_the_oldest(alice):
    lines = [line_to(alice) for _ in range(MAXIMUM_CONVERSATIONS + 1)]
    for line in lines:
        line.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            line.receive(WAIT_SECONDS)
    oldest, *others = lines
    oldest.send("Forward", pb.ForwardRequest())
    with pytest.raises(ConnectionLostError):
        oldest.receive(WAIT_SECONDS)
    for line in others:
        line.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            line.receive(WAIT_SECONDS)
    for line in lines:
        line.close()


def test_a_line_with_patience_opens_another_stream_and_sends_again(alice):
    first = line_to(alice, WAIT_SECONDS)
    first.send("Forward", pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        first.receive(WAIT_SECONDS)
    others = [line_to(alice) for _ in range(MAXIMUM_CONVERSATIONS)]
    for line in others:  # which ends the first one's stream
        line.send("Forward", pb.ForwardRequest())
        with pytest.raises(SessionError, match="no such session"):
            line.receive(WAIT_SECONDS)
    for method in ("Forward", "Nothing"):
        first.send(method, pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        first.receive(WAIT_SECONDS)
    with pytest.raises(SessionError, match="Nothing cannot be streamed"):
        first.receive(WAIT_SECONDS)
    for line in (first, *others):
        line.close()


def test_an_answer_that_does_not_come_ends_the_stream(alice):
    line = line_to(alice)
    line.send("Forward", pb.ForwardRequest())
    with pytest.raises(SessionError, match="no such session"):
        line.receive(WAIT_SECONDS)
    with pytest.raises(ConnectionLostError, match="did not answer in time"):  # nothing was sent that could be answered
        line.receive(DEADLINE_CHECK_SECONDS)
    line.close()


def test_open_streams_do_not_hold_up_a_party_that_stops(organisations, alice, monkeypatch):
    monkeypatch.setattr(server_module, "SHUTDOWN_GRACE_SECONDS", 100 * WAIT_SECONDS)
    with pytest.raises(SessionError):
        alice.call(alice.stub.Forward, pb.ForwardRequest())
    stopped = threading.Event()
    thread = threading.Thread(target=lambda: (organisations.stop_server("alice"), stopped.set()))
    thread.start()
    assert stopped.wait(WAIT_SECONDS)
    thread.join()
    alice._patience = Patience(0.0, threading.Event())
    alice.hang_up()
    with pytest.raises(ConnectionLostError):
        alice.call(alice.stub.Forward, pb.ForwardRequest())


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
def streaming(conversations, **serialization):
    """A caller of conversations that a server of their own holds."""
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.stream_stream_rpc_method_handler(conversations.converse)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"Converse": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel.stream_stream("/test/Converse", **serialization)
    finally:
        server.stop(None).wait()


FUSE = pb.ConverseRequest(method="Fuse").SerializeToString()


def test_calls_of_a_stream_begin_only_so_far_ahead_of_their_answers():
    calls = 3 * MAXIMUM_CALLS_AHEAD
    ahead = Ahead(calls)
    with streaming(Conversations("alice", {"Fuse": ahead}, lambda context: COORDINATOR)) as converse:
        answers = converse(iter([FUSE] * calls), timeout=WAIT_SECONDS)
        assert [pb.ConverseReply.FromString(answer).status for answer in answers] == [0] * calls
    assert ahead.most <= MAXIMUM_CALLS_AHEAD + 1


def test_a_call_is_sent_when_it_is_made_and_never_over_a_closed_line():
    arrived = threading.Event()

    def behaviour(raw, context):
        arrived.set()
        return b""

    with streaming(
        Conversations("alice", {"Fuse": behaviour}, lambda context: COORDINATOR),
        request_serializer=pb.ConverseRequest.SerializeToString,
        response_deserializer=pb.ConverseReply.FromString,
    ) as converse:
        line = Line(converse, Patience(0.0, threading.Event()), lambda error: ConnectionLostError("lost"))
        line.send("Fuse", pb.FuseRequest())
        assert arrived.wait(WAIT_SECONDS)
        assert line.receive(WAIT_SECONDS) == b""
        line.close()
        with pytest.raises(SessionError, match="the session has ended"):
            line.send("Fuse", pb.FuseRequest())
        never_used = Line(converse, Patience(0.0, threading.Event()), lambda error: ConnectionLostError("lost"))
        never_used.close()
        with pytest.raises(SessionError, match="the session has ended"):
            never_used.send("Fuse", pb.FuseRequest())


def test_own_update_of_a_real_label_party_follows_its_answer(organisations, monkeypatch):
    gone_on = threading.Event()
    go_on = LabelExchanges.go_on
    monkeypatch.setattr(LabelExchanges, "go_on", lambda self: (go_on(self), gone_on.set()))
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
    conversations = Conversations("alice", {"Fuse": lambda raw, context: b"reply"}, lambda context: COORDINATOR, go_on)
    with streaming(conversations) as converse:
        answers = converse(iter(calls.get, None), timeout=WAIT_SECONDS)
        assert pb.ConverseReply.FromString(next(answers)).reply == b"reply"
        answered.set()
        assert gone_on.wait(WAIT_SECONDS)
        calls.put(None)
        assert list(answers) == []
