"""Calls that no honest coordinator makes: refused by name, and the run goes on to the same bits."""

import dataclasses
import threading

import grpc
import pytest

import party.transport.server as server_module
from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession
from party.configuration.party import load_party_configuration
from party.engine.base_model import BaseModel
from party.errors import IdentityError, PolicyError, SessionError, SplitError, StorageError
from party.ledger.file import read_ledger
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.runtime.session_manager import SILENCE_SECONDS, Owner, SessionManager
from party.runtime.session_work import no_work
from party.runtime.training_checkpoints import TrainingCheckpoints
from tests.support import raw_calls
from tests.support.organisations import COORDINATOR, Organisations, authority, make_frames, tls
from tests.support.relaying import Relay, assert_undisturbed, fit, honest

SECOND = "second"


@pytest.fixture
def organisations(relayed_organisations):
    return relayed_organisations


class Intruder:
    """In the middle of a run, once, makes calls that do not belong there.

    Args:
        party: at whose call it happens.
        method: of that call.
        intrude: called with the relay and the session's reference; makes the calls.
    """

    def __init__(self, party, method, intrude):
        self._place, self._intrude = (party, method), intrude
        self.relay = None
        self.done = False

    def __call__(self, send, party, method, request):
        if (party, method) == self._place and not self.done:
            self.done = True
            self._intrude(self.relay, request.session)
        return send(request)

    def run(self, organisations):
        with Relay(organisations.run_path, self) as self.relay:
            run_id = self.relay.fit().run_id
        assert self.done
        return run_id


def call(relay, party, method, request):
    return raw_calls.call(relay._clients[party], method, request)


def reference(session, **changes):
    fields = {"run_id": session.run_id, "lease": session.lease, "incarnation": session.incarnation, **changes}
    return pb.SessionReference(**fields)


FOREIGN = {
    "no session at all": lambda session: pb.SessionReference(),
    "another lease": lambda session: reference(session, lease=bytes(32)),
    "a part of the lease": lambda session: reference(session, lease=session.lease[:31]),
    "no lease": lambda session: reference(session, lease=b""),
    "another run": lambda session: reference(session, run_id=bytes(16)),
    "no run": lambda session: reference(session, run_id=b""),
    "an earlier session of the run": lambda session: reference(session, incarnation=bytes(16)),
    "no incarnation": lambda session: reference(session, incarnation=b""),
}
SESSION_CALLS = {
    "Agree": pb.AgreeRequest,
    "Authenticate": pb.AuthenticateRequest,
    "Confirm": pb.ConfirmRequest,
    "Produce": pb.ProduceRequest,
    "Consume": pb.ConsumeRequest,
    "Forward": pb.ForwardRequest,
    "Fuse": pb.FuseRequest,
    "Backward": pb.BackwardRequest,
    "Decide": pb.DecideRequest,
    "Follow": pb.FollowRequest,
    "Snapshot": pb.SnapshotRequest,
    "Prepare": pb.PrepareRequest,
    "Commit": pb.CommitRequest,
    "Report": pb.ReportRequest,
    "Finish": pb.FinishRequest,
}


def test_every_call_needs_run_and_lease(organisations):
    described = {"Describe", "Probe", "Open", "Close", "StreamCalls"}  # the last carries calls that name their session
    assert {one.name for one in pb.DESCRIPTOR.services_by_name["Party"].methods} == set(SESSION_CALLS) | described

    def intrude(relay, session):
        for party in organisations.names:
            for method, request in SESSION_CALLS.items():
                for foreign in FOREIGN.values():
                    with pytest.raises(SessionError, match=f"{party}: no such session is open here"):
                        call(relay, party, method, request(session=foreign(session)))
            for foreign in FOREIGN.values():  # closing what is not there changes nothing
                call(relay, party, "Close", pb.CloseRequest(session=foreign(session)))

    assert_undisturbed(organisations, Intruder("bob", "Fuse", intrude).run(organisations))


