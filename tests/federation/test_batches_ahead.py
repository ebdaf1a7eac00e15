"""Batches outside of training: several are under way at a time, which changes no bit and survives lost replies."""

import threading
from functools import partial

import grpc
import pytest
from faults import Network, Outcome, Place, Visit, await_event
from organisations import Organisations, make_frames

from coordinator.line import LineError, Stream
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY

PARTIES = ("alice", "bob")
DATASETS = ("train", "test")
TRAINING = {"epochs": 2, "batch_size": 96, "validation_fraction": 0.25, "evaluation_batch_size": 8}
STOPPING = {"early_stopping": {"metric": "val_loss", "patience": 2}}
SCHEDULES = {
    "synchronous": {},
    "a decision after every epoch": STOPPING,
    "pipelined": {"schedule": {"kind": "pipelined", "depth": 2}},
}
LAST = INFERENCE_BATCHES_UNDER_WAY - 1  # of the batches that are under way with the first one


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    frames = make_frames(PARTIES, rows=300, datasets=DATASETS)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Organisations(tmp_path_factory.mktemp("ahead"), names=PARTIES, frames=frames, training=TRAINING) as made,
    ):
        made_network = Network(made, monkeypatch)
        made.start_servers()
        with made_network.coordinator() as (parties, _):
            parties.align()
        yield made_network


def run(network, training, actions=()):
    """Trains and evaluates; returns what they come to, and the watch."""
    with network.coordinator(actions, {**TRAINING, **training}) as (parties, watch):
        history = parties.fit()
        evaluation = parties.evaluate("test")
    return Outcome(network.organisations, history), evaluation, watch


def held_out(watch):
    """Positions of the batches that were fused and gave no gradients."""
    fused, trained = (
        {visit.numbers[0] for visit in watch.visits if visit.method == method} for method in ("Fuse", "Backward")
    )
    return sorted(fused - trained)


@pytest.fixture(scope="module")
def first(network):
    """Position of the first held-out batch of a run, which has more of them than are under way at a time."""
    _, watch = network.fit(training=TRAINING)
    positions = held_out(watch)
    assert positions[: LAST + 2] == list(range(positions[0], positions[0] + LAST + 2))
    return positions[0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_batches_under_way_change_no_bit_whatever_the_network_does(network, monkeypatch, name):
    with monkeypatch.context() as patch:
        patch.setattr("coordinator.inference.INFERENCE_BATCHES_UNDER_WAY", 1)
        one_at_a_time, expected, _ = run(network, SCHEDULES[name])
    with network.linked(delay_seconds=0.004, bytes_per_second=4e6):
        network.links["bob"].delay_seconds = 0.001
        several, evaluation, _ = run(network, SCHEDULES[name])
    several.expect_equal(one_at_a_time)
    assert evaluation == expected


@pytest.mark.parametrize(("party", "method"), [("alice", "Forward"), ("bob", "Fuse")])
def test_a_party_that_answers_nothing_yet_gets_further_batches(network, first, party, method):
    """Each party keeps its first answer back until the coordinator has sent it the calls that come after."""
    sent = threading.Event()
    actions = {
        Visit(Place.ARRIVED, party, method, (first,)): partial(await_event, sent),
        Visit(Place.SENT, party, method, (first + LAST,)): sent.set,
    }
    _, watch = network.fit(actions, training=TRAINING)
    assert not watch.actions


class Loss:
    """A connection that is lost once, with all replies that the coordinator has not read yet.

    Args:
        connection: to the party.
        answered: set once the party has answered whatever is to be lost.
        monkeypatch: lets the connection be lost.
    """

    def __init__(self, connection, answered, monkeypatch):
        self._connection, self._answered = connection, answered
        self._armed = False
        undisturbed = Stream.receive

        def receive(stream, timeout_seconds):
            self._lose(stream)
            return undisturbed(stream, timeout_seconds)

        monkeypatch.setattr(Stream, "receive", receive)

    def arm(self):
        self._armed = True

    def _lose(self, stream):
        line = self._connection._line
        if self._armed and line is not None and line._stream is stream:
            self._armed = False
            await_event(self._answered)
            raise LineError(grpc.StatusCode.UNAVAILABLE, "the connection is lost")


@pytest.mark.parametrize(("party", "method"), [("alice", "Forward"), ("bob", "Fuse")])
def test_all_lost_replies_are_answered_again(network, first, monkeypatch, party, method):
    undisturbed, _ = network.fit(training=TRAINING)
    answered = threading.Event()
    with network.coordinator(training=TRAINING) as (parties, watch):
        loss = Loss(parties._connections[party], answered, monkeypatch)
        watch.actions[Visit(Place.SENT, party, method, (first + LAST,))] = loss.arm
        watch.actions[Visit(Place.ANSWERED, party, method, (first + LAST,))] = answered.set
        outcome = Outcome(network.organisations, parties.fit())
    outcome.expect_equal(undisturbed)
    positions = range(first, first + LAST + 1)
    assert [watch.visits[Visit(Place.ARRIVED, party, method, (one,))] for one in positions] == [2] * (LAST + 1)
    assert watch.sessions == dict.fromkeys(PARTIES, 1)
