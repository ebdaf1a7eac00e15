"""Networks that break, stall and slow down change no bit of a run, and cost no step of it."""

import enum
import random
import threading
import time
from functools import partial

import pytest

from coordinator.journal import list_runs
from party.errors import ConnectionLostError
from party.pb import party_pb2 as pb
from tests.support.faults import Network, Outage, Place, Visit, await_event
from tests.support.organisations import Organisations
from tests.support.proxy import TcpProxy

PARTIES = ("alice", "bob", "charlie")
FEW_STEPS = {"epochs": 2, "batch_size": 93, "validation_fraction": 0.25}
MANY_STEPS = {
    "epochs": 4,
    "batch_size": 4,
    "validation_fraction": 0.2474,
    "evaluation_batch_size": 23,
    "early_stopping": {"metric": "val_loss", "patience": 4},
}
SMALL_CHUNKS = {"alignment": {"datasets": ["train"], "chunk_rows": 64}}
OFTEN = {"checkpoints": {"every_steps": 2}}
FAULTS_OF_A_KIND = 50
DELAY_SECONDS = 0.02
SEED = 20240611
TRAINING_CALLS = ("Forward", "Fuse", "Backward", "Decide", "Follow", "Snapshot", "Prepare", "Commit", "Finish")
HANDSHAKE = ("Open", "Agree", "Authenticate", "Confirm")
HANDSHAKE_PLACES = (Place.ARRIVED, Place.SENT, Place.ANSWERED, Place.ANSWERED)
CHECKPOINTS_AND_END = ("Snapshot", "Prepare", "Commit", "Report", "Finish")
ALIGNMENT_CALLS = ("Produce", "Consume", "Finish")


class Fault(enum.Enum):
    """What a network does to the connections of one party."""

    RESET = "reset"
    HALF_CLOSE = "half-close"
    STALL = "stall"
    CUT = "bandwidth cut"

    def strike(self, link, generator):
        match self:
            case Fault.RESET:
                link.reset()
            case Fault.HALF_CLOSE:
                link.half_close()
            case Fault.STALL:
                link.stall(generator.uniform(0.05, 0.3))
            case Fault.CUT:
                link.cut_bandwidth(generator.uniform(10_000, 50_000), generator.uniform(0.05, 0.3))


class Plan:
    """Faults, each at a random place of a random call of a random party; no call has two.

    Args:
        network: whose links they strike.
        visits: of a run without faults.
        methods: of the calls that may be struck.
        kinds: one for each fault.
    """

    def __init__(self, network, visits, methods, kinds):
        self.struck = []
        generator = random.Random(SEED)
        calls = {party: [] for party in PARTIES}
        for visit in sorted(visits, key=repr):
            if visit.place is Place.CALLED and visit.method in methods:
                calls[visit.party].append(visit)
        for visited in calls.values():
            generator.shuffle(visited)
        self.actions = {}
        for kind in generator.sample(kinds, len(kinds)):
            party = generator.choice(PARTIES)
            visit = calls[party].pop()._replace(place=generator.choice(list(Place)))
            strike = partial(kind.strike, network.links[party], random.Random(generator.random()))
            self.actions[visit] = partial(self._strike, kind, strike)

    def _strike(self, kind, strike):
        self.struck.append(kind)
        strike()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Three aligned parties; `reference` is what a short run comes to that nothing disturbs."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Organisations(tmp_path_factory.mktemp("network"), names=PARTIES, training=FEW_STEPS) as made,
    ):
        made_network = Network(made, monkeypatch)
        made.start_servers()
        with made_network.coordinator() as (parties, _):
            parties.align()
        made_network.reference, _ = made_network.fit()
        yield made_network


def test_two_hundred_faults_change_no_bit(network):
    settings = {"training": MANY_STEPS, "checkpoints": {"every_steps": 20}}
    undisturbed, watch = network.fit(**settings)
    with network.linked():
        plan = Plan(network, watch.visits, TRAINING_CALLS, FAULTS_OF_A_KIND * list(Fault))
        outcome, watch = network.fit(plan.actions, **settings)
    outcome.expect_equal(undisturbed)
    assert not watch.actions
    assert {kind: plan.struck.count(kind) for kind in Fault} == dict.fromkeys(Fault, FAULTS_OF_A_KIND)
    assert len(plan.struck) == 200
    assert watch.sessions == dict.fromkeys(PARTIES, 1)  # no party was asked to go back to a checkpoint


def test_resets_while_the_parties_agree_let_them_agree_again(network):
    with network.linked():
        places = zip(HANDSHAKE, ("alice", "bob", "charlie", "bob"), HANDSHAKE_PLACES, strict=True)
        actions = {(place, party, method): network.links[party].reset for method, party, place in places}
        outcome, watch = network.fit(actions)
    outcome.expect_equal(network.reference)
    assert not watch.actions