OUT_OF_ORDER = [  # once hiddens of the first batch were sent and before they are fused
    ("alice", "Agree", {}, "call out of order; expected phase opened; received ready"),
    ("alice", "Authenticate", {}, "call out of order; expected phase agreed; received ready"),
    ("alice", "Confirm", {}, "call out of order; expected phase authenticated; received ready"),
    ("alice", "Finish", {}, "not every batch is done"),
    ("bob", "Finish", {}, "not every batch is done"),
    ("bob", "Forward", {}, "bob: Forward is for feature parties"),
    ("bob", "Backward", {}, "bob: Backward is for feature parties"),
    ("alice", "Fuse", {}, "alice: Fuse is for the label party"),
    ("alice", "Decide", {}, "alice: Decide is for the label party"),
    ("bob", "Follow", {}, "bob: Follow is for feature parties"),
    ("bob", "Decide", {}, "call out of order; expected Fuse 0; received Decide 0"),
    ("alice", "Follow", {}, "call out of order; expected Backward 0; received Follow 0"),
    ("alice", "Forward", {"position": 1}, "call out of order; expected Backward 0; received Forward 1"),
    ("alice", "Forward", {"position": 2**63}, "call out of order; expected Backward 0"),
    ("alice", "Backward", {"position": 1}, "call out of order; expected Backward 0; received Backward 1"),
    ("bob", "Fuse", {"position": 1}, "call out of order; expected Fuse 0; received Fuse 1"),
    ("bob", "Snapshot", {"step": 1}, "call out of order; expected Snapshot 0; received 1"),
    ("alice", "Snapshot", {"step": 2**63}, "call out of order; expected Snapshot 0"),
    ("alice", "Prepare", {}, "alice: step 0: no snapshot of this step was taken"),
    ("bob", "Commit", {}, "bob: step 0: no checkpoint of this step is prepared"),
    ("alice", "Produce", {"kind": pb.MESSAGE_KIND_PSI_SETUP, "dataset": "train"}, "this session aligns nothing"),
    ("alice", "Consume", {"kind": pb.MESSAGE_KIND_PSI_REQUEST, "dataset": "train"}, "this session aligns nothing"),
]


def test_calls_out_of_order_are_named(organisations):
    def intrude(relay, session):
        for party, method, fields, pattern in OUT_OF_ORDER:
            with pytest.raises(SessionError, match=pattern):
                call(relay, party, method, SESSION_CALLS[method](session=session, **fields))

    assert_undisturbed(organisations, Intruder("bob", "Fuse", intrude).run(organisations))


EARLY = [
    ("Forward", "expected phase ready; received authenticated"),
    ("Backward", "expected phase ready; received authenticated"),
    ("Report", "expected phase ready; received authenticated"),
    ("Finish", "expected phase ready; received authenticated"),
    ("Produce", "expected phase ready; received authenticated"),
    ("Snapshot", "expected phase ready; received authenticated"),
    ("Prepare", "expected phase ready; received authenticated"),
    ("Commit", "expected phase ready; received authenticated"),
    ("Agree", "expected phase opened; received authenticated"),
    ("Authenticate", "expected phase agreed; received authenticated"),
]


def test_nothing_is_sent_before_confirmation(organisations):
    def intrude(relay, session):
        for method, pattern in EARLY:
            with pytest.raises(SessionError, match=f"call out of order; {pattern}"):
                call(relay, "alice", method, SESSION_CALLS[method](session=session))

    assert_undisturbed(organisations, Intruder("alice", "Confirm", intrude).run(organisations))


def test_keys_need_an_agreement_first(organisations):
    def intrude(relay, session):
        for method in ("Authenticate", "Confirm", "Forward"):
            with pytest.raises(SessionError, match=r"call out of order; expected phase .*; received opened"):
                call(relay, "alice", method, SESSION_CALLS[method](session=session))

    assert_undisturbed(organisations, Intruder("alice", "Agree", intrude).run(organisations))


def test_a_repeated_call_gets_the_same_bytes_and_another_one_in_its_place_is_refused(organisations):
    seen = set()

    def around(send, party, method, request):
        reply = send(request)
        if method not in ("Forward", "Fuse", "Backward") or request.position > 1:
            return reply
        seen.add(method)
        assert send(request).SerializeToString() == reply.SerializeToString(), method
        other = type(request).FromString(request.SerializeToString())
        if method == "Fuse":
            other.hiddens[0].ciphertext += b"\0"
        elif method == "Backward":
            other.gradient.ciphertext += b"\0"
        else:
            other.MergeFromString(b"\xf8\x07\x01")  # a field that nobody knows
        with pytest.raises(
            SessionError, match=rf"{party}: EQUIVOCATION: call {method} {request.position} was repeated"
        ):
            send(other)
        assert send(request).SerializeToString() == reply.SerializeToString(), method
        return reply

    assert_undisturbed(organisations, fit(organisations, around).run_id)
    assert seen == {"Forward", "Fuse", "Backward"}


def test_a_run_cannot_be_trained_twice(organisations):
    with Relay(organisations.run_path, honest) as parties:
        run_id = bytes.fromhex(parties.fit().run_id)
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN, run_id=run_id, lease=parties._journal.lease, configuration=run.to_bytes()
        )
        with pytest.raises(SessionError, match="run_id was used before"):
            CoordinatedSession(parties._clients, run, proposal).__enter__()
    assert_undisturbed(organisations, run_id.hex())


