"""Batches outside of training: several are under way at a time, which changes no bit and survives lost replies."""

import threading
from functools import partial

import grpc
import pytest

from coordinator.call_stream import GrpcStream, StreamedCallError
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY
from tests.support.faults import Network, Outcome, Place, Visit, await_event
from tests.support.organisations import Organisations, make_frames

PARTIES = ("alice", "bob")
DATASETS = ("train", "test")
TRAINING = {"epochs": 2, "batch_size": 96, "validation_fraction": 0.25, "evaluation_batch_size": 8}
SCHEDULES = {
    "the next epoch begins beside the last held-out batch": {},
    "pipelined, a decision after every epoch": {
        "schedule": {"kind": "pipelined", "depth": 2},
        "early_stopping": {"metric": "val_loss", "patience": 2},
    },
}
LAST = INFERENCE_BATCHES_UNDER_WAY - 1  # of the batches that are under way with the first one


class Run:
    """Trains, one batch outside of training at a time or several, and evaluates."""

    def __init__(self, network, training, under_way=INFERENCE_BATCHES_UNDER_WAY):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("coordinator.inference.INFERENCE_BATCHES_UNDER_WAY", under_way)
            with network.coordinator(training={**TRAINING, **training}) as (parties, self.watch):
                history = parties.fit()
                self.positions = self._held_out()
                self.evaluation = parties.evaluate("test")
        self.outcome = Outcome(network.organisations, history)

    def _held_out(self):
        """Positions of the batches that were fused and gave no gradients."""
        fused, trained = (
            {visit.numbers[0] for visit in self.watch.visits if visit.method == method}
            for method in ("Fuse", "Backward")
        )
        return sorted(fused - trained)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Two aligned parties; `reference` is a run that has one batch outside of training under way at a time."""
    frames = make_frames(PARTIES, rows=300, datasets=DATASETS)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Organisations(tmp_path_factory.mktemp("ahead"), names=PARTIES, frames=frames, training=TRAINING) as made,
    ):
        made_network = Network(made, monkeypatch)
        made.start_servers()
        with made_network.coordinator() as (parties, _):
            parties.align()
        made_network.reference = Run(made_network, {}, under_way=1)
        yield made_network


@pytest.mark.parametrize("name", SCHEDULES)
def test_batches_under_way_change_no_bit_whatever_the_network_does(network, name):
    training = SCHEDULES[name]
    one_at_a_time = Run(network, training, under_way=1) if training else network.reference
    with network.linked(delay_seconds=0.004, bytes_per_second=4e6):
        network.links["bob"].delay_seconds = 0.001
        several = Run(network, training)
    several.outcome.expect_equal(one_at_a_time.outcome)
    assert several.evaluation == one_at_a_time.evaluation


class Loss:
    """A connection that is lost once, with all replies that the coordinator has not read yet.

    Args:
        client: of the party.
        answered: set once the party has answered whatever is to be lost.
        monkeypatch: lets the connection be lost.
    """

    def __init__(self, client, answered, monkeypatch):
        self._client, self._answered = client, answered
        self._armed = False
        undisturbed = GrpcStream.receive

        def receive(stream, timeout_seconds):
            self._lose(stream)
            return undisturbed(stream, timeout_seconds)

        monkeypatch.setattr(GrpcStream, "receive", receive)

    def arm(self):
        self._armed = True

    def _lose(self, stream):
        calls = self._client.transport.stream._stream
        if self._armed and calls is not None and calls._stream is stream:
            self._armed = False
            await_event(self._answered)
            raise StreamedCallError(grpc.StatusCode.UNAVAILABLE, "the connection is lost")


@pytest.mark.parametrize(("party", "method"), [("alice", "Forward"), ("bob", "Fuse")])
def test_a_party_gets_further_batches_before_it_answers_and_may_lose_all_answers(network, monkeypatch, party, method):
    """Its first answer waits until the coordinator has sent the calls that come after; then all of them are lost."""
    first = network.reference.positions[0]
    positions = range(first, first + LAST + 1)
    assert network.reference.positions[: LAST + 2] == [*positions, first + LAST + 1]
    sent, answered = threading.Event(), threading.Event()
    with network.coordinator(training=TRAINING) as (parties, watch):
        loss = Loss(parties._clients[party], answered, monkeypatch)

        def send():
            loss.arm()
            sent.set()

        watch.actions = {
            Visit(Place.ARRIVED, party, method, (first,)): partial(await_event, sent),
            Visit(Place.SENT, party, method, (positions[-1],)): send,
            Visit(Place.ANSWERED, party, method, (positions[-1],)): answered.set,
        }
        outcome = Outcome(network.organisations, parties.fit())
    assert not watch.actions
    outcome.expect_equal(network.reference.outcome)
    assert [watch.visits[Visit(Place.ARRIVED, party, method, (one,))] for one in positions] == [2] * len(positions)
    assert watch.sessions == dict.fromkeys(PARTIES, 1)
