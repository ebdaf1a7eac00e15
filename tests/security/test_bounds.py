"""Messages that are too long, or unfold when they are read: refused, and the memory of `party serve` stays bounded."""

import contextlib
import json
import math
import queue
from datetime import UTC, datetime
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator import connect
from party.channel.matrix_encoding import maximum_bytes
from party.cut.layout import CutLayout
from party.errors import ErrorFields, TensorError
from party.pb import party_pb2 as pb
from party.pb.tensor_pb2 import CODEC_UNSPECIFIED
from party.protocol.phases import SessionPhase
from party.security.certificates import Usage, own_identity
from party.security.fields import has_at_most_fields
from party.security.sealing import Slot
from party.security.tls import MAX_MESSAGE_BYTES, MAX_STREAMS_PER_CONNECTION, channel_credentials
from party.security.trust import load_authorities
from party.transport.server import HANDLER_THREADS
from tests.support.calling import channel_to
from tests.support.messages import tensor_message
from tests.support.organisations import BATCH_SIZE, COORDINATOR, Organisations
from tests.support.relaying import Relay

MIB = 1 << 20
STRANGER = "stranger"
TIMEOUT_SECONDS = 60
METHODS = [one.name for one in pb.DESCRIPTOR.services_by_name["Party"].methods]
EMPTY_SUB_MESSAGES = {
    "Fuse": (b"\x1a\x00", 16 * MIB),
    "Agree": (b"\x12\x00", 4 * MIB),
    "Authenticate": (b"\x12\x00", 4 * MIB),
    "Confirm": (b"\x12\x00", 4 * MIB),
    "StreamCalls": (b"\x12\x00", 16 * MIB),
}


class Process:
    """The memory of a process."""

    def __init__(self, number):
        self._folder = Path(f"/proc/{number}")

    def reset_peak(self):
        (self._folder / "clear_refs").write_text("5")
        return self._read("VmRSS")

    @property
    def peak_bytes(self):
        return self._read("VmHWM")

    def _read(self, key):
        line = next(line for line in (self._folder / "status").read_text().splitlines() if line.startswith(key))
        return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """alice in this process, where a test can do with her what it likes; bob, the label party, in one of its own."""
    folder = tmp_path_factory.mktemp("bounds")
    with Organisations(folder, training={"maximum_steps": 2}) as made:
        made.add_stranger(STRANGER)
        made.start_server("alice")
        made.start("bob")
        with connect(made.write_run()) as parties:
            parties.align()
            parties.fit()  # whatever a first run allocates for good is there before anything is measured
        yield made


@pytest.fixture(scope="module")
def bob(organisations):
    return Process(organisations.processes["bob"].process.pid)


def channel(organisations, caller):
    """A connection to bob without any of the bounds that a coordinator keeps by itself."""
    folder = organisations.certificates(caller)
    certificate, key = folder / f"{caller}.pem", folder / f"{caller}-key.pem"
    identity = own_identity(caller, certificate, key, usage=Usage.COORDINATOR, now=datetime.now(UTC))
    credentials = channel_credentials(identity, load_authorities(organisations.certificates("bob") / "bob-ca.pem"))
    options = [("grpc.ssl_target_name_override", "bob"), ("grpc.max_send_message_length", -1)]
    return grpc.secure_channel(f"127.0.0.1:{organisations.ports['bob']}", credentials, options=options)


@pytest.fixture(scope="module")
def trusted(organisations):
    with channel(organisations, COORDINATOR) as made:
        yield made


@pytest.fixture(scope="module")
def stranger(organisations):
    with channel(organisations, STRANGER) as made:
        yield made


def text_of(details):
    """The message of an error that a party sent; what gRPC says where it is none."""
    try:
        fields = json.loads(details)
    except ValueError:
        return details
    assert fields.pop("code")
    return ErrorFields(**fields).message


def refusal(made, method, raw, **options):
    if method == "StreamCalls":  # an error is a message of the stream
        stream = made.stream_stream("/split.v1.Party/StreamCalls")(iter([raw]), timeout=TIMEOUT_SECONDS, **options)
        try:
            (answer,) = [pb.StreamCallsReply.FromString(one) for one in stream]
        except grpc.RpcError as error:  # the stream itself was refused
            return error.code(), text_of(error.details())
        return next(code for code in grpc.StatusCode if code.value[0] == answer.status), text_of(answer.details)
    with pytest.raises(grpc.RpcError) as caught:
        made.unary_unary(f"/split.v1.Party/{method}")(raw, timeout=TIMEOUT_SECONDS, **options)
    return caught.value.code(), text_of(caught.value.details())