@pytest.mark.parametrize(
    "fields",
    [{"run_id": b""}, {"run_id": bytes(15)}, {"run_id": bytes(17)}, {"lease": b""}, {"lease": bytes(33)}],
    ids=str,
)
def test_a_session_opens_only_with_a_whole_run_id_and_lease(organisations, fields):
    def around(send, party, method, request):
        if method == "Open" and party == "alice":
            for field, value in fields.items():
                setattr(request.session, field, value)
        return send(request)

    with pytest.raises(SessionError, match="alice: run_id or lease has the wrong length"):
        fit(organisations, around)


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    """The parties' monotonic clock, which only the test moves."""
    clock = Clock()
    make_context = server_module.make_context
    monkeypatch.setattr(
        server_module, "make_context", lambda *arguments: dataclasses.replace(make_context(*arguments), monotonic=clock)
    )
    return clock


def test_another_coordinator_must_wait_until_the_owner_is_silent(make_organisations, clock):
    coordinators = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, SECOND)]
    overrides = {name: {"coordinators": coordinators} for name in ("alice", "bob")}
    organisations = make_organisations(overrides=overrides, training={"maximum_steps": 2})
    organisations.add_coordinator(SECOND)
    organisations.start_servers()
    with connect(organisations.write_run()) as first:
        first.align()
        with connect(organisations.write_run(coordinator=SECOND, tls=tls(SECOND), output="other-runs")) as second:
            steal_while_it_runs(first, second, clock)
            clock.seconds += SILENCE_SECONDS
            assert second.fit().run_id


@pytest.fixture
def aligned(make_organisations, clock):
    """Two parties, aligned, whose second coordinator may evaluate alone; the clock is the test's."""
    coordinators = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, SECOND)]
    coordinators[1]["purposes"] = ["evaluate"]
    overrides = {name: {"coordinators": coordinators} for name in ("alice", "bob")}
    organisations = make_organisations(overrides=overrides, training={"maximum_steps": 2})
    organisations.add_coordinator(SECOND)
    organisations.start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
    return organisations


def test_a_refused_request_ends_no_session_however_silent(aligned, clock):
    with connect(aligned.write_run()) as first:
        proposal = first._proposal(Purpose.PURPOSE_TRAIN, bytes(16), first.configuration.run.to_bytes())
        session = CoordinatedSession(first._clients, first.configuration.run, proposal).__enter__()
        clock.seconds += SILENCE_SECONDS
        other = aligned.write_run(coordinator=SECOND, tls=tls(SECOND), output="other-runs")
        with connect(other) as second, pytest.raises(PolicyError, match=r"policy\.coordinators\.purposes"):
            second.fit()
        for party in aligned.names:
            call(first, party, "Report", pb.ReportRequest(session=session.reference))


def test_a_call_that_takes_long_keeps_its_session(aligned, clock, monkeypatch):
    prepare = TrainingCheckpoints.prepare
    refused = []

    def slow(checkpoints, step):
        clock.seconds += 2 * SILENCE_SECONDS
        with pytest.raises(SessionError, match="serves another coordinator or run at the moment"):
            second.align()
        refused.append(step)
        return prepare(checkpoints, step)

    for name in aligned.names:
        aligned.write_party(name, coordinators=[{"name": one, "ca": authority(one)} for one in (COORDINATOR, SECOND)])
        aligned.servers[name].revise(load_party_configuration(aligned.party_path(name)))
    with connect(aligned.write_run(coordinator=SECOND, tls=tls(SECOND), output="other-runs")) as second:
        monkeypatch.setattr(TrainingCheckpoints, "prepare", slow)
        with connect(aligned.write_run()) as first:
            assert first.fit().run_id
    assert refused


def steal_while_it_runs(first, second, clock):
    proposal = first._proposal(Purpose.PURPOSE_TRAIN, bytes(16), first.configuration.run.to_bytes())
    session = CoordinatedSession(first._clients, first.configuration.run, proposal).__enter__()
    stolen = reference(session.reference)
    for _ in range(3):  # a call of the owner's starts the wait anew
        call(first, "alice", "Report", pb.ReportRequest(session=session.reference))
        call(first, "bob", "Report", pb.ReportRequest(session=session.reference))
        clock.seconds += SILENCE_SECONDS - 1.0
        with pytest.raises(SessionError, match="serves another coordinator or run at the moment"):
            second.fit()
        # Even with the lease of the owner it is not the owner: the name of the certificate counts too.
        with pytest.raises(SessionError, match="alice: no such session is open here"):
            call(second, "alice", "Forward", pb.ForwardRequest(session=stolen))
        call(second, "alice", "Close", pb.CloseRequest(session=stolen))
        clock.seconds += 0.5
    call(first, "alice", "Report", pb.ReportRequest(session=session.reference))
    call(first, "bob", "Report", pb.ReportRequest(session=session.reference))


