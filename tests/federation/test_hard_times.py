"""A party without file descriptors, and one that is told to stop while it builds a session."""

import os
import resource
import signal
from contextlib import contextmanager

import pytest

from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.errors import ConnectionLostError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from tests.support.calling import channel_to
from tests.support.organisations import Organisations

TIMEOUT_SECONDS = 60
STANDARD_STREAMS = 3
PIPE = "pipe"
MODEL = f"""
import pathlib
import threading
import keras

def build(features):
    pipe = pathlib.Path(__file__).parent / "{PIPE}"
    if pipe.exists():
        pipe.write_text("building")
        threading.Event().wait()
    income = keras.Input((1,), name="income")
    return keras.Model({{"income": income}}, {{"deep": keras.layers.Dense(4)(income)}}), {{"deep": "concat"}}
"""


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """alice in a process of her own, with a model that builds for ever once there is a pipe; aligned."""
    overrides = {
        "alice": {"model": {"file": "mine.py", "base": "build"}},
        "bob": {"model": {"kind": "dnn"}, "fuse": {"kind": "dnn", "units": [8]}},
    }
    folder = tmp_path_factory.mktemp("hard_times")
    with Organisations(folder, overrides=overrides) as made:
        (made.party_path("alice").parent / "mine.py").write_text(MODEL)
        made.start_server("bob")
        made.start("alice")
        with connect(made.write_run()) as parties:
            parties.align()
        yield made


@contextmanager
def without_descriptors(process):
    """No file and no connection can be opened in a process; those that it has stay."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (STANDARD_STREAMS, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_a_party_without_descriptors_is_passing_trouble(organisations):
    alice = organisations.processes["alice"].process
    path = organisations.write_run()
    with connect(path) as parties:
        expected = organisations.weights("alice", parties.fit().run_id)
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN, run_id=new_run_id(), lease=bytes(32), configuration=run.to_bytes()
        )
        with without_descriptors(alice):
            with pytest.raises(ConnectionLostError, match="alice: has no file descriptor left at the moment"):
                CoordinatedSession(parties._clients, run, proposal).__enter__()
            assert parties._clients["alice"].reach(TIMEOUT_SECONDS).party == "alice"
        received = organisations.weights("alice", parties.fit().run_id)
    assert {key: value.tobytes() for key, value in received.items()} == {
        key: value.tobytes() for key, value in expected.items()
    }


def test_a_party_ends_when_told_also_while_it_builds(organisations):
    pipe = organisations.party_path("alice").parent / PIPE
    os.mkfifo(pipe)
    alice = organisations.processes["alice"].process
    run = organisations.write_run()
    with connect(run) as parties:
        configuration = parties.configuration.run.to_bytes()
    session = pb.SessionReference(run_id=new_run_id(), lease=bytes(32), incarnation=bytes(16))
    request = pb.OpenRequest(session=session, purpose=Purpose.PURPOSE_TRAIN, configuration=configuration)
    with channel_to(organisations, "alice") as channel:
        opening = channel.unary_unary("/split.v1.Party/Open").future(request.SerializeToString())
        assert pipe.read_text() == "building"
        described = channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=TIMEOUT_SECONDS)
        assert pb.DescribeReply.FromString(described).party == "alice"
        close = pb.CloseRequest(session=session).SerializeToString()
        channel.unary_unary("/split.v1.Party/Close")(close, timeout=TIMEOUT_SECONDS)
        assert not opening.done()
        alice.send_signal(signal.SIGTERM)
        assert alice.wait(TIMEOUT_SECONDS) == 0
    assert "left behind a call that was still computing" in organisations.log("alice")