def test_memory_is_measured(organisations, bob):
    """The measure itself: this process' own peak shows what it allocates."""
    own = Process("self")
    before = own.reset_peak()
    np.ones(64 * MIB, np.uint8).sum()
    assert own.peak_bytes - before > 32 * MIB
    assert bob.peak_bytes > 100 * MIB


@pytest.mark.parametrize("method", EMPTY_SUB_MESSAGES)
def test_empty_sub_messages_cost_no_more_than_their_bytes(trusted, bob, method):
    part, length = EMPTY_SUB_MESSAGES[method]
    before = bob.reset_peak()
    status, details = refusal(trusted, method, part * (length // len(part)))
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert "request cannot be parsed" in details
    assert bob.peak_bytes - before < 8 * length


def test_a_compressed_bomb_is_not_unfolded(trusted, bob):
    before = bob.reset_peak()
    status, details = refusal(trusted, "Fuse", bytes(MAX_MESSAGE_BYTES - 100), compression=grpc.Compression.Gzip)
    assert status is grpc.StatusCode.UNIMPLEMENTED
    assert "disabled" in details
    assert bob.peak_bytes - before < 32 * MIB


def test_a_message_above_the_limit_is_not_received(trusted, bob):
    """gRPC refuses by the length that is announced; until the refusal has its turn, some of the bytes are read."""
    before = bob.reset_peak()
    status, details = refusal(trusted, "Fuse", bytes(6 * MAX_MESSAGE_BYTES))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(MAX_MESSAGE_BYTES) in details
    assert bob.peak_bytes - before < 3 * MAX_MESSAGE_BYTES


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"Fuse", "Consume", "Backward", "StreamCalls"}))
def test_calls_without_tensors_are_short(trusted, method):
    status, details = refusal(trusted, method, bytes(4 * MIB + 1))
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert f"request is too long; expected at most {4 * MIB}" in details


@pytest.mark.parametrize("method", METHODS)
def test_only_who_may_call_has_anything_parsed(trusted, stranger, method):
    """The stranger's certificate comes from the authority that is trusted for the coordinator, under another name."""
    garbage = b"\xff\xff\xff"
    status, details = refusal(stranger, method, garbage)
    assert status is grpc.StatusCode.UNAUTHENTICATED
    assert "carries no name that is trusted here" in details
    assert "parsed" not in details
    status, details = refusal(trusted, method, garbage)
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert "bob: request cannot be parsed" in details