def test_a_name_that_is_not_on_the_list_may_not_even_ask(make_organisations):
    organisations = make_organisations()
    organisations.add_stranger(SECOND)  # by the authority that the parties trust for `coordinator`, for nobody else
    organisations.start_servers()
    path = organisations.write_run(coordinator=SECOND, tls=tls(SECOND))
    with pytest.raises(IdentityError, match="certificate of the caller: carries no name that is trusted here"):
        connect(path)


class TestSessionManager:
    """Who owns a party, by the minute."""

    OWNER = Owner("coordinator", bytes(32))
    RUN_ID = bytes(16)

    class Session:
        broken = False
        work, repeated_calls = no_work(), 0

        def __init__(self):
            self.ended = ""

        def end(self, reason):
            self.ended = reason

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def sessions(self, clock):
        return SessionManager("alice", clock)

    @pytest.mark.parametrize(
        "other", [Owner("second", bytes(32)), Owner("coordinator", b"\1" * 32)], ids=["name", "lease"]
    )
    def test_another_owner_comes_in_after_the_silence_and_not_before(self, sessions, clock, other):
        first = sessions.open(self.OWNER, self.RUN_ID, self.Session)
        clock.seconds += SILENCE_SECONDS / 2
        sessions.session(self.OWNER, self.RUN_ID)
        clock.seconds += SILENCE_SECONDS - 0.01
        with pytest.raises(SessionError, match="serves another coordinator"):
            sessions.open(other, self.RUN_ID, self.Session)
        assert sessions.session(self.OWNER, self.RUN_ID) is first
        clock.seconds += SILENCE_SECONDS
        second = sessions.open(other, self.RUN_ID, self.Session)
        assert first.ended == "replaced by another session"
        assert sessions.session(other, self.RUN_ID) is second
        with pytest.raises(SessionError, match="no such session"):
            sessions.session(self.OWNER, self.RUN_ID)

    def test_a_stranger_neither_keeps_a_session_alive_nor_ends_it(self, sessions, clock):
        sessions.open(self.OWNER, self.RUN_ID, self.Session)
        stranger = Owner("second", bytes(32))
        clock.seconds += SILENCE_SECONDS / 2
        with pytest.raises(SessionError):
            sessions.session(stranger, self.RUN_ID)
        sessions.close(stranger, self.RUN_ID)
        assert sessions.session(self.OWNER, self.RUN_ID)

    def test_the_owner_starts_anew_at_any_time(self, sessions):
        first = sessions.open(self.OWNER, self.RUN_ID, self.Session)
        assert sessions.open(self.OWNER, b"\1" * 16, self.Session) is not first
        assert first.ended == "replaced by another session"

    def test_a_session_that_cannot_be_made_leaves_none(self, sessions):
        def fails():
            raise SplitError("no")

        with pytest.raises(SplitError):
            sessions.open(self.OWNER, self.RUN_ID, fails)
        assert sessions.current is None
        assert sessions.open(Owner("second", bytes(32)), self.RUN_ID, self.Session)


def test_a_coordinator_that_is_no_longer_trusted_loses_its_session_at_once(make_organisations):
    """Also over a connection that was made before, and whatever it knows of the session."""
    coordinators = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, SECOND)]
    overrides = {name: {"coordinators": coordinators} for name in ("alice", "bob")}
    organisations = make_organisations(overrides=overrides)
    organisations.add_coordinator(SECOND)
    organisations.start_servers()
    with connect(organisations.write_run(coordinator=SECOND, tls=tls(SECOND), output="other-runs")) as revoked:
        revoked.align()
        proposal = revoked._proposal(Purpose.PURPOSE_TRAIN, bytes(16), revoked.configuration.run.to_bytes())
        session = CoordinatedSession(revoked._clients, revoked.configuration.run, proposal).__enter__()
        revoke(organisations, "alice", coordinators[:1])
        with pytest.raises(IdentityError, match="carries no name that is trusted here"):
            call(revoked, "alice", "Forward", pb.ForwardRequest(session=session.reference))
        call(revoked, "bob", "Report", pb.ReportRequest(session=session.reference))
        revoke(organisations, "bob", coordinators[:1])
    entries = read_ledger(organisations.state_path("alice"))
    assert [(entry.event, entry.result) for entry in entries[-2:]] == [
        ("ended", "a name is no longer trusted"),
        ("reloaded", f"changed: coordinators; no longer trusted as before: {SECOND}"),
    ]
    with connect(organisations.write_run()) as trusted:
        trusted.align(force=True)