def test_faults_at_checkpoints_and_at_the_end_cost_nothing(network):
    with network.linked():
        faults = {Place.SENT: TcpProxy.half_close, Place.ANSWERED: TcpProxy.reset}
        actions = {
            (place, party, method): partial(fault, network.links[party])
            for place, fault in faults.items()
            for party in PARTIES
            for method in CHECKPOINTS_AND_END
        }
        outcome, watch = network.fit(actions, **OFTEN)
    outcome.expect_equal(network.reference)
    assert not watch.actions
    assert watch.sessions == dict.fromkeys(PARTIES, 1)


def test_connections_that_end_while_they_are_made_are_made_again(network, monkeypatch):
    with network.linked():
        actions = {
            (Place.CALLED, "bob", method): Outage(
                monkeypatch, partial(network.refuse, "bob"), partial(network.come_back, "bob")
            )
            for method in ("Fuse", "Prepare")
        }
        outcome, watch = network.fit(actions, **OFTEN)
    outcome.expect_equal(network.reference)
    assert not watch.actions
    assert watch.sessions == dict.fromkeys(PARTIES, 1)


def test_a_slow_and_distant_network_changes_no_bit(network):
    with network.linked(delay_seconds=DELAY_SECONDS, bytes_per_second=2e6):
        started_seconds = time.monotonic()
        outcome, watch = network.fit()
        seconds = time.monotonic() - started_seconds
    outcome.expect_equal(network.reference)
    assert watch.sessions == dict.fromkeys(PARTIES, 1)
    hops = 4 * outcome.steps  # there and back for Fuse, and again for Backward
    assert seconds >= hops * DELAY_SECONDS


def test_a_party_that_stalls_for_too_long_ends_a_run_that_can_go_on(network, monkeypatch):
    party = "bob"
    monkeypatch.setattr("coordinator.party_client.CLOSE_TIMEOUT_SECONDS", 0.1)
    with network.linked():
        link = network.links[party]
        actions = {Visit(Place.CALLED, party, "Snapshot", (4,)): partial(network.stall, party)}
        with pytest.raises(ConnectionLostError, match=f"party {party} at 127.0.0.1:{link.port}") as lost:
            network.fit(actions, reconnect_seconds=1, **OFTEN)
        assert lost.value.exit_code == 5
        entry = list_runs(network.organisations.runs_path)[-1]
        assert (entry.state, entry.step) == ("failed", 2)
        link.delay_seconds = 0.0  # what was kept arrives now, from a coordinator that is gone
        outcome, watch = network.fit(resume=entry.run_id[:8])
    outcome.expect_equal(network.reference)
    assert outcome.run_id == entry.run_id
    assert dict(watch.openings) == dict.fromkeys(PARTIES, 2)


@pytest.mark.parametrize("party", ["bob", "charlie"])
def test_a_run_waits_for_a_party_that_comes_back_elsewhere(network, party, monkeypatch):
    def come_back():
        network.organisations.start_server(party)
        network.come_back(party)

    with network.linked():
        former_port = network.links[party].upstream_port
        outage = Outage(monkeypatch, partial(network.organisations.stop_server, party), come_back)
        outcome, watch = network.fit({Visit(Place.CALLED, party, "Snapshot", (4,)): outage}, **OFTEN)
        assert network.links[party].upstream_port != former_port
    outcome.expect_equal(network.reference)
    assert not watch.actions
    assert sorted(watch.openings) == sorted((name, step) for name in PARTIES for step in (0, 2))


def test_an_alignment_through_faults_comes_to_the_same_order(network):
    with network.coordinator(**SMALL_CHUNKS) as (parties, watch):
        undisturbed = parties.align(force=True)
    with network.linked():
        plan = Plan(network, watch.visits, ALIGNMENT_CALLS, 8 * list(Fault))
        with network.coordinator(plan.actions, **SMALL_CHUNKS) as (parties, watch):
            aligned = parties.align(force=True)
        assert not watch.actions
        outcome, _ = network.fit()
    assert aligned == undisturbed
    outcome.expect_equal(network.reference)


def test_a_call_of_an_alignment_may_be_repeated_after_many_others(network):
    """The pause before a repeat may be long, and calls that move other messages do not wait for it."""
    answered, overtaken = threading.Event(), threading.Event()

    def setup(place, sender, index):
        return Visit(place, "bob", "Consume", ("train", pb.MESSAGE_KIND_PSI_SETUP, sender, index))

    def lose_reply():
        network.links["bob"].reset()
        watch.actions[setup(Place.CALLED, "alice", 1)] = partial(await_event, overtaken)
        answered.set()

    actions = {
        setup(Place.ANSWERED, "alice", 1): lose_reply,
        setup(Place.CALLED, "charlie", 1): partial(await_event, answered),
        setup(Place.ANSWERED, "charlie", 5): overtaken.set,
    }
    with network.linked(), network.coordinator(actions, **SMALL_CHUNKS) as (parties, watch):
        parties.align(force=True)
    assert not watch.actions
