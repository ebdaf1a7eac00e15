"""A session answers the calls that its plan offers, once it is ready, and refuses all others alike."""

import os

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.configuration.strict import validate
from party.errors import SessionError
from party.ledger.file import Ledger
from party.pb.handshake_pb2 import Confirmation, Purpose
from party.policy.admission import make_admission
from party.policy.requests import Release, SessionRequest
from party.protocol.phases import SessionPhase
from party.runtime.plan import OfferedCalls, PlanFacts, SessionOutline, SessionResult
from party.runtime.session import PartySession
from party.runtime.session_report import SessionReport
from tests.support.agreeing import handshake
from tests.support.configuration_cases import label_party
from tests.support.issuing import NOW

PAIR = ("alice", "bob")
CALLS = {
    "alignment": ("this session aligns nothing", PartySession.alignment),
    "batches": ("this session has no batches", PartySession.batches),
    "report": ("this session has no batches", lambda session: session.report(0)),
    "checkpoints": ("this session does not train", PartySession.checkpoints),
    "finish": ("this session has no result", PartySession.finish),
}


class PlanOf:
    """A plan that answers the given calls, and notes what a session asks of it besides."""

    facts = PlanFacts(datasets=(), release=Release(rows=7))
    step, outline = 3, SessionOutline(exchanges=5)

    def __init__(self, **offered):
        self.agreement = self.progress = self
        self.offered = OfferedCalls(**offered)
        self.released = {"hiddens": 4}
        self.seen = []

    def agreed(self, hellos):
        self.seen.append(sorted(hellos))

    def confirmation(self, pair_key, peer):
        return Confirmation()

    def start(self, keys, pair_key):
        self.seen.append("started")

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def make_sessions(tmp_path):
    """Makes the sessions of two parties that have agreed on nothing yet, each with a real grant."""
    ledgers = []

    def make(*plans):
        sessions = []
        for name, plan in zip(PAIR, plans, strict=True):
            ledgers.append(Ledger(tmp_path / name, lambda: NOW))
            configuration = validate(PartyConfiguration, label_party(), "x")
            request = SessionRequest(
                coordinator=configuration.coordinators[0].name,
                purpose=Purpose.PURPOSE_TRAIN,
                run_id=bytes(16),
                run=RunConfiguration(parties=("bank", "shop"), label_party="bank"),
                dataset="",
                resume=False,
            )
            admission = make_admission(configuration, ledgers[-1], now=lambda: NOW, random_bytes=os.urandom)
            grant = admission.admit(request)
            grant.reserve(plan.facts.release)
            peers = [one for one in PAIR if one != name]
            sessions.append(PartySession(plan, handshake(name, PAIR), grant, party=name, peers=peers))
        return *sessions, ledgers[-2]

    yield make
    for ledger in ledgers:
        ledger.close()


def make_ready(*sessions):
    hellos = [session.hello for session in sessions]
    signatures = [session.agree(hellos) for session in sessions]
    envelopes = [envelope for session in sessions for envelope in session.authenticate(signatures)]
    for session in sessions:
        session.confirm(envelopes)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_the_plan_does_not_offer_is_refused(make_sessions, name):
    alice, bob, _ = make_sessions(PlanOf(), PlanOf())
    text, call = CALLS[name]
    with pytest.raises(SessionError, match=r"alice: call out of order; expected phase ready; received opened"):
        call(alice)
    make_ready(alice, bob)
    with pytest.raises(SessionError, match=f"^alice: {text}$"):
        call(alice)
    assert alice.phase is SessionPhase.READY


def test_a_plan_says_itself_why_nothing_is_saved(make_sessions):
    why = {"no_checkpoints": "for a reason", "no_result": "for another"}
    alice, bob, _ = make_sessions(PlanOf(**why), PlanOf())
    make_ready(alice, bob)
    with pytest.raises(SessionError, match=r"^alice: for a reason$"):
        alice.checkpoints()
    with pytest.raises(SessionError, match=r"^alice: for another$"):
        alice.finish()


def test_offered_calls_are_answered_and_the_end_is_in_the_ledger(make_sessions):
    report = SessionReport(timings={"base": (1.5, 2)})
    calls = {name: object() for name in ("alignment", "batches", "checkpoints")}
    plan = PlanOf(**calls, report=lambda seen: (report, seen), finish=lambda: SessionResult(("file",), 9, b"lineage"))
    alice, bob, ledger = make_sessions(plan, PlanOf())
    make_ready(alice, bob)
    assert plan.seen == [list(PAIR), "started"]
    assert (alice.step, alice.outline()) == (3, plan.outline)
    assert [alice.alignment(), alice.batches(), alice.checkpoints()] == list(calls.values())
    assert alice.report(6) == (report, 6)
    assert alice.finish() == SessionResult(("file",), 9, b"lineage")
    with pytest.raises(SessionError, match="expected phase ready; received finished"):
        alice.finish()
    alice.end("closed")
    assert plan.seen[-1] == "closed"
    assert [(entry.event, entry.result) for entry in ledger.entries] == [
        ("opened", ""),
        ("agreed", ""),
        ("ended", "completed"),
    ]
    assert ledger.entries[-1].releases == {"hiddens": 4}


def test_a_session_that_failed_to_start_cannot_be_confirmed_again(make_sessions):
    """Half of its start is done: a second one could begin elsewhere than where the parties agreed."""

    class FailsOnce(PlanOf):
        def start(self, keys, pair_key):
            super().start(keys, pair_key)
            if self.seen.count("started") == 1:
                raise SessionError("cannot be read", where="checkpoint")

    alice, bob, _ = make_sessions(FailsOnce(), PlanOf())
    hellos = [session.hello for session in (alice, bob)]
    signatures = [session.agree(hellos) for session in (alice, bob)]
    envelopes = [envelope for session in (alice, bob) for envelope in session.authenticate(signatures)]
    with pytest.raises(SessionError, match="cannot be read"):
        alice.confirm(envelopes)
    with pytest.raises(SessionError, match="call out of order"):
        alice.confirm(envelopes)
    with pytest.raises(SessionError, match="call out of order"):
        alice.batches()