def test_a_strangers_bombs_are_not_unfolded(stranger, bob):
    before = bob.reset_peak()
    for method, (part, length) in EMPTY_SUB_MESSAGES.items():
        assert refusal(stranger, method, part * (length // len(part)))[0] is grpc.StatusCode.UNAUTHENTICATED
    assert bob.peak_bytes - before < 128 * MIB


def test_a_strangers_calls_hold_no_thread_while_their_requests_do_not_come(organisations, trusted):
    """As many calls as a party has threads and more, each of which would never say what it is about."""
    never = queue.SimpleQueue()
    calls_of_one = MAX_STREAMS_PER_CONNECTION // 2  # more at a time would be refused by gRPC, below the party
    with contextlib.ExitStack() as strangers:
        calls = []
        for _ in range(2 * HANDLER_THREADS // calls_of_one):
            made = strangers.enter_context(channel_to(organisations, "bob", STRANGER))
            describe = made.stream_unary("/split.v1.Party/Describe")
            calls += [describe.future(iter(never.get, None), timeout=TIMEOUT_SECONDS) for _ in range(calls_of_one)]
        statuses = {call.exception().code() for call in calls}
        assert statuses <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert grpc.StatusCode.UNAUTHENTICATED in statuses
        for _ in calls:
            never.put(None)  # ends the threads of this side
        assert trusted.unary_unary("/split.v1.Party/Describe")(b"", timeout=TIMEOUT_SECONDS)


def with_value(zeros, value):
    zeros[-1, -1] = value
    return tensor_message(zeros)


FIRST = "hidden 0 of train from alice to bob: "
BAD_TENSORS = {
    "nan": (lambda zeros: with_value(zeros, math.nan), FIRST + "holds values that are not finite"),
    "infinity": (lambda zeros: with_value(zeros, math.inf), FIRST + "holds values that are not finite"),
    "minus infinity": (lambda zeros: with_value(zeros, -math.inf), FIRST + "holds values that are not finite"),
    "dtype": (lambda zeros: tensor_message(zeros, dtype=2), FIRST + "dtype differs; expected float32"),
    "unknown dtype": (lambda zeros: tensor_message(zeros, dtype=99), FIRST + "dtype differs"),
    "codec": (lambda zeros: tensor_message(zeros, codec=CODEC_UNSPECIFIED), FIRST + "codec differs"),
    # numpy's product of these is 0, which is also the number of bytes
    "overflowing shape": (
        lambda zeros: tensor_message(zeros, shape=[2**32, 2**32], data=b""),
        FIRST + f"shape differs; expected ({BATCH_SIZE}, ",
    ),
    "turned shape": (lambda zeros: tensor_message(zeros.T), FIRST + "shape differs"),
    "many dimensions": (lambda zeros: tensor_message(zeros, shape=[1] * 40), FIRST + "shape differs"),
    "no dimensions": (lambda zeros: tensor_message(zeros, shape=[]), FIRST + "shape differs"),
    "fewer bytes": (lambda zeros: tensor_message(zeros, data=zeros.tobytes()[:-1]), "number of bytes does not fit"),
    "more bytes": (lambda zeros: tensor_message(zeros, data=zeros.tobytes() + b"\0"), "number of bytes does not fit"),
    "a column less": (lambda zeros: tensor_message(zeros[:, 1:]), FIRST + "shape differs"),
    "a row less": (lambda zeros: tensor_message(zeros[1:]), FIRST + "shape differs"),
    "nothing": (lambda zeros: b"", FIRST + "dtype differs"),
    "garbage": (lambda zeros: b"\xff" * 64, "message cannot be parsed"),
    "many fields": (lambda zeros: b"\x22\x00" * 500, "message cannot be parsed"),
    "too long": (lambda zeros: bytes(2 * MIB), FIRST + "message is too long"),
}


def test_bad_tensors_of_a_party_are_refused_and_the_good_ones_still_taken(organisations, bob):
    """alice seals them herself, with the keys of the session: only what is in them is wrong."""
    met = {}

    def around(send, party, method, request):
        if method == "Fuse" and request.position == 0 and not met:
            met.update(refusals_of_bad_tensors(organisations, send, request))
        return send(request)

    before = bob.reset_peak()
    with Relay(organisations.write_run(), around) as parties:
        run_id = parties.fit().run_id
    assert bob.peak_bytes - before < 256 * MIB
    for what, (_, pattern) in BAD_TENSORS.items():
        assert pattern in met[what], what
    with connect(organisations.write_run()) as parties:
        undisturbed = parties.fit().run_id
    for name in organisations.names:
        expected = organisations.weights(name, undisturbed)
        for key, array in organisations.weights(name, run_id).items():
            assert np.array_equal(array, expected[key])


def refusals_of_bad_tensors(organisations, send, request):
    _, session = organisations.servers["alice"]._sessions.current
    keys = session.require_keys(SessionPhase.READY)
    exchange = session._plan._setup.schedule.exchange(0)
    slot = Slot("alice", "bob", pb.MESSAGE_KIND_HIDDEN, "train", index=0, rows=exchange.rows)
    specs = session._plan._setup.models.specs
    shape = (exchange.rows, sum(spec.units for spec in specs))
    assert len(tensor_message(np.zeros(shape))) <= maximum_bytes(CutLayout(specs), exchange.rows)
    messages = {}
    for what, (make, _) in BAD_TENSORS.items():
        bad = pb.FuseRequest.FromString(request.SerializeToString())
        bad.hiddens[0].CopyFrom(keys.seal(slot, make(np.zeros(shape, np.float32))))
        with pytest.raises(TensorError) as caught:
            send(bad)
        messages[what] = str(caught.value)
    return messages


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.sampled_from([0, 1, 2, 5]), st.binary(max_size=8))))
def test_fields_are_counted(fields):
    raw = b""
    for number, wire_type, content in fields:
        raw += varint(number << 3 | wire_type)
        raw += {0: varint(len(content) << 40), 1: content.ljust(8), 2: varint(len(content)) + content}.get(
            wire_type, content[:4].ljust(4)
        )
    assert has_at_most_fields(raw, len(fields))
    assert not fields or not has_at_most_fields(raw, len(fields) - 1)
    assert not fields or not has_at_most_fields(raw[:-1], len(fields)), "what is cut off is no message"


@given(st.binary(max_size=64))
def test_whatever_protobuf_parses_has_few_fields(raw):
    """Nothing that has its fields counted and is refused could have been parsed, groups of a former syntax apart."""
    try:
        message = pb.FuseRequest.FromString(raw)
    except Exception:
        return
    if has_at_most_fields(raw, len(raw)):
        assert len(message.hiddens) <= len(raw)
        return
    assert any(byte & 7 in (3, 4) for byte in raw)


def varint(value):
    content = b""
    while value > 0x7F:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])
