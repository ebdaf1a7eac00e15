"""Every call of a client arrives at a party as it was meant, and is sent again only where it may be."""

import threading
from concurrent import futures
from contextlib import contextmanager
from functools import partial

import grpc
import pytest

from coordinator import rpcs
from coordinator.party_client import PartyClient
from coordinator.retry import RetryPolicy
from coordinator.transports import PartyTransport
from party.errors import ConnectionLostError, PolicyError, SessionError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import HelloSignature, Purpose
from party.protocol.checkpoints import Mark
from party.protocol.shuffled_column import ShuffledColumn
from party.transport.errors import error_from_rpc, error_to_status
from tests.support.raw_calls import RPCS

SERVICE = pb.DESCRIPTOR.services_by_name["Party"]
TIMEOUT_SECONDS = 20.0
SESSION = pb.SessionReference(run_id=b"run", lease=b"lease", incarnation=b"incarnation")
ENVELOPE = pb.Envelope(sender="bob", receiver="alice", ciphertext=b"sealed")
SIGNATURE = HelloSignature(party="bob", signature=b"signature")
PSI = pb.MESSAGE_KIND_PSI_REQUEST

# What each method of the client sends, and how it is called.
CALLS = {
    "Describe": (pb.DescribeRequest(), lambda client: client.describe()),
    "Probe": (pb.ProbeRequest(payload=b"ab", reply_bytes=3), lambda client: client.probe(b"ab", 3)),
    "Open": (
        pb.OpenRequest(
            session=SESSION,
            purpose=Purpose.PURPOSE_TRAIN,
            configuration=b"{}",
            dataset="test",
            realign=True,
            start_step=5,
            lineage=b"lineage",
            resume=True,
            without=["charlie"],
            continues=b"another run, 16b",
            shuffled_party="alice",
            shuffled_column=2,
        ),
        lambda client: client.open(
            SESSION,
            Purpose.PURPOSE_TRAIN,
            configuration=b"{}",
            dataset="test",
            realign=True,
            start=Mark(5, b"lineage"),
            resume=True,
            without=["charlie"],
            continues=b"another run, 16b",
            shuffled=ShuffledColumn("alice", 2),
        ),
    ),
    "Agree": (
        pb.AgreeRequest(session=SESSION, hellos=[b"a", b"b"]),
        lambda client: client.agree(SESSION, [b"a", b"b"]),
    ),
    "Authenticate": (
        pb.AuthenticateRequest(session=SESSION, signatures=[SIGNATURE]),
        lambda client: client.authenticate(SESSION, [SIGNATURE]),
    ),
    "Confirm": (
        pb.ConfirmRequest(session=SESSION, confirmations=[ENVELOPE]),
        lambda client: client.confirm(SESSION, [ENVELOPE]),
    ),
    "Produce": (
        pb.ProduceRequest(session=SESSION, kind=PSI, dataset="train", receiver="bob", index=2),
        lambda client: client.produce(SESSION, PSI, dataset="train", receiver="bob", index=2),
    ),
    "Consume": (
        pb.ConsumeRequest(session=SESSION, kind=PSI, dataset="train", sender="bob", index=2, envelope=ENVELOPE),
        lambda client: client.consume(SESSION, PSI, dataset="train", sender="bob", index=2, envelope=ENVELOPE),
    ),
    "Forward": (pb.ForwardRequest(session=SESSION, position=7), lambda client: client.begin_forward(SESSION, 7)()),
    "Fuse": (
        pb.FuseRequest(session=SESSION, position=7, hiddens=[ENVELOPE]),
        lambda client: client.begin_fuse(SESSION, 7, [ENVELOPE])(),
    ),
    "Backward": (
        pb.BackwardRequest(session=SESSION, position=7, gradient=ENVELOPE),
        lambda client: client.begin_backward(SESSION, 7, ENVELOPE)(),
    ),
    "Decide": (pb.DecideRequest(session=SESSION, position=7), lambda client: client.decide(SESSION, 7)),
    "Follow": (
        pb.FollowRequest(session=SESSION, position=7, decision=ENVELOPE),
        lambda client: client.begin_follow(SESSION, 7, ENVELOPE)(),
    ),
    "Snapshot": (pb.SnapshotRequest(session=SESSION, step=4), lambda client: client.begin_snapshot(SESSION, 4)()),
    "Prepare": (pb.PrepareRequest(session=SESSION, step=4), lambda client: client.prepare(SESSION, 4)),
    "Commit": (
        pb.CommitRequest(session=SESSION, step=4, vouchers=[ENVELOPE]),
        lambda client: client.commit(SESSION, 4, [ENVELOPE]),
    ),
    "Report": (
        pb.ReportRequest(session=SESSION, steps_seen=9),
        lambda client: client.report(SESSION, steps_seen=9),
    ),
    "Finish": (pb.FinishRequest(session=SESSION), lambda client: client.finish(SESSION)),
    "Close": (pb.CloseRequest(session=SESSION), lambda client: client.close_session(SESSION)),
}