def revoke(organisations, party, coordinators):
    organisations.write_party(party, coordinators=coordinators)
    configuration = load_party_configuration(organisations.party_path(party))
    assert organisations.servers[party].revise(configuration).removed == (SECOND,)


def test_nothing_is_released_where_the_ledger_cannot_be_written(make_organisations, monkeypatch):
    organisations = make_organisations().start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        ledger = organisations.servers["alice"]._ledger
        append = ledger.append

        def full(content):
            if content.event == "agreed":
                raise StorageError(
                    "cannot be written: No space left on device", where="ledger", public_message="ledger: full"
                )
            return append(content)

        monkeypatch.setattr(ledger, "append", full)
        with pytest.raises(StorageError, match="alice: ledger: full"):
            parties.fit()
    entries = read_ledger(organisations.state_path("alice"))
    assert [entry.event for entry in entries if entry.purpose == "train"] == ["opened", "ended"]
    assert entries[-1].releases == {}


@pytest.fixture(scope="module")
def two_coordinators(tmp_path_factory):
    """A federation in this process, aligned, and a run; a second coordinator may evaluate."""
    coordinators = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, SECOND)]
    overrides = {name: {"coordinators": coordinators} for name in ("alice", "bob")}
    frames = make_frames(("alice", "bob"), datasets=("train", "test"))
    with Organisations(tmp_path_factory.mktemp("two"), frames=frames, overrides=overrides) as made:
        made.add_coordinator(SECOND)
        made.start_servers()
        made.write_run()
        with connect(made.run_path) as parties:
            parties.align()
            parties.fit()
        yield made


@pytest.mark.parametrize("purpose", [Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT, Purpose.PURPOSE_MEASURE])
def test_only_training_is_resumed(two_coordinators, purpose):
    """A coordinator's own flag must not take a session off the limits."""
    with connect(two_coordinators.run_path) as parties:
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=purpose,
            run_id=bytes(16),
            lease=parties._journal.lease,
            configuration=run.to_bytes(),
            dataset="test",
            resume=True,
        )
        with pytest.raises(SessionError, match="only a training run is resumed"):
            CoordinatedSession(parties._clients, run, proposal).__enter__()


def test_what_is_computed_when_a_session_ends_does_not_leave(two_coordinators, monkeypatch):
    computing, closed = threading.Event(), threading.Event()
    infer = BaseModel.infer

    def slow(self, rows):
        computing.set()
        assert closed.wait(60)
        return infer(self, rows)

    with connect(two_coordinators.run_path) as parties:
        entry = parties._journal.trained(None)
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_EVALUATE,
            run_id=bytes.fromhex(entry.run_id),
            lease=parties._journal.lease,
            configuration=entry.configuration,
            dataset="test",
        )
        session = CoordinatedSession(parties._clients, run, proposal).__enter__()
        monkeypatch.setattr(BaseModel, "infer", slow)
        alice = parties._clients["alice"]
        forward = alice.transport._channel.unary_unary("/split.v1.Party/Forward")
        pending = forward.future(pb.ForwardRequest(session=session.reference).SerializeToString())
        assert computing.wait(60)
        call(parties, "alice", "Close", pb.CloseRequest(session=session.reference))
        closed.set()
        with pytest.raises(grpc.RpcError, match="the session has ended"):
            pending.result()
    ended = read_ledger(two_coordinators.state_path("alice"))[-1]
    assert (ended.event, ended.result) == ("ended", "closed by the coordinator")
    assert ended.releases["hiddens"] == 0, "the hiddens did not leave"


def test_an_alignment_that_does_not_end_in_order_counts_with_all_rows(make_organisations):
    organisations = make_organisations(training={"maximum_steps": 1}).start_servers()

    def around(send, party, method, request):
        if method == "Finish":
            raise SplitError("gives up")
        return send(request)

    with Relay(organisations.write_run(), around) as parties, pytest.raises(SplitError, match="gives up"):
        parties.align()
    for name in organisations.names:
        ended = read_ledger(organisations.state_path(name))[-1]
        assert (ended.event, ended.purpose) == ("ended", "align")
        assert ended.releases["intersections"] == ended.rows > 0
