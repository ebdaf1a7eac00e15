"""Networks that break, stall and slow down change no bit of a run, and cost no step of it."""

import enum
import random
import time
from functools import partial

import pytest
from faults import Network, Place, await_first_pause, unused_port
from organisations import Organisations, make_frames

PARTIES = ("alice", "bob", "charlie")
FEW_STEPS = {"epochs": 2, "batch_size": 96, "validation_fraction": 0.2}
MANY_STEPS = {
    "epochs": 4,
    "batch_size": 4,
    "validation_fraction": 0.2,
    "early_stopping": {"metric": "val_loss", "patience": 4},
}
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
    frames = make_frames(PARTIES, rows=350)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Organisations(tmp_path_factory.mktemp("network"), names=PARTIES, frames=frames, training=FEW_STEPS) as made,
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
    assert not watch.pending
    assert {kind: plan.struck.count(kind) for kind in Fault} == dict.fromkeys(Fault, FAULTS_OF_A_KIND)
    assert len(plan.struck) == 200
    assert watch.sessions == dict.fromkeys(PARTIES, 1)  # no party was asked to go back to a checkpoint


def test_resets_while_the_parties_agree_let_them_agree_again(network):
    with network.linked():
        places = zip(HANDSHAKE, ("alice", "bob", "charlie", "bob"), HANDSHAKE_PLACES, strict=True)
        actions = {(place, party, method): network.links[party].reset for method, party, place in places}
        outcome, watch = network.fit(actions)
    outcome.expect_equal(network.reference)
    assert not watch.pending


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_CLOSE])
def test_faults_at_checkpoints_and_at_the_end_cost_nothing(network, fault):
    with network.linked():
        actions = {
            (place, party, method): partial(fault.strike, network.links[party], random)
            for place in Place
            for party in PARTIES
            for method in CHECKPOINTS_AND_END
        }
        outcome, watch = network.fit(actions, **OFTEN)
    outcome.expect_equal(network.reference)
    assert not watch.pending
    assert watch.sessions == dict.fromkeys(PARTIES, 1)


def test_a_connection_that_ends_while_it_is_made_is_made_again(network, monkeypatch):
    paused = await_first_pause(monkeypatch)
    with network.linked():
        link = network.links["bob"]

        def refuse_connections():
            paused.clear()
            link.upstream_port = unused_port()
            link.reset()

        outcome, watch = network.fit({(Place.CALLED, "bob", "Fuse"): refuse_connections})
    outcome.expect_equal(network.reference)
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


@pytest.mark.parametrize("party", ["bob", "charlie"])
def test_a_party_that_stalls_for_too_long_ends_a_run_that_can_go_on(network, party, monkeypatch):
    monkeypatch.setattr("coordinator.session.CLOSE_TIMEOUT_SECONDS", 0.1)
    settings = {"reconnect_seconds": 1, "timeout_seconds": 1, **OFTEN}
    with network.linked():
        link = network.links[party]
        actions = {Visit(Place.CALLED, party, "Snapshot", (4,)): partial(setattr, link, "delay_seconds", 3600.0)}
        with pytest.raises(ConnectionLostError, match=f"party {party} at 127.0.0.1:{link.port}") as lost:
            network.fit(actions, **settings)
        assert lost.value.exit_code == 5
        link.delay_seconds = 0.0  # what was kept arrives now, from a coordinator that is gone
        entry = list_runs(network.organisations.folder / "runs")[-1]
        assert entry.state == "failed"
        outcome, watch = network.fit(resume=entry.run_id[:8])
    outcome.expect_equal(network.reference)
    assert outcome.run_id == entry.run_id
    assert dict(watch.openings) == dict.fromkeys(PARTIES, 2)


@pytest.mark.parametrize("party", ["bob", "charlie"])
def test_a_run_waits_for_a_party_that_comes_back_elsewhere(network, party, monkeypatch):
    paused = await_first_pause(monkeypatch)
    with network.linked():
        comings = []
        actions = {
            (Place.ANSWERED, party, "Commit"): lambda: None,
        }
        outcome, watch = network.fit(actions, **OFTEN)
    outcome.expect_equal(network.reference)


def test_an_alignment_through_faults_comes_to_the_same_order(network):
    settings = {"alignment": {"datasets": ["train"], "chunk_rows": 64}}
    with network.coordinator(**settings) as (parties, watch):
        undisturbed = parties.align(force=True)
    with network.linked():
        plan = Plan(network, watch.visits, ALIGNMENT_CALLS, 12 * list(Fault))
        with network.coordinator(plan.actions, **settings) as (parties, watch):
            aligned = parties.align(force=True)
        assert not watch.pending
        outcome, _ = network.fit()
    assert aligned == undisturbed
    outcome.expect_equal(network.reference)