class Party(grpc.GenericRpcHandler):
    """Notes every request by method; answers with an empty reply, but for the first ones, which meet errors.

    Args:
        errors: of the first calls, in their order.
    """

    def __init__(self, errors=()):
        self.requests = []
        self.streams = 0
        self._errors = list(errors)

    def service(self, handler_call_details):
        name = handler_call_details.method.rpartition("/")[2]
        if name == "StreamCalls":
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(partial(self._answer, name))

    def _answer(self, name, raw, context):
        self.requests.append((name, raw))
        if self._errors:
            status, details = error_to_status(self._errors.pop(0))
            context.abort(status, details)
        return b""

    def _stream(self, calls, context):
        self.streams += 1
        for raw in calls:
            call = pb.StreamCallsRequest.FromString(raw)
            self.requests.append((call.method, call.request))
            error = self._errors.pop(0) if self._errors else None
            if isinstance(error, ConnectionLostError):
                context.abort(*error_to_status(error))
            status, details = error_to_status(error) if error else (grpc.StatusCode.OK, "")
            yield pb.StreamCallsReply(status=status.value[0], details=details).SerializeToString()


@contextmanager
def client_of(party, retry_seconds=TIMEOUT_SECONDS):
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[party])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stopped = threading.Event()
    transport = PartyTransport(
        grpc.insecure_channel(f"127.0.0.1:{port}"),
        RetryPolicy(retry_seconds, stopped, draw=lambda: 0.0),
        timeout_seconds=TIMEOUT_SECONDS,
        as_error=partial(error_from_rpc, party="alice", address="host:1"),
    )
    client = PartyClient("alice", "host:1", transport, trusted=None, stopped=stopped)
    try:
        yield client
    finally:
        client.close()
        server.stop(None).wait()


def lost():
    return ConnectionLostError("is away for a moment", where="alice")


def test_client_and_service_have_the_same_calls():
    assert set(CALLS) == set(RPCS) == {method.name for method in SERVICE.methods} - {"StreamCalls"}
    for name, rpc in RPCS.items():
        assert rpc.name == name
        assert rpc.reply.DESCRIPTOR.name == SERVICE.methods_by_name[name].output_type.name
        assert CALLS[name][0].DESCRIPTOR.name == SERVICE.methods_by_name[name].input_type.name


@pytest.mark.parametrize("name", CALLS)
def test_a_call_arrives_with_all_its_fields_and_gives_a_reply_of_its_kind(name):
    request, call = CALLS[name]
    with client_of(party := Party()) as client:
        assert type(call(client)) is RPCS[name].reply
    ((method, raw),) = party.requests
    assert method == name
    assert type(request).FromString(raw) == request
    assert party.streams == RPCS[name].streamed


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_got_lost_is_asked_for_again_only_where_that_is_safe(name):
    """Before parties have agreed on a session they hold no replies: a repeated call would be another one."""
    _, call = CALLS[name]
    repeatable = name not in {"Describe", "Open", "Agree", "Authenticate", "Confirm", "Close"}
    with client_of(party := Party([lost(), lost()])) as client:
        if repeatable:
            assert type(call(client)) is RPCS[name].reply
        else:
            with pytest.raises(ConnectionLostError, match="alice: is away for a moment"):
                call(client)
    assert len(party.requests) == (3 if repeatable else 1)
    assert len(set(party.requests)) == 1, "what is sent again is the same to the byte"


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_is_raised_with_its_fields_and_not_asked_for_again(name):
    refusal = PolicyError("refused by policy.x", where="alice", expected="1", received="2", fix="ask the owner")
    with client_of(party := Party([refusal])) as client, pytest.raises(PolicyError) as caught:
        CALLS[name][1](client)
    assert caught.value.fields == refusal.fields
    assert caught.value.party == "alice"
    assert str(caught.value) == str(refusal)
    assert len(party.requests) == 1


@pytest.mark.parametrize("name", ["Probe", "Forward"])
def test_a_lost_connection_is_raised_once_the_time_to_retry_is_over(name):
    with client_of(Party([lost()] * 2), retry_seconds=0.0) as client, pytest.raises(ConnectionLostError):
        CALLS[name][1](client)


def test_calls_that_do_not_wait_are_answered_in_their_order():
    with client_of(party := Party([SessionError("first"), SessionError("second")])) as client:
        pending = [client.begin_forward(SESSION, 0), client.begin_backward(SESSION, 0, None)]
        last = client.begin_forward(SESSION, 1)
        for result, text in zip(pending, ("first", "second"), strict=True):
            with pytest.raises(SessionError, match=text):
                result()
        assert last() == pb.ForwardReply()
    assert [name for name, _ in party.requests] == ["Forward", "Backward", "Forward"]
    assert party.streams == 1


def test_a_closed_stream_is_opened_anew_by_the_next_call_and_gives_no_answer_to_earlier_ones():
    with client_of(party := Party()) as client:
        client.begin_forward(SESSION, 0)()
        pending = client.begin_forward(SESSION, 1)
        client.close_stream()
        with pytest.raises(SessionError, match="the session has ended"):
            pending()
        assert client.begin_forward(SESSION, 2)() == pb.ForwardReply()
    assert party.streams == 2


def test_only_calls_of_batches_are_streamed():
    assert {rpc.name for rpc in RPCS.values() if rpc.streamed} == {"Forward", "Fuse", "Backward", "Snapshot"}
    assert rpcs.FORWARD.repeatable
